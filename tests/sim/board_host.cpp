#include "sim/board_host.h"

#include <skiff/base/strings.h>

#include <filesystem>
#include <set>

namespace skiff::sim {

namespace files = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr base::Duration kStopsWithin = 2s;
constexpr std::uint64_t kIgnoresTermOneIn = 10;
constexpr int kImages = 5;
// Of the image that the rollout without faults changes to.
constexpr const char kLastImage[] = "image:77";

void remove_all(const std::string& path) {
  std::error_code ignored;
  files::remove_all(path, ignored);
}

}  // namespace

class BoardHost::Network final : public net::PodNetwork {
 public:
  Network(BoardHost& host, const std::string& pod_cidr)
      : host_(host), prefix_(pod_cidr.substr(0, pod_cidr.rfind('.') + 1)) {}

  base::Result<net::PodAddress> attach(const std::string& pod_uid, const std::string&) override {
    SKIFF_RETURN_IF_ERROR(host_.admit());
    auto [found, is_new] = host_.addresses_.try_emplace(pod_uid);
    if (is_new) found->second = free_address();
    return net::PodAddress{found->second, "veth"};
  }
  base::Status detach(const std::string& pod_uid) override {
    SKIFF_RETURN_IF_ERROR(host_.admit());
    host_.addresses_.erase(pod_uid);
    return {};
  }
  std::vector<std::pair<std::string, net::PodAddress>> attached() override {
    std::vector<std::pair<std::string, net::PodAddress>> all;
    for (const auto& [uid, address] : host_.addresses_)
      all.emplace_back(uid, net::PodAddress{address, "veth"});
    return all;
  }

 private:
  std::string free_address() const {
    std::set<std::string> taken;
    for (const auto& entry : host_.addresses_) taken.insert(entry.second);
    for (int last = 2;; ++last) {
      std::string address = base::concat(prefix_, last);
      if (taken.count(address) == 0) return address;
    }
  }

  BoardHost& host_;
  const std::string prefix_;  // "10.42.0."
};

BoardHost::BoardHost(test::SimHost& host, base::Random& random, Wire& wire, std::string name,
                     std::string folder)
    : random_(random), folder_(std::move(folder)), runtime_(host), runs_(wire, std::move(name)) {
  runtime_.program = [this](const auto& options) { return program_of(options); };
  runtime_.seen = [this](auto moment, const auto& container) { runs_.note(moment, container); };
  runtime_.fault = [this](std::string_view call, const std::string&) {
    return call == "adopt" ? base::Status() : admit();
  };
  for (int i = 0; i < kImages; ++i) images_.add(base::concat("image:", i));
  images_.add(kLastImage);
  images_.registry = std::exchange(images_.images, {});
}

base::Status BoardHost::admit() {
  if (is_killed_) return base::unavailable("the process has been killed");
  if (happens(random_, calls_fail_)) return base::unavailable("no memory for another process");
  return {};
}

void BoardHost::heal() {
  calls_fail_ = 0;
  images_.pull_error = {};
}

test::Program BoardHost::program_of(const runtime::ContainerOptions& options) {
  test::Program program;
  program.stops_after = up_to(random_, kStopsWithin);
  program.ignores_term = random_.below(kIgnoresTermOneIn) == 0;
  // "<seconds> <exit codes, of one run after the other>": see workload.cpp.
  if (options.args.size() < 2) return program;
  program.runs_for = std::chrono::seconds(base::parse_int(options.args[0]).value_or(0));
  const std::size_t last = options.args.size() - 1;
  const auto& code = options.args[std::min(last, static_cast<std::size_t>(options.attempt) + 1)];
  program.exit_code = static_cast<int>(base::parse_int(code).value_or(0));
  return program;
}

std::unique_ptr<net::PodNetwork> BoardHost::open_network(const std::string& pod_cidr) {
  return std::make_unique<Network>(*this, pod_cidr);
}

agent::HostFacts BoardHost::facts() {
  agent::HostFacts facts;
  facts.cpus = 4;
  facts.memory_bytes = facts.memory_available_bytes = facts.memory_free_bytes = 8ll << 30;
  facts.disk_bytes = facts.disk_available_bytes = 32ll << 30;
  facts.inodes = facts.inodes_available = 1 << 20;
  facts.pids_max = 1 << 15;
  facts.architecture = "arm64";
  facts.os_image = "Linux";
  return facts;
}

// Its files go to where nobody looks.
void BoardHost::kill_process() {
  is_killed_ = true;
  runtime_.set_exit_callback(nullptr);
  std::error_code ignored;
  files::rename(folder_, folder_ + ".kept", ignored);
}

void BoardHost::bury_process() {
  remove_all(folder_);
  std::error_code ignored;
  files::rename(folder_ + ".kept", folder_, ignored);
  is_killed_ = false;
}

void BoardHost::lose_power() {
  runtime_.lose_power();
  addresses_.clear();
  remove_all(runtime_dir());
}

void BoardHost::wipe() {
  runtime_.wipe();
  runs_.forget();
  addresses_.clear();
  images_.images.clear();
  remove_all(folder_);
}

}  // namespace skiff::sim
