// Every bound of admission in one place.
#pragma once

#include <skiff/base/clock.h>

namespace skiff::admission {

// A pod that comes right after its namespace waits for the namespace's default account.
inline constexpr int kAccountAttemptsMax = 10;
inline constexpr base::Duration kAccountRetryInterval = std::chrono::milliseconds(100);

inline constexpr long kTokenSeconds = 3607;  // rotated after an hour
inline constexpr long kTolerationSeconds = 300;
inline constexpr long kSystemNodeCritical = 2'000'001'000;
inline constexpr long kSystemClusterCritical = 2'000'000'000;

}  // namespace skiff::admission
