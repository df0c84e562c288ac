// Every bound of this module that is not in a JsonLimits.
#pragma once

#include <cstddef>

namespace skiff::codec {

// Paths of repeated members that a parse keeps.
inline constexpr std::size_t kDuplicatesMax = 100;
// Members of an object up to which look-up while parsing is linear.
inline constexpr std::size_t kLinearMembersMax = 64;
// Documents in one YAML stream.
inline constexpr std::size_t kYamlDocumentsMax = 10'000;
// A longer key is written as "? key": readers look for the colon in 1024 characters
// (YAML 1.2, 7.4.2).
inline constexpr std::size_t kYamlSimpleKeyBytesMax = 1000;

}  // namespace skiff::codec
