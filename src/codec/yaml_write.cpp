#include <skiff/codec/yaml.h>

#include "codec/limits.h"
#include "codec/yaml_scalar.h"

namespace skiff::codec {

namespace {

// The code point at the front when YAML has it as a line break, a byte order mark or a control
// character, as Go's YAML sees it; else 0. They are of two or three bytes.
unsigned special_at(std::string_view text) {
  auto byte = [&text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  if (text.size() >= 2 && byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return byte(1);
  if (text.starts_with("\u2028")) return 0x2028;
  if (text.starts_with("\u2029")) return 0x2029;
  return text.starts_with("\ufeff") ? 0xfeff : 0;
}

bool has_special(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at)
    if (special_at(text.substr(at)) != 0) return true;
  return false;
}

// JSON strings are double-quoted YAML, but for what YAML has as special.
void write_quoted(std::string_view text, std::string& out) {
  std::string quoted;
  write_json_string(text, quoted);
  for (std::size_t at = 0; at < quoted.size();) {
    const unsigned code = special_at(std::string_view(quoted).substr(at));
    if (code == 0) {
      out += quoted[at++];
      continue;
    }
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[(code >> shift) & 15];
    at += code < 0x800 ? 2 : 3;
  }
}

// True when plain text reads back as the same string.
bool is_plain_safe(std::string_view text) {
  if (text.empty() || !resolve_plain_scalar(text).is_string()) return false;
  constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@`=<";
  if (kIndicators.find(text.front()) != text.npos || text.front() == ' ' || text.back() == ' ' ||
      text.back() == ':')
    return false;
  if (text.starts_with("...")) return false;  // the end of a document
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return text.find(": ") == text.npos && text.find(" #") == text.npos && !has_special(text);
}

void write_string(std::string_view text, std::string& out) {
  if (is_plain_safe(text))
    out += text;
  else
    write_quoted(text, out);
}

void write_key(std::string_view key, int indent, std::string& out) {
  const std::size_t start = out.size();
  write_string(key, out);
  if (out.size() - start > kYamlSimpleKeyBytesMax) {
    out.insert(start, "? ");
    out += '\n';
    out.append(static_cast<std::size_t>(indent), ' ');
  }
  out += ':';
}

void write_block(const Json& value, int indent, bool in_line, std::string& out);

void write_scalar(const Json& value, std::string& out) {
  if (value.is_string())
    write_string(value.as_string(), out);
  else
    write_json(value, out);
}

void write_value(const Json& value, int indent, std::string& out) {
  if ((value.is_object() || value.is_array()) && !value.empty()) {
    out += '\n';
    write_block(value, value.is_array() ? indent - 2 : indent, false, out);
    return;
  }
  out += ' ';
  write_scalar(value, out);
  out += '\n';
}

// `in_line`: the first line stands after "- " already.
void write_block(const Json& value, int indent, bool in_line, std::string& out) {
  auto lead = [&] {
    if (!in_line) out.append(static_cast<std::size_t>(indent), ' ');
    in_line = false;
  };
  if (value.is_object() && !value.empty()) {
    for (const auto& member : value.members()) {
      lead();
      write_key(member.key, indent, out);
      write_value(member.value, indent + 2, out);
    }
  } else if (value.is_array() && !value.empty()) {
    for (const auto& item : value.items()) {
      lead();
      out += "- ";
      write_block(item, indent + 2, true, out);
    }
  } else {
    lead();
    write_scalar(value, out);
    out += '\n';
  }
}

}  // namespace

std::string write_yaml(const Json& value) {
  std::string out;
  write_block(value, 0, false, out);
  return out;
}

}  // namespace skiff::codec
