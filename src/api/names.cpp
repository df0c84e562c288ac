#include "api/names.h"

#include <skiff/api/validation.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::api {

using base::concat;

namespace {

constexpr std::size_t kLabelBytesMax = 63;
constexpr std::size_t kSubdomainBytesMax = 253;
constexpr std::string_view kDns1123LabelRegex = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kQualifiedNameRegex = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
constexpr std::string_view kQualifiedNameText =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character";

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z'); }
bool is_lower_alphanumeric(char c) { return is_lower(c) || is_digit(c); }

bool is_dns1123_label_text(std::string_view value) {
  return !value.empty() && is_lower_alphanumeric(value.front()) &&
         is_lower_alphanumeric(value.back()) && std::all_of(value.begin(), value.end(), [](char c) {
           return is_lower_alphanumeric(c) || c == '-';
         });
}

bool is_dns1123_subdomain_text(std::string_view value) {
  for (auto part : base::split(value, '.'))
    if (!is_dns1123_label_text(part)) return false;
  return true;
}

// kQualifiedNameRegex
bool is_qualified_name_text(std::string_view value) {
  return !value.empty() && is_alphanumeric(value.front()) && is_alphanumeric(value.back()) &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace

std::string max_length_text(std::size_t bytes_max) {
  return concat("must be no more than ", bytes_max, " bytes");
}

std::string regex_text(std::string_view message, std::string_view regex,
                       std::initializer_list<std::string_view> examples) {
  std::string text(message);
  if (examples.size() == 0) return concat(text, " (regex used for validation is '", regex, "')");
  text += " (e.g. ";
  bool first = true;
  for (auto example : examples) {
    if (!first) text += " or ";
    first = false;
    text.append("'").append(example).append("', ");
  }
  return text.append("regex used for validation is '").append(regex).append("')");
}

std::vector<std::string> check_dns1123_label(std::string_view value) {
  std::vector<std::string> errors;
  if (value.size() > kLabelBytesMax) errors.push_back(max_length_text(kLabelBytesMax));
  if (is_dns1123_label_text(value)) return errors;
  if (is_dns1123_subdomain_text(value)) {
    errors.push_back("must not contain dots");
  } else {
    errors.push_back(regex_text(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
        "must start and end with an alphanumeric character",
        kDns1123LabelRegex, {"my-name", "123-abc"}));
  }
  return errors;
}

std::vector<std::string> check_dns1123_subdomain(std::string_view value) {
  std::vector<std::string> errors;
  if (value.size() > kSubdomainBytesMax) errors.push_back(max_length_text(kSubdomainBytesMax));
  if (!is_dns1123_subdomain_text(value))
    errors.push_back(regex_text(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
        "'.', and must start and end with an alphanumeric character",
        concat(kDns1123LabelRegex, "(\\.", kDns1123LabelRegex, ")*"), {"example.com"}));
  return errors;
}

std::vector<std::string> check_dns1035_label(std::string_view value) {
  std::vector<std::string> errors;
  if (value.size() > kLabelBytesMax) errors.push_back(max_length_text(kLabelBytesMax));
  if (!is_dns1123_label_text(value) || !is_lower(value.front()))
    errors.push_back(regex_text(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character",
        "[a-z]([-a-z0-9]*[a-z0-9])?", {"my-name", "abc-123"}));
  return errors;
}

std::vector<std::string> check_qualified_name(std::string_view value) {
  std::vector<std::string> errors;
  auto parts = base::split(value, '/');
  const std::string regex =
      regex_text(kQualifiedNameText, kQualifiedNameRegex, {"MyName", "my.name", "123-abc"});
  if (parts.size() > 2) {
    errors.push_back(concat(kQualifiedNameSubject, " ", regex,
                            " with an optional DNS subdomain prefix and '/' (e.g. "
                            "'example.com/MyName')"));
    return errors;
  }
  if (parts.size() == 2) {
    if (parts[0].empty())
      errors.push_back("prefix part must be non-empty");
    else
      for (const auto& error : check_dns1123_subdomain(parts[0]))
        errors.push_back("prefix part " + error);
  }
  std::string_view name = parts.back();
  if (name.empty())
    errors.push_back("name part must be non-empty");
  else if (name.size() > kLabelBytesMax)
    errors.push_back("name part " + max_length_text(kLabelBytesMax));
  if (!is_qualified_name_text(name)) errors.push_back("name part " + regex);
  return errors;
}

std::vector<std::string> check_label_value(std::string_view value) {
  std::vector<std::string> errors;
  if (value.size() > kLabelBytesMax) errors.push_back(max_length_text(kLabelBytesMax));
  if (!value.empty() && !is_qualified_name_text(value))
    errors.push_back(regex_text(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
        "'.', and must start and end with an alphanumeric character",
        concat("(", kQualifiedNameRegex, ")?"), {"MyValue", "my_value", "12345"}));
  return errors;
}

}  // namespace skiff::api
