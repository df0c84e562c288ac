// Against the real kernel, in a network namespace of our own.
#include <skiff/base/async.h>
#include <skiff/net/address_watch.h>
#include <skiff/net/pod_network.h>

#include <sched.h>

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace skiff;
using namespace std::chrono_literals;

namespace {

void change(const char* command) { REQUIRE(std::system(command) == 0); }

struct Watch {
  std::unique_ptr<loop::Loop> loop = *loop::make_loop("test");
  base::CancelSource stop;
  int calls = 0;
  base::Status ended = base::unavailable("still watching");

  base::Task<void> count() {
    ++calls;
    co_return;
  }
  base::Task<void> run() {
    std::function<base::Task<void>()> on_change = [this] { return count(); };
    auto watching = net::watch_addresses(*loop, std::move(on_change), stop.token());
    ended = co_await std::move(watching);
    loop->stop();
  }
  // Runs the loop for a while, then cancels.
  void run_for(base::Duration duration) {
    base::spawn_detached(*loop, run());
    loop->start_timer(duration, [this] { stop.cancel(); });
    loop->run();
  }
};

}  // namespace

TEST_CASE("a burst of changed addresses is told once, and what is there already changes nothing",
          "[kernel]") {
  REQUIRE(unshare(CLONE_NEWNET) == 0);
  change("ip link set lo up");
  net::HostNetworkOptions host{"10.43.0.0/16", "127.0.0.1", "10.43.0.10"};
  REQUIRE(net::prepare_host(host).is_ok());
  Watch watch;
  watch.loop->start_timer(10ms, [] {
    change("ip address add 192.0.2.1/24 dev lo && ip address del 192.0.2.1/24 dev lo");
    change("ip address add 192.0.2.2/24 dev lo");
  });
  watch.loop->start_timer(700ms, [&] { REQUIRE(net::prepare_host(host).is_ok()); });
  watch.run_for(1500ms);
  CHECK(watch.ended.is_ok());
  CHECK(watch.calls == 1);
}
