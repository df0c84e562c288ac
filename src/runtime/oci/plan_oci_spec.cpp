#include "runtime/oci/plan_oci_spec.h"

#include <skiff/base/strings.h>

#include <algorithm>

#include "runtime/limits.h"
#include "runtime/oci/seccomp.h"

namespace skiff::runtime {
namespace {

using base::concat;
using codec::Json;

constexpr std::string_view kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::string_view kMaskedPaths[] = {"/proc/asound",
                                             "/proc/acpi",
                                             "/proc/kcore",
                                             "/proc/keys",
                                             "/proc/latency_stats",
                                             "/proc/timer_list",
                                             "/proc/timer_stats",
                                             "/proc/sched_debug",
                                             "/proc/scsi",
                                             "/sys/firmware",
                                             "/sys/devices/virtual/powercap"};
constexpr std::string_view kReadOnlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                               "/proc/sysrq-trigger"};

template <class Range>
Json strings_json(const Range& strings) {
  Json out = Json::array();
  for (const auto& text : strings) out.push_back(std::string_view(text));
  return out;
}

void set_env(std::vector<std::string>& env, std::string entry) {
  std::string_view name = std::string_view(entry).substr(0, entry.find('=') + 1);
  for (auto& existing : env)
    if (base::starts_with(existing, name)) {
      existing = std::move(entry);
      return;
    }
  env.push_back(std::move(entry));
}

std::vector<std::string> plan_env(const ContainerOptions& options, const SpecInputs& inputs) {
  std::vector<std::string> env = {std::string(kDefaultPath)};
  set_env(env, concat("HOSTNAME=", inputs.pod.hostname));
  if (options.tty) set_env(env, "TERM=xterm");
  for (const auto& entry : inputs.image.env)
    if (entry.find('=') != std::string::npos) set_env(env, entry);
  for (const auto& [name, value] : options.env) set_env(env, concat(name, "=", value));
  return env;
}

std::vector<std::string> plan_args(const ContainerOptions& options, const ImageConfig& image) {
  // A command of the pod takes the image's CMD away too.
  std::vector<std::string> args = options.command.empty() ? image.entrypoint : options.command;
  const auto& rest =
      !options.args.empty() || !options.command.empty() ? options.args : image.command;
  args.insert(args.end(), rest.begin(), rest.end());
  return args;
}

Json capabilities_json(CapabilitySet set) {
  Json names = strings_json(capability_names(set));
  return Json::object({{"bounding", names}, {"effective", names}, {"permitted", names}});
}

base::Result<CapabilitySet> effective_capabilities(const ContainerOptions& options,
                                                   const SpecInputs& inputs) {
  SKIFF_ASSIGN_OR_RETURN(auto set,
                         plan_capabilities(options.capabilities_add, options.capabilities_drop));
  if (options.privileged) set = all_capabilities();
  return set & inputs.available_capabilities;
}

Json process_json(const ContainerOptions& options, const SpecInputs& inputs,
                  CapabilitySet capabilities, const std::vector<std::string>& args) {
  std::string folder =
      !options.working_dir.empty() ? options.working_dir : inputs.image.working_dir;
  Json gids = Json::array();
  for (auto gid : inputs.user.additional_gids) gids.push_back(static_cast<std::int64_t>(gid));
  return Json::object({{"terminal", options.tty},
                       {"user", Json::object({{"uid", static_cast<std::int64_t>(inputs.user.uid)},
                                              {"gid", static_cast<std::int64_t>(inputs.user.gid)},
                                              {"additionalGids", std::move(gids)}})},
                       {"args", strings_json(args)},
                       {"env", strings_json(plan_env(options, inputs))},
                       {"cwd", folder.empty() ? std::string("/") : folder},
                       {"capabilities", capabilities_json(capabilities)},
                       {"noNewPrivileges", options.no_new_privileges},
                       {"oomScoreAdj", std::clamp(options.resources.oom_score_adj,
                                                  inputs.oom_score_adj_min, 1000)}});
}

Json mount_json(const Mount& mount) {
  return Json::object({{"destination", mount.destination},
                       {"type", mount.type},
                       {"source", mount.source},
                       {"options", strings_json(mount.options)}});
}

std::vector<Mount> default_mounts(const ContainerOptions& options, const SpecInputs& inputs) {
  std::string access = options.privileged ? "rw" : "ro";
  return {
      {"proc", "/proc", "proc", {"nosuid", "noexec", "nodev"}},
      {"tmpfs", "/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
      {"devpts",
       "/dev/pts",
       "devpts",
       {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {"mqueue", "/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
      {"sysfs", "/sys", "sysfs", {"nosuid", "noexec", "nodev", access}},
      {"cgroup", "/sys/fs/cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", access}},
      {inputs.shm_path, "/dev/shm", "bind", {"rbind", "nosuid", "noexec", "nodev"}},
  };
}

bool has_option(const Mount& mount, std::string_view option) {
  return std::find(mount.options.begin(), mount.options.end(), option) != mount.options.end();
}

std::vector<Mount> plan_mounts(const ContainerOptions& options, const SpecInputs& inputs) {
  std::vector<Mount> mounts = default_mounts(options, inputs);
  for (Mount mount : options.mounts) {
    auto same = [&](const Mount& other) { return other.destination == mount.destination; };
    mounts.erase(std::remove_if(mounts.begin(), mounts.end(), same), mounts.end());
    if (mount.type == "bind" && !has_option(mount, "bind") && !has_option(mount, "rbind"))
      mount.options.insert(mount.options.begin(), "rbind");
    mounts.push_back(std::move(mount));
  }
  // An outer folder must be there before what is mounted inside it.
  auto depth = [](const Mount& m) {
    return std::count(m.destination.begin(), m.destination.end(), '/');
  };
  std::stable_sort(mounts.begin(), mounts.end(),
                   [&](const Mount& a, const Mount& b) { return depth(a) < depth(b); });
  return mounts;
}

Json namespaces_json(const SpecInputs& inputs) {
  const PodOptions& pod = inputs.pod;
  Json out = Json::array();
  auto add = [&](std::string_view type, int pid, std::string_view kind) {
    Json entry = Json::object({{"type", type}});
    if (pid != 0) entry.set("path", concat("/proc/", pid, "/ns/", kind));
    out.push_back(std::move(entry));
  };
  add("mount", 0, "");
  if (!pod.host_pid) add("pid", inputs.init_pid, "pid");
  if (!pod.host_ipc) add("ipc", inputs.shim_pid, "ipc");
  if (!pod.host_network) {
    add("uts", inputs.shim_pid, "uts");
    add("network", inputs.shim_pid, "net");
  }
  if (inputs.is_cgroup_v2) add("cgroup", 0, "");
  return out;
}

Json resources_json(const ContainerOptions& options, const SpecInputs& inputs) {
  const Resources& wanted = options.resources;
  Json rules = Json::array({Json::object({{"allow", options.privileged}, {"access", "rwm"}})});
  if (!options.privileged)
    for (const auto& device : inputs.devices)
      rules.push_back(Json::object({{"allow", true},
                                    {"type", std::string(1, device.type)},
                                    {"major", device.major},
                                    {"minor", device.minor},
                                    {"access", "rwm"}}));
  Json out = Json::object({{"devices", std::move(rules)}});
  Json cpu = Json::object();
  if (wanted.cpu_shares != 0) cpu.set("shares", static_cast<std::int64_t>(wanted.cpu_shares));
  if (wanted.cpu_quota_us != 0) cpu.set("quota", wanted.cpu_quota_us);
  if (wanted.cpu_period_us != 0) cpu.set("period", wanted.cpu_period_us);
  if (!cpu.empty()) out.set("cpu", std::move(cpu));
  if (wanted.memory_limit_bytes > 0)
    out.set("memory", Json::object({{"limit", wanted.memory_limit_bytes}}));
  // As the kubelet: what is left of a container without one of its processes is of no use.
  if (inputs.kills_for_memory_as_one) out.set("unified", Json::object({{"memory.oom.group", "1"}}));
  if (wanted.pids_limit > 0) out.set("pids", Json::object({{"limit", wanted.pids_limit}}));
  return out;
}

Json devices_json(const SpecInputs& inputs) {
  Json out = Json::array();
  for (const auto& device : inputs.devices)
    out.push_back(Json::object({{"path", device.path},
                                {"type", std::string(1, device.type)},
                                {"major", device.major},
                                {"minor", device.minor},
                                {"fileMode", static_cast<std::int64_t>(device.mode)},
                                {"uid", static_cast<std::int64_t>(device.uid)},
                                {"gid", static_cast<std::int64_t>(device.gid)}}));
  return out;
}

// A volume that shares mounts with the host needs a root that does.
std::string_view root_propagation(const std::vector<Mount>& mounts) {
  auto any = [&](std::string_view a, std::string_view b) {
    return std::any_of(mounts.begin(), mounts.end(),
                       [&](const Mount& m) { return has_option(m, a) || has_option(m, b); });
  };
  if (any("shared", "rshared")) return "rshared";
  if (any("slave", "rslave")) return "rslave";
  return "";
}

base::Result<Json> seccomp_json(const ContainerOptions& options, const SpecInputs& inputs,
                                CapabilitySet capabilities) {
  if (options.privileged || options.seccomp.empty() || options.seccomp == "Unconfined")
    return Json();
  if (options.seccomp == "RuntimeDefault")
    return default_seccomp(capabilities, inputs.architecture);
  const auto profile = codec::parse_json(options.seccomp);
  if (!profile.is_ok() || !(*profile)["defaultAction"].is_string())
    return base::invalid_argument("seccomp profile is no JSON object with a defaultAction");
  return profile;
}

base::Result<Json> linux_json(const ContainerOptions& options, const SpecInputs& inputs,
                              CapabilitySet capabilities, const std::vector<Mount>& mounts) {
  Json out = Json::object({{"cgroupsPath", inputs.cgroup_path},
                           {"namespaces", namespaces_json(inputs)},
                           {"resources", resources_json(options, inputs)},
                           {"devices", devices_json(inputs)}});
  if (!options.privileged && !options.unmasked_proc) {
    out.set("maskedPaths", strings_json(kMaskedPaths));
    out.set("readonlyPaths", strings_json(kReadOnlyPaths));
  }
  if (auto propagation = root_propagation(mounts); !propagation.empty())
    out.set("rootfsPropagation", propagation);
  SKIFF_ASSIGN_OR_RETURN(auto seccomp, seccomp_json(options, inputs, capabilities));
  if (!seccomp.is_null()) out.set("seccomp", std::move(seccomp));
  return out;
}

}  // namespace

base::Result<Json> plan_oci_spec(const ContainerOptions& options, const SpecInputs& inputs) {
  auto args = plan_args(options, inputs.image);
  if (args.empty()) return base::invalid_argument("no command specified");
  SKIFF_ASSIGN_OR_RETURN(auto capabilities, effective_capabilities(options, inputs));
  auto mounts = plan_mounts(options, inputs);
  SKIFF_ASSIGN_OR_RETURN(auto linux_part, linux_json(options, inputs, capabilities, mounts));
  Json mount_list = Json::array();
  for (const auto& mount : mounts) mount_list.push_back(mount_json(mount));
  return Json::object(
      {{"ociVersion", "1.0.2"},
       {"process", process_json(options, inputs, capabilities, args)},
       {"root", Json::object({{"path", inputs.root_path}, {"readonly", options.read_only_root}})},
       {"mounts", std::move(mount_list)},
       {"linux", std::move(linux_part)}});
}

Json plan_exec_process(const Json& container_spec, const ExecOptions& options) {
  Json process = container_spec["process"];
  process.set("args", strings_json(options.command));
  process.set("terminal", options.tty);
  if (options.tty) {
    bool has_term = false;
    for (const Json& entry : process["env"].items())
      has_term = has_term || base::starts_with(entry.as_string(), "TERM=");
    if (!has_term) process["env"].push_back("TERM=xterm");
  }
  return process;
}

}  // namespace skiff::runtime
