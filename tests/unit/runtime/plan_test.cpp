#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include <catch2/catch.hpp>

#include "runtime/oci/capabilities.h"
#include "runtime/oci/oci_runtime.h"
#include "runtime/oci/plan_oci_spec.h"
#include "runtime/oci/seccomp.h"
#include "runtime/oci/user.h"
#include "runtime/records.h"

using namespace skiff;
using namespace skiff::runtime;
using codec::Json;

namespace {

constexpr const char* kPasswd =
    "root:x:0:0::/:/bin/sh\nbroken\nweb:x:1000:1001::/:/bin/sh\nbig:x:99999999999:1::/:\n";
constexpr const char* kGroup = "root:x:0:\nwebs:x:1001:\nextra:x:2000:a,web\n";

ContainerOptions sample_options() {
  ContainerOptions options;
  options.id = "c1";
  return options;
}
SpecInputs sample_inputs() {
  SpecInputs inputs;
  inputs.image.entrypoint = {"/entry", "-x"};
  inputs.image.command = {"cmd"};
  inputs.image.env = {"A=image", "PATH=/own"};
  inputs.image.working_dir = "/work";
  inputs.root_path = "/root-of-c1";
  inputs.pod.hostname = "web-0";
  inputs.shim_pid = 42;
  inputs.cgroup_path = "/skiff/pod/c1";
  inputs.shm_path = "/shm";
  inputs.architecture = "amd64";
  return inputs;
}
Json spec_of(const ContainerOptions& options, const SpecInputs& inputs) {
  auto spec = plan_oci_spec(options, inputs);
  REQUIRE(spec.is_ok());
  return *spec;
}
std::string words(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list.items()) out.emplace_back(item.as_string());
  return base::join(out, " ");
}
const Json* mount_at(const Json& spec, std::string_view destination) {
  for (const Json& mount : spec["mounts"].items())
    if (mount["destination"].as_string() == destination) return &mount;
  return nullptr;
}
std::string namespaces(const Json& spec) {
  std::string out;
  for (const Json& item : spec.at({"linux", "namespaces"}).items())
    out += base::concat(item["type"].as_string(), "=", item["path"].as_string(), " ");
  return out;
}

}  // namespace

TEST_CASE("the image's ENTRYPOINT and CMD, and what replaces them") {
  auto options = sample_options();
  auto inputs = sample_inputs();
  auto args = [&] { return words(spec_of(options, inputs).at({"process", "args"})); };
  CHECK(args() == "/entry -x cmd");
  options.args = {"other"};
  CHECK(args() == "/entry -x other");
  options.command = {"/bin/sh"};
  CHECK(args() == "/bin/sh other");
  options.args.clear();
  CHECK(args() == "/bin/sh");
  options.command.clear();
  inputs.image.entrypoint.clear();
  inputs.image.command.clear();
  CHECK(plan_oci_spec(options, inputs).status().message() == "no command specified");
}

TEST_CASE("environment: default path, image, then the pod's") {
  auto options = sample_options();
  options.env = {{"A", "pod"}, {"B", "x=y"}};
  options.tty = true;
  auto env = words(spec_of(options, sample_inputs()).at({"process", "env"}));
  CHECK(env == "PATH=/own HOSTNAME=web-0 TERM=xterm A=pod B=x=y");
}

TEST_CASE("users are found in the image's own files") {
  auto options = sample_options();
  auto user = [&](const std::string& image_user) {
    auto resolved = resolve_user(options, image_user, kPasswd, kGroup);
    if (!resolved.is_ok()) return std::string(resolved.status().message());
    std::string out =
        base::concat(static_cast<int>(resolved->uid), ":", static_cast<int>(resolved->gid));
    for (auto gid : resolved->additional_gids) out += base::concat(" ", static_cast<int>(gid));
    return out;
  };
  CHECK(user("") == "0:0 0");
  CHECK(user("web") == "1000:1001 1001 2000");
  CHECK(user("1000") == "1000:1001 1001 2000");
  CHECK(user("1234") == "1234:0 0");
  CHECK(user("web:extra") == "1000:2000 2000");
  CHECK(user("1234:77") == "1234:77 77");
  CHECK(user("nobody") == "unable to find user nobody: no matching entries in passwd file");
  CHECK(user("web:nogroup") == "unable to find group nogroup: no matching entries in group file");
  CHECK(user("big") == "unable to find user big: no matching entries in passwd file");
  options.run_as_user = 1000;
  options.run_as_group = 5;
  options.supplemental_groups = {9};
  CHECK(user("root") == "1000:5 5 9 2000");
  options = sample_options();
  options.run_as_non_root = true;
  CHECK(user("") == "container has runAsNonRoot and image will run as root");
  CHECK(user("0") == "container has runAsNonRoot and image will run as root");
  CHECK(user("web") ==
        "container has runAsNonRoot and image has non-numeric user (web), cannot verify user is "
        "non-root");
  CHECK(user("1000") == "1000:1001 1001 2000");
  options.run_as_user = 0;
  CHECK(user("1000") == "container's runAsUser breaks non-root policy");
}

