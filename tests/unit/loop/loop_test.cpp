#include <skiff/loop/connect.h>
#include <skiff/loop/loop.h>
#include <skiff/loop/signals.h>
#include <skiff/loop/work_pool.h>

#include <catch2/catch.hpp>

#include <netinet/in.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

using namespace skiff;

namespace {

base::Task<void> hop(loop::Loop& loop, base::Executor& pool, std::vector<bool>* on_loop) {
  on_loop->push_back(loop.is_current());
  auto blocking = [] { return 41; };
  int value = co_await loop::run_blocking(pool, blocking);
  on_loop->push_back(loop.is_current() && value == 41);
  bool slept = co_await base::sleep(loop, std::chrono::milliseconds(1), {});
  on_loop->push_back(loop.is_current() && slept);
  co_await base::switch_to(pool);
  on_loop->push_back(!loop.is_current());
  slept = co_await base::sleep(loop, std::chrono::milliseconds(1), {});
  on_loop->push_back(!loop.is_current() && slept);
  loop.stop();
}

// Connects to a port of this host and counts the turns that it takes.
base::Task<void> connect_here(loop::Loop& loop, sockaddr_in peer, int* error, const int* turns,
                              int* turns_taken) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_storage address{};
  memcpy(&address, &peer, sizeof peer);
  const int before = *turns;
  auto connecting = loop::connect_fd(loop, fd, address, sizeof peer, {});
  *error = co_await connecting;
  *turns_taken = *turns - before;
  close(fd);
  loop.stop();
}

}  // namespace

TEST_CASE("a peer on this host is connected, or refuses, within the turn") {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof peer;
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&peer), size) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&peer), &size) == 0);
  for (int expected : {ECONNREFUSED, 0}) {
    if (expected == 0) REQUIRE(listen(listener, 1) == 0);
    auto loop = loop::make_loop("test");
    REQUIRE(loop);
    int turns = 0, taken = -1, error = -1;
    auto hook = (*loop)->at_end_of_turn([&] { ++turns; });
    base::spawn_detached(**loop, connect_here(**loop, peer, &error, &turns, &taken));
    (*loop)->run();
    CHECK(error == expected);
    CHECK(taken == 0);
  }
  close(listener);
}

TEST_CASE("a coroutine resumes on the executor it suspended on") {
  auto loop = loop::make_loop("test");
  REQUIRE(loop);
  std::vector<bool> on_loop;
  {
    auto pool = loop::make_work_pool({.name = "pool", .threads_max = 2});
    REQUIRE(pool);
    base::spawn_detached(**loop, hop(**loop, **pool, &on_loop));
    (*loop)->run();
  }
  CHECK(on_loop == std::vector<bool>(5, true));
}

namespace {

// What a library keeps for a thread: goes with it, and takes its time.
struct KeptForThread {
  std::atomic<int>* gone = nullptr;
  ~KeptForThread() {
    if (gone == nullptr) return;
    for (int i = 0; i < 20000; ++i) std::this_thread::yield();
    ++*gone;
  }
};

}  // namespace

TEST_CASE("when a pool is gone, so is all that was kept for its threads") {
  constexpr int kThreads = 3;
  std::atomic<int> begun{0}, gone{0};
  {
    auto pool = loop::make_work_pool({.name = "pool", .threads_max = kThreads});
    REQUIRE(pool);
    for (int i = 0; i < kThreads; ++i) {
      (*pool)->post([&] {
        static thread_local KeptForThread kept;
        kept.gone = &gone;
        ++begun;
        while (begun < kThreads) std::this_thread::yield();
      });
    }
  }
  CHECK(gone == kThreads);
}

