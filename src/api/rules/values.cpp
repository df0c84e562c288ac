#include "api/rules/values.h"

#include <skiff/base/strings.h>

#include "api/names.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::int64_t kIdMax = 2147483647;
constexpr std::size_t kKeyBytesMax = 253;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <class Predicate>
bool all(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

using Address = std::array<unsigned char, 16>;

// The address in network order, IPv4 in the first four bytes; 0 when it is none.
int parse_ip(std::string_view text, Address& address) {
  if (text.size() > 64 || text.find('\0') != std::string_view::npos) return 0;
  const std::string copy(text);
  if (inet_pton(AF_INET, copy.c_str(), address.data()) == 1) return 4;
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return 6;
  return 0;
}

std::string canonical_ip(int version, const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(version == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof text);
  return text;
}

bool has_prefix(const Address& address, std::initializer_list<unsigned char> bytes) {
  return std::equal(bytes.begin(), bytes.end(), address.begin());
}

}  // namespace

std::string range_text(std::int64_t low, std::int64_t high) {
  return concat("must be between ", low, " and ", high, ", inclusive");
}

std::vector<std::string> check_port_name(std::string_view name) {
  std::vector<std::string> errors;
  if (name.size() > 15) errors.push_back(max_length_text(15));
  auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; };
  if (name.empty() || !all(name, allowed))
    errors.push_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
    errors.push_back("must contain at least one letter (a-z)");
  if (name.find("--") != std::string_view::npos)
    errors.push_back("must not contain consecutive hyphens");
  if (!name.empty() && (name.front() == '-' || name.back() == '-'))
    errors.push_back("must not begin or end with a hyphen");
  return errors;
}

std::vector<std::string> check_port_number(std::int64_t port) {
  if (port >= 1 && port <= 65535) return {};
  return {range_text(1, 65535)};
}

std::vector<std::string> check_env_name(std::string_view name) {
  if (name.empty()) return {"environment variable name must be non-empty"};
  if (all(name, [](char c) { return c >= 0x20 && c < 0x7f && c != '='; })) return {};
  return {
      "a valid environment variable name must consist only of printable ASCII characters other "
      "than '='"};
}