TEST_CASE("capabilities are added and dropped, what the host lacks is left out") {
  CHECK(capability_names(*plan_capabilities({}, {})).size() == 14);
  CHECK(capability_names(*plan_capabilities({"NET_ADMIN"}, {"ALL"})) ==
        std::vector<std::string>{"CAP_NET_ADMIN"});
  CHECK(*plan_capabilities({"ALL"}, {}) == all_capabilities());
  CHECK(capability_names(*plan_capabilities({}, {"cap_chown"})).size() == 13);
  CHECK(plan_capabilities({"FLY"}, {}).code() == base::Code::invalid_argument);
  auto options = sample_options();
  options.privileged = true;
  auto inputs = sample_inputs();
  inputs.available_capabilities = ~*capability_named("SYS_RESOURCE");
  auto names = words(spec_of(options, inputs).at({"process", "capabilities", "effective"}));
  CHECK(names.find("CAP_SYS_ADMIN") != std::string::npos);
  CHECK(names.find("CAP_SYS_RESOURCE") == std::string::npos);
}

TEST_CASE("namespaces are the pod's or the host's as asked") {
  auto options = sample_options();
  auto inputs = sample_inputs();
  CHECK(namespaces(spec_of(options, inputs)) ==
        "mount= pid= ipc=/proc/42/ns/ipc uts=/proc/42/ns/uts network=/proc/42/ns/net ");
  inputs.init_pid = 43;
  inputs.is_cgroup_v2 = true;
  inputs.pod.host_ipc = true;
  CHECK(namespaces(spec_of(options, inputs)) ==
        "mount= pid=/proc/43/ns/pid uts=/proc/42/ns/uts network=/proc/42/ns/net cgroup= ");
  inputs.pod.host_network = inputs.pod.host_pid = true;
  CHECK(namespaces(spec_of(options, inputs)) == "mount= cgroup= ");
}

TEST_CASE("with control groups v2 a container is killed for memory as one") {
  auto options = sample_options();
  auto inputs = sample_inputs();
  auto unified = [&] {
    const Json spec = spec_of(options, inputs);
    return std::string(spec.at({"linux", "resources", "unified", "memory.oom.group"}).as_string());
  };
  CHECK(unified().empty());
  inputs.kills_for_memory_as_one = true;
  CHECK(unified() == "1");
}

TEST_CASE("mounts: the pod's replace the default ones, outer ones come first") {
  auto options = sample_options();
  options.mounts = {{"/host/a/b", "/data/inner", "bind", {"ro"}},
                    {"/host/a", "/data", "bind", {"rbind", "rslave"}},
                    {"/host/shm", "/dev/shm", "bind", {}}};
  auto spec = spec_of(options, sample_inputs());
  CHECK(words((*mount_at(spec, "/data/inner"))["options"]) == "rbind ro");
  CHECK((*mount_at(spec, "/dev/shm"))["source"].as_string() == "/host/shm");
  CHECK(mount_at(spec, "/data") < mount_at(spec, "/data/inner"));
  CHECK(mount_at(spec, "/dev") < mount_at(spec, "/dev/shm"));
  CHECK(spec.at({"linux", "rootfsPropagation"}).as_string() == "rslave");
  CHECK(words((*mount_at(spec, "/sys"))["options"]).find("ro") != std::string::npos);
}

