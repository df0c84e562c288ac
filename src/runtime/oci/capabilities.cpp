#include "runtime/oci/capabilities.h"

#include <skiff/base/strings.h>

#include <iterator>

namespace skiff::runtime {
namespace {

// By number, linux/capability.h.
constexpr std::string_view kNames[] = {"CHOWN",
                                       "DAC_OVERRIDE",
                                       "DAC_READ_SEARCH",
                                       "FOWNER",
                                       "FSETID",
                                       "KILL",
                                       "SETGID",
                                       "SETUID",
                                       "SETPCAP",
                                       "LINUX_IMMUTABLE",
                                       "NET_BIND_SERVICE",
                                       "NET_BROADCAST",
                                       "NET_ADMIN",
                                       "NET_RAW",
                                       "IPC_LOCK",
                                       "IPC_OWNER",
                                       "SYS_MODULE",
                                       "SYS_RAWIO",
                                       "SYS_CHROOT",
                                       "SYS_PTRACE",
                                       "SYS_PACCT",
                                       "SYS_ADMIN",
                                       "SYS_BOOT",
                                       "SYS_NICE",
                                       "SYS_RESOURCE",
                                       "SYS_TIME",
                                       "SYS_TTY_CONFIG",
                                       "MKNOD",
                                       "LEASE",
                                       "AUDIT_WRITE",
                                       "AUDIT_CONTROL",
                                       "SETFCAP",
                                       "MAC_OVERRIDE",
                                       "MAC_ADMIN",
                                       "SYSLOG",
                                       "WAKE_ALARM",
                                       "BLOCK_SUSPEND",
                                       "AUDIT_READ",
                                       "PERFMON",
                                       "BPF",
                                       "CHECKPOINT_RESTORE"};
constexpr std::string_view kDefault[] = {
    "CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",
    "MKNOD",   "NET_RAW",      "SETGID",           "SETUID",
    "SETFCAP", "SETPCAP",      "NET_BIND_SERVICE", "SYS_CHROOT",
    "KILL",    "AUDIT_WRITE"};

CapabilitySet bit_of(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == name) return CapabilitySet{1} << i;
  return 0;
}

bool is_all(std::string_view name) { return base::equals_ignore_case(name, "ALL"); }

}  // namespace

std::vector<std::string> capability_names(CapabilitySet set) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (set & (CapabilitySet{1} << i)) names.push_back(base::concat("CAP_", kNames[i]));
  return names;
}

base::Result<CapabilitySet> capability_named(std::string_view name) {
  std::string upper(name);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  std::string_view bare = upper;
  if (base::starts_with(bare, "CAP_")) bare.remove_prefix(4);
  CapabilitySet bit = bit_of(bare);
  if (bit == 0)
    return base::invalid_argument(base::concat("unknown capability ", base::quote(name)));
  return bit;
}

CapabilitySet default_capabilities() {
  CapabilitySet set = 0;
  for (auto name : kDefault) set |= bit_of(name);
  return set;
}

CapabilitySet all_capabilities() { return (CapabilitySet{1} << std::size(kNames)) - 1; }

base::Result<CapabilitySet> plan_capabilities(const std::vector<std::string>& add,
                                              const std::vector<std::string>& drop) {
  CapabilitySet set = default_capabilities();
  for (const auto& name : add)
    if (is_all(name)) set = all_capabilities();
  for (const auto& name : drop)
    if (is_all(name)) set = 0;
  for (const auto& name : add) {
    if (is_all(name)) continue;
    SKIFF_ASSIGN_OR_RETURN(auto bit, capability_named(name));
    set |= bit;
  }
  for (const auto& name : drop) {
    if (is_all(name)) continue;
    SKIFF_ASSIGN_OR_RETURN(auto bit, capability_named(name));
    set &= ~bit;
  }
  return set;
}

}  // namespace skiff::runtime
