#include "agent/images/plan_image_gc.h"

#include <algorithm>

#include "agent/limits.h"

namespace skiff::agent {

std::vector<std::string> plan_image_gc(const ImageGcInput& input) {
  std::int64_t used = input.disk_bytes - input.disk_available_bytes;
  if (input.disk_bytes <= 0 || used <= input.disk_bytes / 100 * kImageGcHighPercent) return {};
  std::int64_t excess = used - input.disk_bytes / 100 * kImageGcLowPercent;
  std::vector<const runtime::Image*> candidates;
  for (const auto& image : input.images) {
    bool is_young = input.now - image.last_used_at < kImageGcAgeMin;
    if (!image.pinned && !is_young && input.used_ids.count(image.id) == 0)
      candidates.push_back(&image);
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto* a, const auto* b) { return a->last_used_at < b->last_used_at; });
  std::vector<std::string> out;
  for (const auto* image : candidates) {
    if (excess <= 0) break;
    excess -= image->size_bytes;
    out.push_back(image->id);
  }
  return out;
}

}  // namespace skiff::agent
