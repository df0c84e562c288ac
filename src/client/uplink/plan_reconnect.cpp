#include "client/uplink/plan_reconnect.h"

#include "client/limits.h"

#include <algorithm>

namespace skiff::client {

namespace {

base::Duration part_of(base::Duration whole, double unit) {
  return base::Duration(
      static_cast<base::Duration::rep>(static_cast<double>(whole.count()) * unit));
}

}  // namespace

ReconnectPlan::Next ReconnectPlan::wait(base::MonotonicTime now, double unit) {
  failures_ = 0;
  auto ceiling = std::clamp((now - away_since_) / kReconnectShareOfOutage, kReconnectWaitMin,
                            kReconnectWaitMax);
  return {master_, part_of(ceiling, unit)};
}

ReconnectPlan::Next ReconnectPlan::after_failure(base::MonotonicTime now, double unit) {
  master_ = (master_ + 1) % masters_;
  if (++failures_ < masters_) return {master_, base::Duration::zero()};
  return wait(now, unit);
}

ReconnectPlan::Next ReconnectPlan::after_loss(base::MonotonicTime now, base::Duration lasted,
                                              double unit) {
  if (lasted >= kConnectionGoodAfter)
    away_since_ = now;
  else
    master_ = (master_ + 1) % masters_;
  return wait(now, unit);
}

ReconnectPlan::Next ReconnectPlan::after_displacement(double unit) const {
  return {master_, kReconnectWaitMax / 2 + part_of(kReconnectWaitMax / 2, unit)};
}

}  // namespace skiff::client
