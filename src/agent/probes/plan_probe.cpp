#include "agent/probes/plan_probe.h"

#include "agent/limits.h"

#include <algorithm>

namespace skiff::agent {

std::string_view probe_kind_name(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::startup: return "Startup";
    case ProbeKind::liveness: return "Liveness";
    case ProbeKind::readiness: return "Readiness";
  }
  return "";
}

std::string_view probe_field_name(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::startup: return "startupProbe";
    case ProbeKind::liveness: return "livenessProbe";
    case ProbeKind::readiness: return "readinessProbe";
  }
  return "";
}

ProbeSettings plan_probe_settings(const codec::Json& probe) {
  auto seconds = [&](const char* member, std::int64_t fallback, std::int64_t least) {
    return std::chrono::seconds(std::max(probe[member].as_int(fallback), least));
  };
  ProbeSettings settings;
  settings.initial_delay = seconds("initialDelaySeconds", 0, 0);
  settings.period = seconds("periodSeconds", 10, 1);
  settings.timeout = seconds("timeoutSeconds", 1, 1);
  settings.success_threshold =
      static_cast<int>(std::max<std::int64_t>(probe["successThreshold"].as_int(1), 1));
  settings.failure_threshold =
      static_cast<int>(std::max<std::int64_t>(probe["failureThreshold"].as_int(3), 1));
  return settings;
}

base::MonotonicTime plan_next_probe(base::MonotonicTime due, base::Duration period,
                                    base::MonotonicTime now) {
  const std::int64_t tick = base::Duration(kProbeTick).count();
  const std::int64_t next = std::max((due + period).ns, now.ns);
  return {(next + tick - 1) / tick * tick};
}

std::optional<bool> ProbeCounter::add(bool is_success) {
  run_ = last_ == is_success ? run_ + 1 : 1;
  last_ = is_success;
  int needed = is_success ? settings_.success_threshold : settings_.failure_threshold;
  if (run_ < needed) return std::nullopt;
  return is_success;
}

}  // namespace skiff::agent
