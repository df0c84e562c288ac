// Counting probe results against thresholds. Pure.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/codec/json.h>

#include <optional>
#include <string_view>

namespace skiff::agent {

enum class ProbeKind : unsigned char { startup, liveness, readiness };
std::string_view probe_kind_name(ProbeKind kind);   // "Startup", …
std::string_view probe_field_name(ProbeKind kind);  // "startupProbe", …

struct ProbeSettings {
  base::Duration initial_delay{0}, period{0}, timeout{0};
  int success_threshold = 1, failure_threshold = 3;
};
// With the API's defaults for what is absent.
ProbeSettings plan_probe_settings(const codec::Json& probe);

// When a probe that was due at `due` is due again: a period later, at a whole kProbeTick, so that
// the probes of many pods share the wake-ups of the loop; those that a slow one missed are left
// out.
base::MonotonicTime plan_next_probe(base::MonotonicTime due, base::Duration period,
                                    base::MonotonicTime now);

class ProbeCounter {
 public:
  explicit ProbeCounter(const ProbeSettings& settings) : settings_(settings) {}
  // The verdict once enough results of one kind have followed each other; nullopt before.
  std::optional<bool> add(bool is_success);

 private:
  ProbeSettings settings_;
  std::optional<bool> last_;
  int run_ = 0;
};

}  // namespace skiff::agent
