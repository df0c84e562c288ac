#include "apiserver/streams/html_links.h"

#include <skiff/base/strings.h>

#include "apiserver/limits.h"

#include <algorithm>

namespace skiff::apiserver {

namespace {

struct Linking {
  std::string_view element, attribute;
};
// As upstream's proxy has them (apimachinery/pkg/util/proxy).
constexpr Linking kLinking[] = {
    {"a", "href"},          {"applet", "codebase"},   {"area", "href"},
    {"audio", "src"},       {"base", "href"},         {"blockquote", "cite"},
    {"body", "background"}, {"button", "formaction"}, {"command", "icon"},
    {"del", "cite"},        {"embed", "src"},         {"form", "action"},
    {"frame", "longdesc"},  {"frame", "src"},         {"head", "profile"},
    {"html", "manifest"},   {"iframe", "longdesc"},   {"iframe", "src"},
    {"img", "longdesc"},    {"img", "src"},           {"img", "usemap"},
    {"input", "src"},       {"input", "usemap"},      {"input", "formaction"},
    {"ins", "cite"},        {"link", "href"},         {"object", "classid"},
    {"object", "codebase"}, {"object", "data"},       {"object", "usemap"},
    {"q", "cite"},          {"script", "src"},        {"source", "src"},
    {"video", "poster"},    {"video", "src"},
};
// What is in them is no markup.
constexpr std::string_view kRawElements[] = {"script", "style",   "textarea", "title",    "xmp",
                                             "iframe", "noembed", "noframes", "plaintext"};
constexpr std::string_view kSpace = " \t\n\f\r";
constexpr std::string_view kCommentStart = "<!--", kCommentEnd = "-->";

bool is_link(std::string_view element, std::string_view attribute) {
  return std::any_of(std::begin(kLinking), std::end(kLinking), [&](const Linking& linking) {
    return linking.element == element && linking.attribute == attribute;
  });
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::size_t find_or_end(std::string_view text, std::string_view any_of, std::size_t from) {
  return std::min(text.find_first_of(any_of, from), text.size());
}

// Where the tag that begins `text` ends, behind its '>'; npos when that has not arrived.
std::size_t tag_end(std::string_view text) {
  std::size_t at = find_or_end(text, base::concat(kSpace, "/>"), 1);
  char before = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '>') return at + 1;
    // A quote is one only where a value begins.
    if ((c == '"' || c == '\'') && before == '=') {
      at = text.find(c, at + 1);
      if (at == text.npos) return text.npos;
    }
    if (kSpace.find(c) == kSpace.npos) before = text[at];
    if (c == '"' || c == '\'') before = 0;
  }
  return text.npos;
}

std::string element_of(std::string_view tag) {
  return base::to_lower(tag.substr(1, find_or_end(tag, base::concat(kSpace, "/>"), 1) - 1));
}

struct Value {
  std::size_t start = 0, size = 0;
};

// The value behind the '=' at `at`.
Value value_at(std::string_view tag, std::size_t at) {
  Value value;
  value.start = std::min(tag.find_first_not_of(kSpace, at + 1), tag.size());
  const char quote = value.start < tag.size() ? tag[value.start] : '>';
  if (quote == '"' || quote == '\'') {
    ++value.start;
    value.size = find_or_end(tag, std::string_view(&quote, 1), value.start) - value.start;
  } else {
    value.size = find_or_end(tag, base::concat(kSpace, ">"), value.start) - value.start;
  }
  return value;
}

std::string rewrite_tag(std::string_view tag, std::string_view element, const ProxyLinks& links) {
  const std::string between = base::concat(kSpace, "/>");
  std::string out;
  std::size_t sent = 0, at = 1 + element.size();
  for (;;) {
    at = tag.find_first_not_of(between, at);
    if (at == tag.npos) break;
    const auto name_end = find_or_end(tag, base::concat(between, "="), at + 1);
    const auto name = base::to_lower(tag.substr(at, name_end - at));
    const auto sign = tag.find_first_not_of(kSpace, name_end);
    at = name_end;
    if (sign == tag.npos || tag[sign] != '=') continue;
    const Value value = value_at(tag, sign);
    at = value.start + value.size;
    const bool is_quoted = at < tag.size() && (tag[at] == '"' || tag[at] == '\'');
    if (is_quoted) ++at;
    if (!is_link(element, name)) continue;
    out += tag.substr(sent, value.start - sent);
    const auto text = tag.substr(value.start, value.size);
    out += below_proxy(text, links);
    sent = value.start + value.size;
  }
  out += tag.substr(sent);
  return out;
}

}  // namespace

void HtmlLinks::take(std::size_t bytes, std::string& out) {
  out.append(pending_, at_, bytes);
  at_ += bytes;
}

bool HtmlLinks::take_tag(std::string& out) {
  const auto rest = std::string_view(pending_).substr(at_);
  const auto size = tag_end(rest.substr(0, kProxyTagBytesMax));
  if (size == rest.npos) {
    if (rest.size() < kProxyTagBytesMax) return false;
    take(kProxyTagBytesMax, out);
    return true;
  }
  const auto tag = rest.substr(0, size);
  const auto element = element_of(tag);
  out += rewrite_tag(tag, element, links_);
  at_ += size;
  const bool is_raw = std::find(std::begin(kRawElements), std::end(kRawElements), element) !=
                      std::end(kRawElements);
  if (is_raw) {
    state_ = State::raw_text;
    raw_element_ = element;
  }
  return true;
}

bool HtmlLinks::take_text(std::string& out) {
  const auto start = std::min(pending_.find('<', at_), pending_.size());
  take(start - at_, out);
  const auto rest = std::string_view(pending_).substr(at_);
  if (rest.size() < 2 || base::starts_with(kCommentStart, rest)) return false;
  if (base::starts_with(rest, kCommentStart)) {
    // "<!-->" is a whole one.
    take(2, out);
    state_ = State::comment;
    return true;
  }
  if (is_letter(rest[1])) return take_tag(out);
  take(1, out);
  return true;
}

// Of comments and raw text: all before `end`, which must not be cut in two.
bool HtmlLinks::take_until(std::string_view end, std::string& out) {
  const auto rest = base::to_lower(std::string_view(pending_).substr(at_));
  const auto found = rest.find(end);
  if (found == rest.npos) {
    if (rest.size() >= end.size()) take(rest.size() - end.size() + 1, out);
    return false;
  }
  take(found + end.size(), out);
  state_ = State::text;
  return true;
}

std::string HtmlLinks::rewrite(std::string_view piece, bool is_last) {
  pending_ += piece;
  std::string out;
  bool goes_on = true;
  while (goes_on && at_ < pending_.size()) {
    switch (state_) {
      case State::text: goes_on = take_text(out); break;
      case State::comment: goes_on = take_until(kCommentEnd, out); break;
      case State::raw_text: goes_on = take_until(base::concat("</", raw_element_), out); break;
    }
  }
  if (is_last) take(pending_.size() - at_, out);
  pending_.erase(0, at_);
  at_ = 0;
  return out;
}

}  // namespace skiff::apiserver
