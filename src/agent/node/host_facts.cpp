#include "agent/node/host_facts.h"

#include <skiff/base/strings.h>
#include <skiff/sys/cgroups.h>
#include <skiff/sys/features.h>
#include <skiff/sys/files.h>

#include <sched.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

namespace skiff::agent {

namespace {

std::string first_line(const std::string& path) {
  auto text = sys::read_file(path, 64u << 10);
  if (!text) return {};
  return std::string(base::trim(base::split(*text, '\n')[0]));
}

// "MemTotal:  123 kB" in bytes.
std::int64_t memory_field(std::string_view text, std::string_view name) {
  for (auto line : base::split(text, '\n')) {
    if (!base::starts_with(line, name)) continue;
    line.remove_prefix(name.size());
    if (base::ends_with(line, "kB")) line.remove_suffix(2);
    return base::parse_int(base::trim(line)).value_or(0) * 1024;
  }
  return 0;
}

std::string os_image() {
  auto text = sys::read_file("/etc/os-release", 64u << 10);
  if (!text) return "Linux";
  for (auto line : base::split(*text, '\n')) {
    if (!base::starts_with(line, "PRETTY_NAME=")) continue;
    line.remove_prefix(12);
    if (line.size() > 1 && line.front() == '"') line = line.substr(1, line.size() - 2);
    return std::string(line);
  }
  return "Linux";
}

HostFacts ask_kernel(const std::string& data_dir) {
  HostFacts facts;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) facts.cpus = CPU_COUNT(&cpus);
  if (auto text = sys::read_file("/proc/meminfo", 64u << 10)) {
    facts.memory_bytes = memory_field(*text, "MemTotal:");
    facts.memory_available_bytes = memory_field(*text, "MemAvailable:");
    facts.memory_free_bytes = memory_field(*text, "MemFree:");
  }
  struct statvfs disk {};
  if (statvfs(data_dir.c_str(), &disk) == 0) {
    auto block = static_cast<std::int64_t>(disk.f_frsize);
    facts.disk_bytes = static_cast<std::int64_t>(disk.f_blocks) * block;
    facts.disk_available_bytes = static_cast<std::int64_t>(disk.f_bavail) * block;
    facts.inodes = static_cast<std::int64_t>(disk.f_files);
    facts.inodes_available = static_cast<std::int64_t>(disk.f_favail);
  }
  facts.pids_max = base::parse_int(first_line("/proc/sys/kernel/pid_max")).value_or(0);
  // "0.20 0.18 0.12 1/80 11206": running/existing tasks.
  std::string load_line = first_line("/proc/loadavg");
  auto load = base::split(load_line, ' ');
  if (load.size() > 3) {
    auto slash = load[3].find('/');
    if (slash != std::string_view::npos)
      facts.pids_used = base::parse_int(load[3].substr(slash + 1)).value_or(0);
  }
  facts.machine_id = first_line("/etc/machine-id");
  facts.system_uuid = base::to_lower(first_line("/sys/class/dmi/id/product_uuid"));
  if (facts.system_uuid.empty()) facts.system_uuid = facts.machine_id;
  facts.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  utsname name{};
  if (uname(&name) == 0) facts.kernel_version = name.release;
  facts.os_image = os_image();
  facts.architecture = sys::machine_architecture();
  facts.has_memory_controller = sys::make_cgroups()->has_controller("memory");
  return facts;
}

}  // namespace

HostFacts read_host_facts(const AgentOptions& options) {
  return options.host_facts ? options.host_facts() : ask_kernel(options.data_dir);
}

}  // namespace skiff::agent
