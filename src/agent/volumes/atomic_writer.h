// Replaces the files of a volume as a whole, the way containers expect it:
//
//   <volume>/..2026_11_23_20_15_04.1234567/     the files
//   <volume>/..data -> ..2026_11_23_20_15_04.1234567
//   <volume>/<name> -> ..data/<name>            one per top-level name
//
// A reader sees either the old files or the new ones. Blocks.
#pragma once

#include <skiff/base/result.h>

#include "agent/volumes/plan_payload.h"

#include <optional>
#include <string>

namespace skiff::agent {

// `unique` makes the folder's name ("2026_11_23_20_15_04.1234567"). Does nothing when the files
// are already as in `payload`. `group` owns the files and may read them. Returns whether it wrote.
base::Result<bool> write_payload(const std::string& folder, const Payload& payload,
                                 const std::string& unique, std::optional<std::int64_t> group);

}  // namespace skiff::agent
