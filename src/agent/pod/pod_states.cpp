#include "agent/pod/pod_states.h"

#include <array>
#include <cstddef>

namespace skiff::agent {

namespace {

constexpr std::uint8_t bit(PodPhaseState state) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(state));
}

using S = PodPhaseState;
// Row: from. Bits: the states that may follow.
constexpr std::array<std::uint8_t, 7> kMoves = {
    /* waiting     */ std::uint8_t(bit(S::preparing) | bit(S::terminating)),
    /* preparing   */ std::uint8_t(bit(S::waiting) | bit(S::running) | bit(S::terminating)),
    /* running     */ std::uint8_t(bit(S::waiting) | bit(S::terminating)),
    /* terminating */ bit(S::cleaning),
    /* cleaning    */ bit(S::finished),
    /* finished    */ bit(S::gone),
    /* gone        */ 0,
};

}  // namespace

std::string_view pod_state_name(PodPhaseState state) {
  switch (state) {
    case S::waiting: return "waiting";
    case S::preparing: return "preparing";
    case S::running: return "running";
    case S::terminating: return "terminating";
    case S::cleaning: return "cleaning";
    case S::finished: return "finished";
    case S::gone: return "gone";
  }
  return "";
}

bool is_allowed_move(PodPhaseState from, PodPhaseState to) {
  return (kMoves[static_cast<std::size_t>(from)] & bit(to)) != 0;
}

}  // namespace skiff::agent
