// The sentences that name checks share.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace skiff::api {

// What upstream calls a name with an optional prefix.
inline constexpr std::string_view kQualifiedNameSubject = "a valid label key";

// "must be no more than 63 bytes"
std::string max_length_text(std::size_t bytes_max);
// "<message> (e.g. 'a', or 'b', regex used for validation is '<regex>')"
std::string regex_text(std::string_view message, std::string_view regex,
                       std::initializer_list<std::string_view> examples);

}  // namespace skiff::api