TEST_CASE("a descriptor is watched until its watch goes, even inside its callback") {
  auto loop = loop::make_loop("test");
  REQUIRE(loop);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  int calls = 0;
  std::unique_ptr<loop::FdWatch> watch;
  auto made = (*loop)->watch_fd(ends[0], loop::Ready::readable, [&](loop::Ready ready) {
    CHECK(loop::is_readable(ready));
    ++calls;
    watch.reset();
    (*loop)->start_timer(std::chrono::milliseconds(5), [&] { (*loop)->stop(); });
  });
  REQUIRE(made);
  watch = std::move(*made);
  REQUIRE(write(ends[1], "x", 1) == 1);
  (*loop)->run();
  CHECK(calls == 1);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("timers fire in order, and a cancelled one does not") {
  auto loop = loop::make_loop("test");
  REQUIRE(loop);
  std::string order;
  (*loop)->start_timer(std::chrono::milliseconds(4), [&] { (order += "c"), (*loop)->stop(); });
  auto cancelled = (*loop)->start_timer(std::chrono::milliseconds(2), [&] { order += "x"; });
  (*loop)->start_timer(std::chrono::milliseconds(3), [&] { order += "b"; });
  (*loop)->start_timer(std::chrono::milliseconds(1), [&] {
    order += "a";
    (*loop)->cancel_timer(cancelled);
  });
  (*loop)->run();
  CHECK(order == "abc");
}

TEST_CASE("what a descriptor or a timer posts runs before the turn ends") {
  auto loop = loop::make_loop("test");
  REQUIRE(loop);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::string order;
  auto hook = (*loop)->at_end_of_turn([&] { order += '|'; });
  auto watch = (*loop)->watch_fd(ends[0], loop::Ready::readable, [&](loop::Ready) {
    char byte = 0;
    CHECK(read(ends[0], &byte, 1) == 1);
    order += 'd';
    (*loop)->post([&] { order += 'j'; });
    (*loop)->start_timer(std::chrono::milliseconds(1), [&] {
      order += 't';
      (*loop)->post([&] {
        order += 'k';
        (*loop)->post([&] { (order += 'l'), (*loop)->stop(); });
      });
    });
  });
  REQUIRE(watch);
  (*loop)->post([&] { CHECK(write(ends[1], "x", 1) == 1); });
  (*loop)->run();
  CHECK(order.find("dj|") != std::string::npos);
  CHECK(order.find("tk|l") != std::string::npos);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("threads that post and start timers while the loop falls asleep always wake it") {
  auto loop = loop::make_loop("test");
  REQUIRE(loop);
  constexpr int kRounds = 2000;
  std::atomic<int> jobs = 0, timers = 0;
  auto done = [&] {
    if (jobs == 2 * kRounds && timers == 2 * kRounds) (*loop)->stop();
  };
  auto work = [&] {
    for (int i = 0; i < kRounds; ++i) {
      int before = jobs;
      (*loop)->post([&] { ++jobs, done(); });
      while (jobs == before) std::this_thread::yield();
      before = timers;
      (*loop)->start_timer(std::chrono::microseconds(i % 3), [&] { ++timers, done(); });
      while (timers == before) std::this_thread::yield();
    }
  };
  std::thread first(work), second(work);
  (*loop)->run();
  first.join();
  second.join();
  CHECK(timers == 2 * kRounds);
}

TEST_CASE("jobs from other threads run in the order of posting") {
  auto loop = loop::make_loop("test");
  REQUIRE(loop);
  std::vector<int> seen;
  std::thread poster([&] {
    for (int i = 0; i < 1000; ++i) (*loop)->post([&seen, i] { seen.push_back(i); });
    (*loop)->post([&] { (*loop)->stop(); });
  });
  (*loop)->run();
  poster.join();
  REQUIRE(seen.size() == 1000);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("a signal reaches its callback") {
  auto loop = loop::make_loop("test");
  REQUIRE(loop);
  auto watch = loop::watch_signal(**loop, SIGUSR1, [&] { (*loop)->stop(); });
  REQUIRE(watch);
  (*loop)->post([] { raise(SIGUSR1); });
  (*loop)->run();
}

TEST_CASE("end-of-turn hooks run once per turn until they are let go") {
  auto loop = loop::make_loop("test");
  REQUIRE(loop);
  std::string order;
  std::unique_ptr<loop::TurnHook> first, second;
  first = (*loop)->at_end_of_turn([&] {
    order += "a";
    first.reset();
  });
  second = (*loop)->at_end_of_turn([&] { order += "b"; });
  (*loop)->post([&] { order += "1"; });
  (*loop)->start_timer(std::chrono::milliseconds(2), [&] {
    order += "2";
    second.reset();
    (*loop)->post([&] { (*loop)->stop(); });
  });
  (*loop)->run();
  CHECK(order.substr(0, 3) == "1ab");
  CHECK(order.substr(order.find('2')) == "2");
  CHECK(std::count(order.begin(), order.end(), 'a') == 1);
}
