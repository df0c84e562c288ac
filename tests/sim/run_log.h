// What has run on a board, and whether it should have.
#pragma once

#include <skiff/runtime/runtime.h>

#include <map>
#include <string>

#include "sim/sim_client.h"
#include "support/fake_runtime.h"

namespace skiff::sim {

// Puts what it finds into the violation of the wire. Loop-only.
class RunLog {
 public:
  RunLog(Wire& wire, std::string board) : wire_(wire), board_(std::move(board)) {}

  void note(test::FakeRuntime::Moment moment, const runtime::ContainerStatus& container);
  // The board has another disk: it knows of no run that was before.
  void forget() { runs_.clear(); }
  std::uint64_t starts() const { return starts_; }

 private:
  struct Run {
    int attempt = 0;
    bool has_ended = false;
    int exit_code = 0;
  };
  void note_start(const runtime::ContainerStatus& container);
  void note_kill(const runtime::ContainerStatus& container);
  void fail(const runtime::ContainerStatus& container, std::string_view what);

  Wire& wire_;
  const std::string board_;
  std::map<std::pair<std::string, std::string>, Run> runs_;  // the latest, by uid and name
  std::uint64_t starts_ = 0;
};

}  // namespace skiff::sim
