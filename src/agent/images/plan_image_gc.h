// Which images to remove when the disk fills up. Pure.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/runtime/image.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace skiff::agent {

struct ImageGcInput {
  std::vector<runtime::Image> images;
  std::set<std::string> used_ids;  // of containers that exist on this node
  std::int64_t disk_bytes = 0, disk_available_bytes = 0;
  base::WallTime now;
};
// Ids, least recently used first: when more than 85 % of the disk is in use, enough to come down to
// 80 %. Never what is pinned, in use, or younger than two minutes.
std::vector<std::string> plan_image_gc(const ImageGcInput& input);

}  // namespace skiff::agent
