// Checks of single values; each returns upstream's sentences, empty when the value is good.
#pragma once

#include "api/rules/error_list.h"

#include <skiff/api/quantity.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::api::rules {

std::string range_text(std::int64_t low, std::int64_t high);
std::vector<std::string> check_port_name(std::string_view name);
std::vector<std::string> check_port_number(std::int64_t port);
std::vector<std::string> check_env_name(std::string_view name);
std::vector<std::string> check_config_key(std::string_view key);
std::vector<std::string> check_http_header_name(std::string_view name);
std::vector<std::string> check_user_id(std::int64_t id);
std::vector<std::string> check_percent(std::string_view text);
std::vector<std::string> check_subdomain_with_underscore(std::string_view name);

// An IP address: 4 or 6; nullopt for what is none.
std::optional<int> ip_version(std::string_view text);
void validate_ip(std::string_view text, const std::string& path, ErrorList& errors);
// Refuses loopback, unspecified and link-local addresses.
void validate_non_special_ip(std::string_view text, const std::string& path, ErrorList& errors);

// "must be greater than or equal to 0" for a negative integer.
void validate_not_negative(const codec::Json& value, const std::string& path, ErrorList& errors);
void validate_dns_label(std::string_view value, const std::string& path, ErrorList& errors);
void validate_dns_subdomain(std::string_view value, const std::string& path, ErrorList& errors);
void validate_label_name(std::string_view value, const std::string& path, ErrorList& errors);
// A port number or the name of a port.
void validate_port_or_name(const codec::Json& port, const std::string& path, ErrorList& errors);
// No "..", and not absolute.
void validate_local_path(std::string_view value, const std::string& path, ErrorList& errors);
void validate_no_backsteps(std::string_view value, const std::string& path, ErrorList& errors);
// A text or number as a quantity; nullopt when it is none (decoding refuses those).
std::optional<Quantity> quantity_of(const codec::Json& value);
// A value of an enumeration: required when empty, not supported when unknown.
void validate_choice(std::string_view value, const std::string& path,
                     std::initializer_list<std::string_view> choices, ErrorList& errors);

}  // namespace skiff::api::rules
