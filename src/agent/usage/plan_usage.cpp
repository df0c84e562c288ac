#include "agent/usage/plan_usage.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::agent {

using codec::Json;

namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

// "12.5" of 12,500,000,000 ns.
std::string seconds_of(std::uint64_t ns) {
  std::string fraction = std::to_string(kSecondNs + ns % kSecondNs).substr(1);
  fraction.resize(fraction.find_last_not_of('0') + 1);
  std::string whole = std::to_string(ns / kSecondNs);
  return fraction.empty() ? whole : base::concat(whole, ".", fraction);
}

Json cpu_json(const std::string& time, std::uint64_t cpu_ns) {
  return Json::object(
      {{"time", time}, {"usageCoreNanoSeconds", static_cast<std::int64_t>(cpu_ns)}});
}

Json memory_json(const std::string& time, std::int64_t used, std::int64_t working_set) {
  return Json::object({{"time", time}, {"usageBytes", used}, {"workingSetBytes", working_set}});
}

struct Sum {
  std::uint64_t cpu_ns = 0;
  std::int64_t memory_bytes = 0, memory_working_set_bytes = 0;
};

Sum sum_of(const PodSample& pod) {
  Sum sum;
  for (const auto& container : pod.containers) {
    sum.cpu_ns += container.cpu_ns;
    sum.memory_bytes += container.memory_bytes;
    sum.memory_working_set_bytes += container.memory_working_set_bytes;
  }
  return sum;
}

Json pod_json(const PodSample& pod, const std::string& time) {
  Json containers = Json::array();
  for (const auto& container : pod.containers) {
    Json entry = Json::object(
        {{"name", container.name}, {"startTime", base::format_rfc3339(container.started_at)}});
    entry.set("cpu", cpu_json(time, container.cpu_ns));
    entry.set("memory",
              memory_json(time, container.memory_bytes, container.memory_working_set_bytes));
    containers.push_back(std::move(entry));
  }
  Json reference =
      Json::object({{"name", pod.name}, {"namespace", pod.namespace_name}, {"uid", pod.uid}});
  Json result = Json::object({{"podRef", std::move(reference)}});
  if (pod.started_at) result.set("startTime", base::format_rfc3339(*pod.started_at));
  result.set("containers", std::move(containers));
  const Sum sum = sum_of(pod);
  result.set("cpu", cpu_json(time, sum.cpu_ns));
  result.set("memory", memory_json(time, sum.memory_bytes, sum.memory_working_set_bytes));
  return result;
}

Json host_json(const UsageSnapshot& snapshot, const std::string& time) {
  const HostFacts& host = snapshot.host.facts;
  Json memory = memory_json(time, host.memory_bytes - host.memory_free_bytes,
                            host.memory_bytes - host.memory_available_bytes);
  memory.set("availableBytes", host.memory_available_bytes);
  Json disk = Json::object({{"time", time},
                            {"availableBytes", host.disk_available_bytes},
                            {"capacityBytes", host.disk_bytes},
                            {"usedBytes", host.disk_bytes - host.disk_available_bytes},
                            {"inodesFree", host.inodes_available},
                            {"inodes", host.inodes},
                            {"inodesUsed", host.inodes - host.inodes_available}});
  Json limit =
      Json::object({{"time", time}, {"maxpid", host.pids_max}, {"curproc", host.pids_used}});
  Json result = Json::object({{"nodeName", snapshot.node_name},
                              {"startTime", base::format_rfc3339(snapshot.host.booted_at)}});
  result.set("cpu", cpu_json(time, snapshot.host.cpu_ns));
  result.set("memory", std::move(memory));
  result.set("fs", std::move(disk));
  result.set("rlimit", std::move(limit));
  return result;
}

// Lines of one metric, all with the time of the snapshot.
class MetricText {
 public:
  explicit MetricText(base::WallTime taken_at)
      : time_ms_(std::to_string(taken_at.unix_ns / 1'000'000)) {}
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text += base::concat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  }
  // `labels` with its braces, or empty. Names of pods and containers need no escapes.
  void line(std::string_view labels, std::string_view value) {
    text += base::concat(name_, labels, " ", value, " ", time_ms_, "\n");
  }
  std::string text;

 private:
  std::string name_;
  const std::string time_ms_;
};

