// Image names by the grammar of github.com/distribution/reference.
#include <skiff/base/strings.h>
#include <skiff/runtime/image.h>

#include <algorithm>

#include "runtime/image/manifest.h"
#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_word(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_'; }

// [a-z0-9]+ joined by ".", "_", "__" or any number of "-".
bool is_path_component(std::string_view text) {
  std::size_t at = 0;
  for (;;) {
    std::size_t start = at;
    while (at < text.size() && is_lower_or_digit(text[at])) ++at;
    if (at == start) return false;
    if (at == text.size()) return true;
    char separator = text[at];
    std::size_t run = at;
    while (at < text.size() && text[at] == separator) ++at;
    std::size_t length = at - run;
    bool fine =
        (separator == '.' && length == 1) || (separator == '_' && length <= 2) || separator == '-';
    if (!fine) return false;
  }
}

bool is_path(std::string_view text) {
  auto parts = base::split(text, '/');
  return std::all_of(parts.begin(), parts.end(), is_path_component);
}

bool is_host(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (!text.empty() && text[0] == '[') {
    std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    auto rest = text.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && base::parse_int(rest.substr(1)));
  }
  if (colon != std::string_view::npos) {
    auto port = base::parse_int(text.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return false;
    text = text.substr(0, colon);
  }
  for (auto label : base::split(text, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return is_word(c) || c == '-'; }))
      return false;
  }
  return true;
}

bool is_tag(std::string_view text) {
  return !text.empty() && text.size() <= kTagBytesMax && is_word(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

// Whether the part before the first slash names a registry rather than a folder of Docker's.
bool names_registry(std::string_view first) {
  return first == "localhost" || first.find_first_of(".:") != std::string_view::npos ||
         std::any_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

std::string ImageReference::to_string() const {
  std::string out = base::concat(registry, "/", repository);
  if (!tag.empty()) out += ":" + tag;
  if (!digest.empty()) out += "@" + digest;
  return out;
}

base::Result<ImageReference> parse_image_reference(std::string_view text) {
  auto invalid = [&] {
    return base::invalid_argument(base::concat("couldn't parse image name ", base::quote(text),
                                               ": invalid reference format"));
  };
  if (text.empty() || text.size() > kReferenceBytesMax) return invalid();
  ImageReference reference;
  std::string_view name = text;
  if (std::size_t at = name.find('@'); at != std::string_view::npos) {
    reference.digest = name.substr(at + 1);
    name = name.substr(0, at);
    if (!is_digest(reference.digest)) return invalid();
  }
  std::size_t slash = name.rfind('/');
  std::size_t colon = name.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    reference.tag = name.substr(colon + 1);
    name = name.substr(0, colon);
    if (!is_tag(reference.tag)) return invalid();
  }
  slash = name.find('/');
  if (slash != std::string_view::npos && names_registry(name.substr(0, slash))) {
    reference.registry = name.substr(0, slash);
    reference.repository = name.substr(slash + 1);
  } else {
    reference.registry = "docker.io";
    reference.repository = name;
  }
  if (reference.registry == "index.docker.io") reference.registry = "docker.io";
  if (reference.registry == "docker.io" && reference.repository.find('/') == std::string::npos)
    reference.repository = "library/" + reference.repository;
  if (!is_host(reference.registry) || !is_path(reference.repository) ||
      reference.repository.size() > kRepositoryBytesMax)
    return invalid();
  if (reference.tag.empty() && reference.digest.empty()) reference.tag = "latest";
  // What was left out counts too: the whole name stands in records and requests.
  if (reference.to_string().size() > kReferenceBytesMax) return invalid();
  return reference;
}

}  // namespace skiff::runtime
