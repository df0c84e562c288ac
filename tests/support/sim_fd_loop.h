// A SimLoop where a loop::Loop is asked for; no descriptors.
#pragma once

#include <skiff/loop/loop.h>

#include "support/sim_loop.h"

#include <memory>
#include <utility>

namespace skiff::test {

class SimFdLoop : public loop::Loop {
 public:
  explicit SimFdLoop(SimLoop& sim) : sim_(sim) {}
  void post(base::Job job) override { sim_.post(std::move(job)); }
  const base::Clock& clock() const override { return sim_; }
  base::TimerId start_timer(base::Duration delay, base::UniqueFunction<void()> callback) override {
    return sim_.start_timer(delay, std::move(callback));
  }
  void cancel_timer(base::TimerId id) override { sim_.cancel_timer(id); }
  void run() override {}
  void stop() override {}
  base::Result<std::unique_ptr<loop::FdWatch>> watch_fd(int, loop::Ready,
                                                        loop::FdCallback) override {
    return base::unavailable("no descriptors here");
  }
  bool is_current() const noexcept override { return true; }
  std::unique_ptr<loop::TurnHook> at_end_of_turn(base::UniqueFunction<void()> hook) override {
    return sim_.at_end_of_turn(std::move(hook));
  }

 protected:
  const SimLoop& sim() const { return sim_; }

 private:
  SimLoop& sim_;
};

}  // namespace skiff::test