TEST_CASE("limits, masks and seccomp as asked") {
  auto options = sample_options();
  auto inputs = sample_inputs();
  options.resources = {512, 50'000, 100'000, 1 << 20, 10, -900};
  inputs.oom_score_adj_min = 0;
  auto spec = spec_of(options, inputs);
  CHECK(spec.at({"linux", "resources", "memory", "limit"}).as_int() == 1 << 20);
  CHECK(spec.at({"linux", "resources", "cpu", "shares"}).as_int() == 512);
  CHECK(spec.at({"linux", "resources", "pids", "limit"}).as_int() == 10);
  CHECK(spec.at({"process", "oomScoreAdj"}).as_int() == 0);
  CHECK(spec["linux"]["maskedPaths"].size() > 5);
  CHECK_FALSE(spec["linux"].contains("seccomp"));
  CHECK(spec["linux"]["resources"]["devices"].items()[0]["allow"].as_bool() == false);
  options.seccomp = "RuntimeDefault";
  CHECK(spec_of(options, inputs).at({"linux", "seccomp", "defaultAction"}).as_string() ==
        "SCMP_ACT_ERRNO");
  options.seccomp = R"({"defaultAction":"SCMP_ACT_ALLOW"})";
  CHECK(spec_of(options, inputs).at({"linux", "seccomp", "defaultAction"}).as_string() ==
        "SCMP_ACT_ALLOW");
  options.seccomp = "rubbish";
  CHECK(plan_oci_spec(options, inputs).code() == base::Code::invalid_argument);
  options.privileged = true;
  spec = spec_of(options, inputs);
  CHECK_FALSE(spec["linux"].contains("maskedPaths"));
  CHECK_FALSE(spec["linux"].contains("seccomp"));
}

TEST_CASE("the default filter gives mount only with SYS_ADMIN") {
  auto allows = [](CapabilitySet set, std::string_view call) {
    auto profile = default_seccomp(set, "amd64");
    for (const Json& rule : profile["syscalls"].items())
      for (const Json& name : rule["names"].items())
        if (name.as_string() == call && rule["action"].as_string() == "SCMP_ACT_ALLOW" &&
            !rule.contains("args"))
          return true;
    return false;
  };
  CHECK(allows(0, "openat"));
  CHECK(allows(0, "execve"));
  CHECK_FALSE(allows(0, "mount"));
  CHECK_FALSE(allows(0, "clone"));
  CHECK_FALSE(allows(0, "kexec_load"));
  CHECK_FALSE(allows(all_capabilities(), "kexec_load"));
  CHECK(allows(*capability_named("SYS_ADMIN"), "mount"));
  CHECK(allows(*capability_named("SYS_ADMIN"), "clone"));
}

TEST_CASE("an exec is the container's process with another command") {
  auto options = sample_options();
  auto spec = spec_of(options, sample_inputs());
  ExecOptions exec;
  exec.command = {"ls", "-l"};
  exec.tty = true;
  auto process = plan_exec_process(spec, exec);
  CHECK(words(process["args"]) == "ls -l");
  CHECK(process["terminal"].as_bool());
  CHECK(words(process["env"]).find("TERM=xterm") != std::string::npos);
  CHECK(process["cwd"].as_string() == "/work");
}

TEST_CASE("records are read back, torn ones are told") {
  PodRecord pod;
  pod.options.uid = "u";
  pod.options.sysctls = {{"net.a", "1 2"}};
  pod.options.share_process_namespace = true;
  pod.shim = {7, 99};
  auto pod_again = parse_pod_record(write_pod_record(pod));
  REQUIRE(pod_again.is_ok());
  CHECK(pod_again->options.sysctls == pod.options.sysctls);
  CHECK(pod_again->shim.start_ticks == 99);
  ContainerRecord container;
  container.id = "c";
  container.log_path = "/l\n";
  container.tty = true;
  auto container_again = parse_container_record(write_container_record(container));
  REQUIRE(container_again.is_ok());
  CHECK(container_again->log_path == "/l\n");
  CHECK(container_again->tty);
  ExitRecord exit{137, 9, true, {5}, true};
  auto exit_again = parse_exit_record(write_exit_record(exit));
  REQUIRE(exit_again.is_ok());
  CHECK(exit_again->exit_code == 137);
  CHECK(exit_again->oom_killed);
  CHECK(exit_again->is_lost);
  for (auto bad : {"", "{", "[]", "{\"version\":2}", "2 0 0 0 0", "1 x 0 0 0", "1 0 0 0"}) {
    CHECK(parse_pod_record(bad).code() == base::Code::data_loss);
    CHECK(parse_container_record(bad).code() == base::Code::data_loss);
    CHECK(parse_exit_record(bad).code() == base::Code::data_loss);
  }
}

TEST_CASE("the OCI runtime's last error is what is told") {
  CHECK(oci_error_text("{\"level\":\"warning\",\"msg\":\"w\"}\nrubbish\n"
                       "{\"level\":\"error\",\"msg\":\"exec: \\\"nope\\\": not found\"}\n",
                       "fallback") == "exec: \"nope\": not found");
  CHECK(oci_error_text("", "fallback") == "fallback");
}
