// The life of a pod on this node.
//
//   waiting ──► preparing ──► running ──► terminating ──► cleaning ──► finished
//      ▲            │            │             ▲              ▲           │
//      │◄───────────┘            │             │              │           ▼
//      │  failed, undone         │             │              │         gone
//      │◄────────────────────────┘             │              │           ▲
//      │  sandbox lost                         │              └───────────┘ deleted (also of what
//      ├───────────────────────────────────────┤                            was never started)
//      └─ deletion or deadline ────────────────┘  (from preparing and running too)
//
//   waiting      nothing of the pod exists here; a retry may be due later
//   preparing    the steps of step_list run: sandbox, network, volumes
//   running      sandbox up; containers are started, watched and restarted
//   terminating  hooks and signals; nothing is started any more
//   cleaning     no container runs; sandbox, network and volumes are taken down
//   finished     only the log files and the final status remain, until the API deletes the pod
//   gone         nothing remains; the worker ends
#pragma once

#include <skiff/base/assert.h>

#include <cstdint>
#include <string_view>

namespace skiff::agent {

enum class PodPhaseState : unsigned char {
  waiting,
  preparing,
  running,
  terminating,
  cleaning,
  finished,
  gone,
};

std::string_view pod_state_name(PodPhaseState state);
bool is_allowed_move(PodPhaseState from, PodPhaseState to);

// Holds the state; a move that is not in the table ends the process. Loop-only.
class PodStateMachine {
 public:
  explicit PodStateMachine(PodPhaseState initial) : state_(initial) {}
  PodPhaseState state() const { return state_; }
  void move_to(PodPhaseState next) {
    SKIFF_ASSERT(is_allowed_move(state_, next));
    state_ = next;
  }

 private:
  PodPhaseState state_;
};

}  // namespace skiff::agent
