// Pods per second: sandbox, container, start, on two threads, against runc alone with the same
// image; and the private memory of the supervisors.
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/loop/loop.h>
#include <skiff/runtime/image.h>
#include <skiff/runtime/runtime.h>
#include <skiff/sys/cgroups.h>
#include <skiff/sys/files.h>
#include <skiff/sys/process.h>

#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <cstdio>
#include <functional>
#include <thread>

#include "image_fixtures.h"

using namespace skiff;
using namespace skiff::runtime_test;
using base::concat;

namespace {

constexpr int kPods = 30;

double seconds_of(const std::function<void(int)>& one, int threads) {
  std::atomic<int> next{0};
  auto begin = loop::real_clock().monotonic();
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; ++t)
    pool.emplace_back([&] {
      for (int i = next++; i < kPods; i = next++) one(i);
    });
  for (auto& thread : pool) thread.join();
  return static_cast<double>((loop::real_clock().monotonic() - begin).count()) / 1e9;
}

int run(std::vector<std::string> argv) {
  sys::RunOptions options;
  options.argv = std::move(argv);
  auto result = sys::run_process(std::move(options));
  return result.is_ok() ? result->exit_code : -1;
}

std::int64_t private_kb_of(int pid) {
  auto text = sys::read_file(concat("/proc/", pid, "/smaps_rollup"), 1u << 16).value_or("");
  std::int64_t total = 0;
  for (auto line : base::split(text, '\n')) {
    if (!base::starts_with(line, "Private_")) continue;
    auto number = base::trim(line.substr(line.find(':') + 1));
    total += base::parse_int(number.substr(0, number.find(' '))).value_or(0);
  }
  return total;
}

}  // namespace

TEST_CASE("pods per second") {
  if (geteuid() != 0) return;
  TemporaryFolder folder;
  std::string cgroup = concat("skiff-bench-", getpid());
  write_file(folder / "busybox.tar", make_busybox_archive("busybox:bench", ""));
  auto images = runtime::make_image_service({folder / "data", ""});
  REQUIRE(images.is_ok());
  auto image = (*images)->import(folder / "busybox.tar");
  REQUIRE(image.is_ok());
  runtime::RuntimeOptions options;
  options.data_dir = folder / "data";
  options.runtime_dir = folder / "run";
  options.cgroup_parent = cgroup;
  auto made = runtime::make_runtime(options, **images);
  REQUIRE(made.is_ok());
  auto& runtime = **made;
  REQUIRE(runtime.adopt().is_ok());
  std::atomic<int> failed{0};
  auto start_pod = [&](int i) {
    runtime::PodOptions pod;
    pod.uid = concat("p", i);
    pod.hostname = pod.uid;
    runtime::ContainerOptions container;
    container.id = concat("c", i);
    container.pod_uid = pod.uid;
    container.image_id = image->at(0).id;
    container.command = {"/bin/sleep", "1000"};
    container.log_path = folder / concat("c", i, ".log");
    if (!runtime.create_pod(pod).is_ok() || !runtime.create_container(container).is_ok() ||
        !runtime.start_container(container.id).is_ok())
      ++failed;
  };
  double ours = seconds_of(start_pod, 4);
  CHECK(failed == 0);
  std::int64_t memory = 0;
  for (int i = 0; i < kPods; ++i) memory += private_kb_of(runtime.pod(concat("p", i))->shim_pid);

  // runc alone: the same bundles under other names, without supervisor, log or records.
  auto start_raw = [&](int i) {
    std::string bundle = folder / concat("run/bundles/c", i);
    std::string raw = folder / concat("raw", i);
    auto spec = codec::parse_json(sys::read_file(bundle + "/config.json", 1u << 20).value_or(""));
    (*spec)["linux"].set("cgroupsPath", concat("/", cgroup, "/raw", i));
    (void)sys::make_folders(raw);
    write_file(raw + "/config.json", codec::write_json(*spec));
    sys::SpawnOptions create;
    create.argv = {"runc",     "--root", folder / "raw-state", "create",
                   "--bundle", raw,      concat("raw", i)};
    auto pid = sys::spawn_process(create);
    if (!pid.is_ok() || *sys::wait_process(*pid) != 0 ||
        run({"runc", "--root", folder / "raw-state", "start", concat("raw", i)}) != 0)
      ++failed;
  };
  double raw = seconds_of(start_raw, 4);
  CHECK(failed == 0);
  std::printf("%d pods: %.2f s (%.0f/s); runc alone: %.2f s (%.0f/s); supervisor %.0f KB private\n",
              kPods, ours, kPods / ours, raw, kPods / raw, static_cast<double>(memory) / kPods);
  for (int i = 0; i < kPods; ++i)
    run({"runc", "--root", folder / "raw-state", "delete", "--force", concat("raw", i)});
  for (int i = 0; i < kPods; ++i) CHECK(runtime.remove_pod(concat("p", i)).is_ok());
  auto cgroups = sys::make_cgroups();
  CHECK(sys::kill_cgroup(*cgroups, cgroup, 5000).is_ok());
  CHECK(cgroups->remove(cgroup).is_ok());
}
