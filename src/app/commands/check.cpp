#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/loop/loop.h>
#include <skiff/net/packet_rules.h>
#include <skiff/sys/cgroups.h>
#include <skiff/sys/features.h>
#include <skiff/sys/files.h>

#include "app/commands/command_list.h"

#include <unistd.h>

#include <cstdio>

namespace skiff::app {

namespace {

enum class Verdict { good, warning, missing };

struct Finding {
  std::string subject;
  Verdict verdict;
  std::string text;  // what is there
  std::string mend;  // what to do; empty when good
};

// A clock before this has not been set: the year of this release began later.
constexpr std::int64_t kPlausibleUnixSeconds = 1'750'000'000;

Finding good(std::string subject, std::string text) {
  return {std::move(subject), Verdict::good, std::move(text), {}};
}

Finding check_kernel() {
  auto version = sys::kernel_version();
  std::string text = base::concat(version.major, ".", version.minor);
  if (version.major > 4 || (version.major == 4 && version.minor >= 19)) return good("kernel", text);
  return {"kernel", Verdict::missing, text, "skiff needs Linux 4.19 or newer"};
}

Finding check_root() {
  if (geteuid() == 0) return good("user", "root");
  return {"user", Verdict::missing, "not root",
          "run skiff as root: it makes namespaces and mounts"};
}

std::vector<Finding> check_cgroups() {
  auto cgroups = sys::make_cgroups();
  if (cgroups->mode() == sys::CgroupMode::none)
    return {{"cgroups", Verdict::missing, "none mounted",
             "mount cgroup2 on /sys/fs/cgroup, as every init system does"}};
  std::vector<Finding> findings{
      good("cgroups", cgroups->mode() == sys::CgroupMode::v2 ? "v2" : "v1")};
  for (const char* controller : {"cpu", "memory", "pids"}) {
    std::string subject = base::concat("cgroup ", controller);
    if (cgroups->has_controller(controller)) {
      findings.push_back(good(subject, "there"));
    } else {
      bool memory = std::string_view(controller) == "memory";
      findings.push_back({subject, Verdict::warning, "not there",
                          memory ? "on a Raspberry Pi add 'cgroup_enable=memory' to cmdline.txt; "
                                   "memory limits of pods do not hold without it"
                                 : "limits of this kind do not hold without it"});
    }
  }
  return findings;
}

Finding check_overlay() {
  if (sys::has_file_system("overlay")) return good("overlayfs", "there");
  return {"overlayfs", Verdict::warning, "not there",
          "load the module 'overlay'; images are copied for every container without it"};
}

Finding check_namespaces() {
  for (const char* kind : {"net", "pid", "mnt", "ipc", "uts"})
    if (!sys::has_namespace(kind))
      return {"namespaces", Verdict::missing, base::concat("no ", kind, " namespaces"),
              "use a kernel with CONFIG_NAMESPACES"};
  return good("namespaces", "there");
}

Finding check_nftables() {
  constexpr const char* kProbeTable = "skiff-check";
  auto rules = net::make_nftables_rules(kProbeTable);
  auto cleared = rules ? (*rules)->clear() : rules.status();
  if (cleared) return good("nftables", "there");
  return {"nftables", Verdict::missing, std::string(cleared.message()),
          "use a kernel with CONFIG_NF_TABLES and load 'nf_tables'; Services need it"};
}

Finding check_forwarding(const Config& config) {
  auto drops = net::find_forward_drops();
  if (!drops || drops->empty()) return good("forwarding", "not restricted by others");
  return {"forwarding", Verdict::warning,
          base::concat("dropped by default in ", base::join(*drops, ", ")),
          base::concat("let pods through, as with 'iptables -I FORWARD -s ", config.cluster_cidr,
                       " -j ACCEPT' and the same with -d")};
}

Finding check_vxlan() {
  if (sys::path_exists("/sys/module/vxlan")) return good("VXLAN", "there");
  return {"VXLAN", Verdict::warning, "not loaded",
          "load the module 'vxlan' before nodes on other networks join; one node needs none"};
}

Finding check_runtime(const Config& config) {
  std::string path = sys::find_program(config.runtime);
  if (!path.empty()) return good("OCI runtime", path);
  return {"OCI runtime", Verdict::missing, base::concat(config.runtime, " is not in PATH"),
          "install it ('apt install runc'), or name another with --runtime"};
}

Finding check_clock() {
  auto now = loop::real_clock().now();
  std::string text = base::format_rfc3339(now);
  if (now.unix_seconds() >= kPlausibleUnixSeconds) return good("clock", text);
  return {"clock", Verdict::warning, text,
          "the clock is not set; certificates are back-dated, but set it before nodes join"};
}

Finding check_folder(const std::string& subject, const std::string& folder) {
  std::string existing = folder;
  while (existing.size() > 1 && !sys::path_exists(existing))
    existing.resize(std::max<std::size_t>(existing.rfind('/'), 1));
  if (access(existing.c_str(), W_OK) == 0) return good(subject, folder);
  return {subject, Verdict::missing, base::concat(folder, " cannot be written"),
          base::concat("choose another with --", subject)};
}

const char* word(Verdict verdict) {
  switch (verdict) {
    case Verdict::good: return "ok";
    case Verdict::warning: return "warning";
    case Verdict::missing: return "missing";
  }
  return "";
}

void print_text(const std::vector<Finding>& findings) {
  for (const auto& finding : findings) {
    std::printf("%-8s %-14s %s\n", word(finding.verdict), finding.subject.c_str(),
                finding.text.c_str());
    if (!finding.mend.empty()) std::printf("%-8s %-14s   %s\n", "", "", finding.mend.c_str());
  }
}

void print_json(const std::vector<Finding>& findings) {
  codec::Json out = codec::Json::array();
  for (const auto& finding : findings) {
    codec::Json row = codec::Json::object(
        {{"subject", finding.subject}, {"verdict", word(finding.verdict)}, {"text", finding.text}});
    if (!finding.mend.empty()) row.set("mend", finding.mend);
    out.push_back(std::move(row));
  }
  std::printf("%s\n", codec::write_json_pretty(out).c_str());
}

}  // namespace

int run_check(const Invocation& invocation) {
  auto config = config_of(invocation);
  if (!config) return fail(config.status());
  std::vector<Finding> findings{check_kernel(), check_root()};
  for (auto& finding : check_cgroups()) findings.push_back(std::move(finding));
  for (auto& finding : {check_namespaces(), check_overlay(), check_nftables(),
                        check_forwarding(*config), check_vxlan(), check_runtime(*config),
                        check_clock(), check_folder("data-dir", config->data_dir),
                        check_folder("runtime-dir", config->runtime_dir)})
    findings.push_back(finding);
  if (invocation.json)
    print_json(findings);
  else
    print_text(findings);
  for (const auto& finding : findings)
    if (finding.verdict == Verdict::missing) return 1;
  return 0;
}

}  // namespace skiff::app
