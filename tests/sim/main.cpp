// `sim [--seed N] [--seeds COUNT] [--ticks M]`: runs simulated clusters from seeds. A failure
// prints the commit and the seed, which repeat it.
#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>

#include "sim/board_checks.h"
#include "sim/scenarios.h"
#include "sim/workload.h"
#include "sim_commit.h"

using namespace skiff;
using namespace std::chrono_literals;

namespace {

struct Arguments {
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  int ticks = 60;
};

constexpr std::uint64_t kLongTickOneIn = 12;

struct Scenario {
  std::string_view name;
  std::string (*run)(sim::SimCluster& cluster);
};
constexpr Scenario kScenarios[] = {
    {"jumps of the clocks", &sim::check_clock_jumps},
    {"years", &sim::check_years},
    {"tokens", &sim::check_tokens},
    {"a second board", &sim::check_second_board},
    {"a silence", &sim::check_silence},
    {"a long outage", &sim::check_long_outage},
};

// One of them per seed.
std::string run_scenario(sim::SimCluster& cluster, std::uint64_t seed) {
  const Scenario& scenario = kScenarios[seed % std::size(kScenarios)];
  auto complaint = sim::wait_settled(cluster, 5min);
  if (complaint.empty()) complaint = scenario.run(cluster);
  return complaint.empty() ? complaint : base::concat("in ", scenario.name, ": ", complaint);
}

// Empty, or what went wrong.
std::string run_seed(std::uint64_t seed, int ticks) {
  sim::SimCluster cluster(seed, 3);
  base::Random& random = cluster.random();
  std::string complaint = sim::wait_settled(cluster, 5min);
  if (!complaint.empty()) return "at the start: " + complaint;
  for (int tick = 0; tick < ticks; ++tick) {
    if (random.below(2) == 0) sim::act(cluster);
    if (random.below(2) == 0) sim::disturb(cluster);
    // Now and then long enough for what waits for an answer to give up.
    const bool is_long = random.below(kLongTickOneIn) == 0;
    cluster.advance(sim::up_to(random, is_long ? base::Duration(90s) : base::Duration(3s)));
    complaint = sim::find_violation(cluster);
    if (!complaint.empty()) return base::concat("at tick ", tick, ": ", complaint);
  }
  cluster.heal();
  complaint = sim::wait_boards(cluster, 4min);
  if (!complaint.empty()) return "four minutes after the faults: " + complaint;
  complaint = sim::wait_settled(cluster, 20min);
  if (!complaint.empty()) return "after the faults: " + complaint;
  complaint = sim::find_open_door(cluster);
  if (!complaint.empty()) return "with the rights of a node: " + complaint;
  complaint = sim::check_healthy_rollout(cluster);
  if (!complaint.empty()) return "in a rollout without faults: " + complaint;
  complaint = run_scenario(cluster, seed);
  if (!complaint.empty()) return complaint;
  complaint = sim::check_streams(cluster);
  if (complaint.empty()) complaint = sim::find_violation(cluster);
  if (complaint.empty()) complaint = sim::find_leftover(cluster);
  if (complaint.empty()) complaint = cluster.store().check();
  if (!complaint.empty()) return "at the end: " + complaint;
  std::printf(
      "seed %llu: ok, %llu calls, %llu failed on the wire, %llu watch events, %zu revisions, "
      "%llu streams and %llu broken, digest %016llx\n",
      static_cast<unsigned long long>(seed), static_cast<unsigned long long>(cluster.wire().calls),
      static_cast<unsigned long long>(cluster.wire().lost),
      static_cast<unsigned long long>(cluster.wire().watched), cluster.store().published().size(),
      static_cast<unsigned long long>(cluster.streams().whole()),
      static_cast<unsigned long long>(cluster.streams().broken()),
      static_cast<unsigned long long>(cluster.store().digest()));
  return {};
}

// False for what is not understood.
bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; i += 2) {
    auto value = base::parse_int(i + 1 < argc ? argv[i + 1] : "");
    if (!value || *value < 0) return false;
    if (std::strcmp(argv[i], "--seed") == 0)
      arguments.seed = static_cast<std::uint64_t>(*value);
    else if (std::strcmp(argv[i], "--seeds") == 0)
      arguments.seeds = static_cast<std::uint64_t>(*value);
    else if (std::strcmp(argv[i], "--ticks") == 0)
      arguments.ticks = static_cast<int>(*value);
    else
      return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const char* level = std::getenv("SKIFF_SIM_LOG");
  base::set_log(level != nullptr ? base::LogLevel::debug : base::LogLevel::off,
                base::LogFormat::text);
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fprintf(stderr, "usage: sim [--seed N] [--seeds COUNT] [--ticks M]\n");
    return 2;
  }
  for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.seeds; ++seed) {
    std::string complaint = run_seed(seed, arguments.ticks);
    if (complaint.empty()) continue;
    std::printf("seed %llu FAILED (commit %s, --ticks %d): %s\n",
                static_cast<unsigned long long>(seed), SKIFF_COMMIT, arguments.ticks,
                complaint.c_str());
    return 1;
  }
  return 0;
}
