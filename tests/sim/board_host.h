// A board as a piece of hardware: what the processes on it leave behind. Containers and links are
// there until its power is lost, images and files until its storage is wiped.
#pragma once

#include <skiff/agent/host_facts.h>
#include <skiff/net/pod_network.h>

#include <map>
#include <memory>
#include <string>

#include "sim/run_log.h"
#include "support/fake_runtime.h"
#include "support/sim_network.h"

namespace skiff::sim {

// Loop-only.
class BoardHost {
 public:
  // `folder` is of this board alone.
  BoardHost(test::SimHost& host, base::Random& random, Wire& wire, std::string name,
            std::string folder);

  test::FakeRuntime& runtime() { return runtime_; }
  const test::FakeRuntime& runtime() const { return runtime_; }
  test::FakeImages& images() { return images_; }
  const RunLog& runs() const { return runs_; }
  std::string data_dir() const { return folder_ + "/data"; }
  std::string runtime_dir() const { return folder_ + "/run"; }
  // Addresses of pods that have a link, by uid.
  const std::map<std::string, std::string>& addresses() const { return addresses_; }
  // A process's view of the links. The host outlives it.
  std::unique_ptr<net::PodNetwork> open_network(const std::string& pod_cidr);
  static agent::HostFacts facts();

  // The share of calls that are refused: of the runtime, and for links.
  void set_calls_fail(double share) { calls_fail_ = share; }
  bool calls_fail() const { return calls_fail_ > 0; }
  // Calls and pulls work again.
  void heal();

  // From here on the running process can change nothing: whatever it still does is lost.
  void kill_process();
  // When all of it has gone.
  void bury_process();
  void lose_power();
  void wipe();

 private:
  class Network;
  test::Program program_of(const runtime::ContainerOptions& options);
  base::Status admit();

  base::Random& random_;
  const std::string folder_;
  test::FakeRuntime runtime_;
  test::FakeImages images_;
  std::map<std::string, std::string> addresses_;
  RunLog runs_;
  double calls_fail_ = 0;
  bool is_killed_ = false;
};

}  // namespace skiff::sim