std::vector<std::string> check_config_key(std::string_view key) {
  std::vector<std::string> errors;
  if (key.size() > kKeyBytesMax) errors.push_back(max_length_text(kKeyBytesMax));
  auto allowed = [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
  };
  if (key.empty() || !all(key, allowed))
    errors.push_back(
        regex_text("a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                   "[-._a-zA-Z0-9]+", {"key.name", "KEY_NAME", "key-name"}));
  if (key == ".")
    errors.push_back("must not be '.'");
  else if (key == "..")
    errors.push_back("must not be '..'");
  else if (base::starts_with(key, ".."))
    errors.push_back("must not start with '..'");
  return errors;
}

std::vector<std::string> check_http_header_name(std::string_view name) {
  auto allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '-'; };
  if (!name.empty() && all(name, allowed)) return {};
  return {regex_text("a valid HTTP header must consist of alphanumeric characters or '-'",
                     "[-A-Za-z0-9]+", {"X-Header-Name"})};
}

std::vector<std::string> check_user_id(std::int64_t id) {
  if (id >= 0 && id <= kIdMax) return {};
  return {range_text(0, kIdMax)};
}

std::vector<std::string> check_percent(std::string_view text) {
  if (text.size() > 1 && text.back() == '%' && all(text.substr(0, text.size() - 1), is_digit))
    return {};
  return {regex_text("a valid percent string must be a numeric string followed by an ending '%'",
                     "[0-9]+%", {"1%", "93%"})};
}

std::vector<std::string> check_subdomain_with_underscore(std::string_view name) {
  std::string plain(name);
  std::replace(plain.begin(), plain.end(), '_', 'a');
  std::vector<std::string> errors;
  if (name.size() > kKeyBytesMax) errors.push_back(max_length_text(kKeyBytesMax));
  const auto shape = check_dns1123_subdomain(plain.substr(0, kKeyBytesMax));
  if (!shape.empty())
    errors.push_back(regex_text(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
        "characters, '_', '-' or '.', and must start and end with an alphanumeric "
        "character or an underscore",
        "[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?(\\.[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?)*", {"example.com"}));
  return errors;
}

std::optional<int> ip_version(std::string_view text) {
  Address address{};
  int version = parse_ip(text, address);
  return version == 0 ? std::nullopt : std::optional(version);
}

void validate_ip(std::string_view text, const std::string& path, ErrorList& errors) {
  Address address{};
  const int version = parse_ip(text, address);
  if (version == 0) {
    errors.invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    return;
  }
  if (version == 6 && has_prefix(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) {
    errors.invalid(path, text, "must not be an IPv4-mapped IPv6 address");
    return;
  }
  const std::string canonical = canonical_ip(version, address);
  if (canonical != text)
    errors.invalid(path, text, concat("must be in canonical form (", base::quote(canonical), ")"));
}

void validate_non_special_ip(std::string_view text, const std::string& path, ErrorList& errors) {
  Address address{};
  const int version = parse_ip(text, address);
  if (version == 0) {
    errors.invalid(path, text, "must be a valid IP address");
    return;
  }
  const bool v4 = version == 4;
  const std::size_t size = v4 ? 4 : 16;
  const bool zero_head =
      std::all_of(address.begin(), address.begin() + static_cast<std::ptrdiff_t>(size) - 1,
                  [](unsigned char b) { return b == 0; });
  if (zero_head && address[size - 1] == 0)
    errors.invalid(path, text, concat("may not be unspecified (", text, ")"));
  if (v4 ? address[0] == 127 : (zero_head && address[15] == 1))
    errors.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (v4 ? has_prefix(address, {169, 254}) : (address[0] == 0xfe && (address[1] & 0xc0) == 0x80))
    errors.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (v4 ? has_prefix(address, {224, 0, 0}) : (address[0] == 0xff && (address[1] & 0x0f) == 0x02))
    errors.invalid(path, text,
                   "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

void validate_not_negative(const Json& value, const std::string& path, ErrorList& errors) {
  if (value.as_int() < 0) errors.invalid(path, value, kNotNegative);
}
void validate_dns_label(std::string_view value, const std::string& path, ErrorList& errors) {
  errors.invalid_each(path, value, check_dns1123_label(value));
}
void validate_dns_subdomain(std::string_view value, const std::string& path, ErrorList& errors) {
  errors.invalid_each(path, value, check_dns1123_subdomain(value));
}
void validate_label_name(std::string_view value, const std::string& path, ErrorList& errors) {
  errors.invalid_each(path, value, check_qualified_name(value));
}

void validate_port_or_name(const Json& port, const std::string& path, ErrorList& errors) {
  if (port.is_string())
    return errors.invalid_each(path, port.as_string(), check_port_name(port.as_string()));
  for (const auto& message : check_port_number(port.as_int()))
    errors.invalid(path, Json(port.as_int()), message);
}

void validate_no_backsteps(std::string_view value, const std::string& path, ErrorList& errors) {
  for (auto part : base::split(value, '/')) {
    if (part != "..") continue;
    errors.invalid(path, value, "must not contain '..'");
    return;
  }
}

void validate_local_path(std::string_view value, const std::string& path, ErrorList& errors) {
  if (base::starts_with(value, "/")) errors.invalid(path, value, "must be a relative path");
  validate_no_backsteps(value, path, errors);
}

std::optional<Quantity> quantity_of(const Json& value) {
  auto quantity = value.is_string() ? Quantity::parse(value.as_string())
                                    : Quantity::parse(codec::write_json(value));
  if (!quantity.is_ok()) return std::nullopt;
  return *quantity;
}

void validate_choice(std::string_view value, const std::string& path,
                     std::initializer_list<std::string_view> choices, ErrorList& errors) {
  if (value.empty())
    errors.required(path);
  else if (!contains(choices, value))
    errors.not_supported(path, value, choices);
}

}  // namespace skiff::api::rules
