#include "agent/streams/cri_log.h"

#include <skiff/base/strings.h>

#include "agent/limits.h"

#include <algorithm>

namespace skiff::agent {

base::Result<LogOptions> plan_log_options(const codec::Json& json, base::WallTime now) {
  LogOptions options;
  options.follow = json["follow"].as_bool();
  options.previous = json["previous"].as_bool();
  options.timestamps = json["timestamps"].as_bool();
  options.stream = json["stream"].as_string();
  if (json["tailLines"].is_number()) options.tail_lines = json["tailLines"].as_int();
  if (json["limitBytes"].is_number()) options.limit_bytes = json["limitBytes"].as_int();
  if (json["sinceSeconds"].is_number())
    options.since = now - std::chrono::seconds(json["sinceSeconds"].as_int());
  if (!json["sinceTime"].empty()) {
    SKIFF_ASSIGN_OR_RETURN(auto time, base::parse_rfc3339(json["sinceTime"].as_string()));
    options.since = time;
  }
  return options;
}

bool LogFormatter::add_line(std::string_view line, std::string& out) {
  auto first = line.find(' ');
  auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  auto third = second == std::string_view::npos ? second : line.find(' ', second + 1);
  if (third == std::string_view::npos) return true;  // not ours: left out
  std::string_view time = line.substr(0, first);
  std::string_view stream = line.substr(first + 1, second - first - 1);
  if (stream != "stdout" && stream != "stderr") return true;
  bool is_partial = line.substr(second + 1, third - second - 1) == "P";
  if ((options_.stream == "Stdout" && stream != "stdout") ||
      (options_.stream == "Stderr" && stream != "stderr"))
    return true;
  if (options_.since) {
    auto parsed = base::parse_rfc3339(time);
    if (!parsed || *parsed < *options_.since) return true;
  }
  std::string text;
  if (options_.timestamps && is_line_start_) text = base::concat(time, " ");
  text += line.substr(third + 1);
  if (!is_partial) text += '\n';
  is_line_start_ = !is_partial;
  if (options_.limit_bytes) {
    std::int64_t room = *options_.limit_bytes - written_bytes_;
    if (static_cast<std::int64_t>(text.size()) >= room) {
      out.append(text, 0, static_cast<std::size_t>(std::max<std::int64_t>(room, 0)));
      written_bytes_ = *options_.limit_bytes;
      return false;
    }
  }
  written_bytes_ += static_cast<std::int64_t>(text.size());
  out += text;
  return true;
}

bool LogFormatter::add(std::string_view piece, std::string& out) {
  for (;;) {
    auto end = piece.find('\n');
    if (end == std::string_view::npos) {
      // A longer line than the shim writes is damage.
      if (unfinished_.size() + piece.size() <= kLogLineBytesMax) unfinished_ += piece;
      return true;
    }
    bool go_on = true;
    if (unfinished_.empty()) {
      go_on = add_line(piece.substr(0, end), out);
    } else {
      unfinished_ += piece.substr(0, end);
      std::string line;
      line.swap(unfinished_);
      go_on = add_line(line, out);
    }
    if (!go_on) return false;
    piece.remove_prefix(end + 1);
  }
}

std::size_t tail_offset(std::string_view text, std::int64_t lines) {
  if (lines <= 0) return text.size();
  std::size_t at = text.size();
  // The last byte ends the last line.
  if (at > 0 && text[at - 1] == '\n') --at;
  while (at > 0) {
    if (text[at - 1] == '\n' && --lines == 0) return at;
    --at;
  }
  return 0;
}

base::Result<int> plan_log_attempt(const codec::Json& pod, std::string_view container,
                                   bool previous) {
  std::string_view pod_name = pod["metadata"]["name"].as_string();
  auto say = [&](std::string_view start, std::string_view end) {
    return base::invalid_argument(
        base::concat(start, base::quote(container), " in pod ", base::quote(pod_name), end));
  };
  const codec::Json* status = nullptr;
  for (const char* list : {"initContainerStatuses", "containerStatuses"})
    for (const auto& item : pod["status"][list].items())
      if (item["name"].as_string() == container) status = &item;
  if (status == nullptr) return say("container ", " is not available");
  int count = static_cast<int>((*status)["restartCount"].as_int());
  const auto& state = (*status)["state"];
  const auto& last = (*status)["lastState"]["terminated"];
  bool has_last = !last.is_null() && !last["containerID"].empty();
  bool is_current = !state["running"].is_null() || !state["terminated"].is_null();
  if (previous) {
    if (!has_last) return say("previous terminated container ", " not found");
    // While it waits the last run is the one of `restartCount`.
    return is_current ? count - 1 : count;
  }
  if (is_current) return count;
  if (has_last) return count;
  std::string_view reason = state["waiting"]["reason"].as_string();
  if (reason == "ErrImagePull")
    return say("container ", " is waiting to start: image can't be pulled");
  if (reason == "ImagePullBackOff")
    return say("container ", " is waiting to start: trying and failing to pull image");
  if (!reason.empty()) return say("container ", base::concat(" is waiting to start: ", reason));
  return say("container ", " is waiting to start - no logs yet");
}

}  // namespace skiff::agent
