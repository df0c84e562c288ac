// Streams that users open to boards, as logs and exec are: what comes back is what went out, or an
// error, and never nothing at all.
#pragma once

#include <skiff/base/random.h>
#include <skiff/client/node_channel.h>

#include <memory>
#include <string>
#include <string_view>

#include "support/sim_loop.h"

namespace skiff::sim {

// Loop-only.
class SimStreams {
 public:
  SimStreams(test::SimLoop& loop, base::Random& random) : loop_(loop), random_(random) {}

  // Sends some random bytes to the board and compares the echo.
  void open(client::NodeChannel& channel, std::string node);
  // Opens one that is written to without end, leaves it unread for some seconds, and drops it.
  void flood(client::NodeChannel& channel, std::string node);
  std::size_t running() const { return running_; }
  std::uint64_t whole() const { return whole_; }
  std::uint64_t broken() const { return broken_; }
  // The first stream that showed other bytes than were sent; else empty.
  const std::string& violation() const { return violation_; }

 private:
  base::Task<void> run(client::NodeChannel& channel, std::string node, std::string sent);
  base::Task<void> hold(client::NodeChannel& channel, std::string node, base::Duration time);
  base::Task<bool> compare(client::NodeStream& stream, std::string_view node,
                           std::string_view sent);
  void fail(std::string_view node, std::string_view what);

  test::SimLoop& loop_;
  base::Random& random_;
  std::size_t running_ = 0;
  std::uint64_t whole_ = 0, broken_ = 0;
  std::string violation_;
};

}  // namespace skiff::sim
