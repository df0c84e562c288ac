#include "agent/pod/plan_signal.h"

#include <skiff/base/strings.h>

#include <csignal>
#include <cstring>

namespace skiff::agent {

namespace {

// Names that sigabbrev_np() does not give, because another name of the number is the first.
constexpr std::pair<std::string_view, int> kOtherNames[] = {
    {"IOT", SIGIOT}, {"CLD", SIGCHLD}, {"IO", SIGIO}};

// Of "RTMIN+3" and "RTMAX-1"; 0 for what is none.
int real_time_signal(std::string_view name) {
  int number = 0;
  if (name == "RTMIN") number = SIGRTMIN;
  if (name == "RTMAX") number = SIGRTMAX;
  const bool from_first = base::starts_with(name, "RTMIN+");
  if (from_first || base::starts_with(name, "RTMAX-")) {
    auto offset = base::parse_int(name.substr(6));
    if (offset && *offset >= 0 && *offset <= SIGRTMAX - SIGRTMIN)
      number =
          from_first ? SIGRTMIN + static_cast<int>(*offset) : SIGRTMAX - static_cast<int>(*offset);
  }
  return number;
}

}  // namespace

int plan_signal(std::string_view text) {
  if (auto number = base::parse_int(text))
    return *number > 0 && *number <= SIGRTMAX ? static_cast<int>(*number) : SIGTERM;
  std::string name(text);
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (base::starts_with(name, "SIG")) name.erase(0, 3);
  if (int number = real_time_signal(name)) return number;
  for (int number = 1; number < SIGRTMIN; ++number) {
    const char* known = sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  for (const auto& [known, number] : kOtherNames)
    if (name == known) return number;
  return SIGTERM;
}

}  // namespace skiff::agent