std::string pod_labels(const PodSample& pod) {
  return base::concat("{namespace=\"", pod.namespace_name, "\",pod=\"", pod.name, "\"}");
}

std::string container_labels(const PodSample& pod, const ContainerSample& container) {
  return base::concat("{container=\"", container.name, "\",namespace=\"", pod.namespace_name,
                      "\",pod=\"", pod.name, "\"}");
}

template <class Value>
void add_containers(MetricText& out, const UsageSnapshot& snapshot, Value value) {
  for (const auto& pod : snapshot.pods)
    for (const auto& container : pod.containers)
      out.line(container_labels(pod, container), value(container));
}

template <class Value>
void add_pods(MetricText& out, const UsageSnapshot& snapshot, Value value) {
  for (const auto& pod : snapshot.pods) out.line(pod_labels(pod), value(sum_of(pod)));
}

}  // namespace

void take_proc_stat(std::string_view text, std::int64_t ticks_per_second, HostSample& host) {
  // cpu <user> <nice> <system> <idle> <iowait> <irq> <softirq> <steal> …
  constexpr std::size_t kIdle = 3, kWait = 4, kLast = 6;
  for (auto line : base::split(text, '\n')) {
    if (base::starts_with(line, "btime "))
      host.booted_at =
          base::WallTime::from_unix_seconds(base::parse_int(line.substr(6)).value_or(0));
    if (!base::starts_with(line, "cpu ")) continue;
    auto fields = base::split(base::trim(line.substr(4)), ' ');
    std::int64_t ticks = 0;
    for (std::size_t i = 0; i < fields.size() && i <= kLast; ++i)
      if (i != kIdle && i != kWait) ticks += base::parse_int(fields[i]).value_or(0);
    if (ticks_per_second > 0)
      host.cpu_ns = static_cast<std::uint64_t>(ticks) *
                    (kSecondNs / static_cast<std::uint64_t>(ticks_per_second));
  }
}

Json plan_summary(const UsageSnapshot& snapshot) {
  const std::string time = base::format_rfc3339(snapshot.taken_at);
  Json pods = Json::array();
  for (const auto& pod : snapshot.pods) pods.push_back(pod_json(pod, time));
  Json summary = Json::object({{"node", host_json(snapshot, time)}});
  summary.set("pods", std::move(pods));
  return summary;
}

std::string plan_resource_metrics(const UsageSnapshot& snapshot) {
  MetricText out(snapshot.taken_at);
  out.begin("container_cpu_usage_seconds_total", "counter", "Processor time of the container");
  add_containers(out, snapshot, [](const auto& c) { return seconds_of(c.cpu_ns); });
  out.begin("container_memory_working_set_bytes", "gauge", "Working set of the container");
  add_containers(out, snapshot,
                 [](const auto& c) { return std::to_string(c.memory_working_set_bytes); });
  out.begin("container_start_time_seconds", "gauge", "Start of the container, as Unix time");
  add_containers(out, snapshot, [](const auto& c) {
    return seconds_of(static_cast<std::uint64_t>(std::max<std::int64_t>(c.started_at.unix_ns, 0)));
  });
  const HostSample& host = snapshot.host;
  out.begin("node_cpu_usage_seconds_total", "counter", "Processor time of the node");
  out.line("", seconds_of(host.cpu_ns));
  out.begin("node_memory_working_set_bytes", "gauge", "Working set of the node");
  out.line("", std::to_string(host.facts.memory_bytes - host.facts.memory_available_bytes));
  out.begin("pod_cpu_usage_seconds_total", "counter", "Processor time of the pod's containers");
  add_pods(out, snapshot, [](const Sum& sum) { return seconds_of(sum.cpu_ns); });
  out.begin("pod_memory_working_set_bytes", "gauge", "Working set of the pod's containers");
  add_pods(out, snapshot,
           [](const Sum& sum) { return std::to_string(sum.memory_working_set_bytes); });
  out.begin("resource_scrape_error", "gauge", "1 when use could not be read");
  return base::concat(out.text, "resource_scrape_error ", snapshot.is_incomplete ? 1 : 0, "\n");
}

}  // namespace skiff::agent
