#include "app/credentials/plan_renewal.h"

#include <algorithm>
#include <cstdint>

namespace skiff::app {

namespace {
constexpr double kJitter = 0.05;  // of a life
}

base::Duration until_renewal(const std::vector<pki::CertificateInfo>& certificates,
                             base::WallTime now, double unit) {
  base::Duration shortest = base::Duration::max();
  for (const auto& certificate : certificates) {
    const auto life = static_cast<double>((certificate.not_after - certificate.not_before).count());
    const base::Duration due(static_cast<std::int64_t>(life * (2.0 / 3 - kJitter * unit)));
    shortest = std::min(shortest, certificate.not_before + due - now);
  }
  return shortest;
}

}  // namespace skiff::app
