#include "apiserver/discovery/health.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include <algorithm>

#include "apiserver/routes.h"

namespace skiff::apiserver {

namespace {

// The store reads on in every state, so only readiness and the old healthz look at its writes.
base::Status check_store(const Services& services) {
  auto report = services.options.store->health();
  if (report.health == store::Health::writable) return {};
  return base::unavailable(report.reason);
}

// Before the default roles are there, a right that somebody has may be refused.
base::Status check_bootstrap(const Services& services) {
  if (services.bootstrapped) return {};
  return base::unavailable("not finished");
}

std::vector<HealthCheck> checks_of(const Services& services, std::string_view endpoint) {
  std::vector<HealthCheck> checks;
  checks.push_back({"ping", [] { return base::Status(); }});
  if (endpoint == "livez") return checks;
  checks.push_back({"etcd", [&services] { return check_store(services); }});
  checks.push_back(
      {"poststarthook/rbac/bootstrap-roles", [&services] { return check_bootstrap(services); }});
  for (const auto& check : services.options.ready_checks) checks.push_back(check);
  return checks;
}

}  // namespace

ResponseOutcome health_response(const RequestContext& context, std::string_view endpoint,
                                std::string_view check) {
  const auto checks = checks_of(context.services, endpoint);
  if (!check.empty()) {
    for (const auto& one : checks) {
      if (one.name != check.substr(1)) continue;
      auto status = one.check();
      if (status.is_ok()) return plain_response(200, "ok");
      return plain_response(500, base::concat("internal server error: ", status.message(), "\n"));
    }
    return no_such_path();
  }
  std::vector<std::string_view> excluded;
  for (const auto& [key, value] : context.query) {
    if (key == "exclude") excluded.push_back(value);
  }
  std::string report;
  bool failed = false;
  for (const auto& one : checks) {
    if (std::find(excluded.begin(), excluded.end(), one.name) != excluded.end()) {
      report += base::concat("[+]", one.name, " excluded: ok\n");
      continue;
    }
    auto status = one.check();
    if (status.is_ok()) {
      report += base::concat("[+]", one.name, " ok\n");
      continue;
    }
    failed = true;
    base::log_debug("a health check failed", {{"check", one.name}, {"reason", status.message()}});
    report += base::concat("[-]", one.name, " failed: reason withheld\n");
  }
  if (failed) {
    return plain_response(500, base::concat(report, endpoint, " check failed\n"));
  }
  if (!query_has(context.query, "verbose")) return plain_response(200, "ok");
  return plain_response(200, base::concat(report, endpoint, " check passed\n"));
}

void append_store_metrics(const Services& services, std::string& out) {
  auto counters = services.options.store->counters();
  auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    out += base::concat("# HELP ", name, " ", help, "\n# TYPE ", name, " counter\n", name, " ",
                        value, "\n");
  };
  counter("skiff_store_commits_total", "Acknowledged writes.", counters.commits);
  counter("skiff_store_groups_total", "Transactions.", counters.groups);
  counter("skiff_store_syncs_total", "Syncs of the log.", counters.syncs);
  counter("skiff_store_written_bytes_total", "Bytes written to disk.", counters.bytes_written);
  out += base::concat(
      "# HELP skiff_store_revision The latest revision.\n"
      "# TYPE skiff_store_revision gauge\nskiff_store_revision ",
      services.registry->snapshot().revision(), "\n");
}

}  // namespace skiff::apiserver
