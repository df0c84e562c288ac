#include "agent/usage/gather_usage.h"

#include <skiff/loop/work_pool.h>
#include <skiff/sys/files.h>

#include "agent/node/host_facts.h"
#include "agent/usage/plan_usage.h"

#include <unistd.h>

namespace skiff::agent {

namespace {

constexpr std::size_t kProcStatBytesMax = 1u << 20;

HostSample read_host(const AgentOptions& options) {
  HostSample host;
  host.facts = read_host_facts(options);
  if (auto text = sys::read_file("/proc/stat", kProcStatBytesMax))
    take_proc_stat(*text, sysconf(_SC_CLK_TCK), host);
  return host;
}

// A pod's sample with the ids of the containers whose use is not read yet, in the same order.
struct Wanted {
  PodSample pod;
  std::vector<std::string> ids;
};

Wanted wanted_of(const PodRecord& record) {
  Wanted wanted;
  const codec::Json& metadata = std::as_const(record.pod)["metadata"];
  wanted.pod.name = metadata["name"].as_string();
  wanted.pod.namespace_name = metadata["namespace"].as_string();
  wanted.pod.uid = metadata["uid"].as_string();
  wanted.pod.started_at = record.started_at;
  for (const auto& container : record.containers) {
    if (!container.is_running()) continue;
    ContainerSample sample;
    sample.name = container.name;
    sample.started_at = container.current->status.started_at;
    wanted.pod.containers.push_back(std::move(sample));
    wanted.ids.push_back(container.current->status.id);
  }
  return wanted;
}

PodSample read_pod(runtime::Runtime& runtime, Wanted wanted, bool& is_incomplete) {
  std::vector<ContainerSample> seen;
  for (std::size_t i = 0; i < wanted.ids.size(); ++i) {
    auto usage = runtime.usage(wanted.ids[i]);
    if (!usage) {
      is_incomplete = is_incomplete || usage.code() != base::Code::not_found;
      continue;
    }
    auto& sample = wanted.pod.containers[i];
    sample.cpu_ns = usage->cpu_ns;
    sample.memory_bytes = usage->memory_bytes;
    sample.memory_working_set_bytes = usage->memory_working_set_bytes;
    seen.push_back(std::move(sample));
  }
  wanted.pod.containers = std::move(seen);
  return std::move(wanted.pod);
}

}  // namespace

base::Task<UsageSnapshot> gather_usage(const AgentContext& context, const PodManager& pods) {
  std::vector<Wanted> wanted;
  for (const auto* worker : pods.all()) wanted.push_back(wanted_of(worker->record()));
  UsageSnapshot snapshot;
  snapshot.node_name = context.node.node_name;
  snapshot.taken_at = context.now();
  auto look = [&options = context.options, wanted = std::move(wanted),
               snapshot = std::move(snapshot)]() mutable {
    snapshot.host = read_host(options);
    for (auto& pod : wanted)
      snapshot.pods.push_back(read_pod(*options.runtime, std::move(pod), snapshot.is_incomplete));
    return std::move(snapshot);
  };
  auto looking = loop::run_blocking(*context.options.work, std::move(look));
  co_return co_await std::move(looking);
}

}  // namespace skiff::agent
