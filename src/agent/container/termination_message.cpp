#include "agent/container/termination_message.h"

#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>
#include <skiff/sys/files.h>

#include "agent/limits.h"
#include "agent/pod/pod_worker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace skiff::agent {

namespace {

// The last bytes of a regular file; empty when it cannot be read.
std::string read_end(const std::string& path, std::size_t bytes_max) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  off_t offset = 0;
  if (info.st_size > static_cast<off_t>(bytes_max))
    offset = info.st_size - static_cast<off_t>(bytes_max);
  std::string out(bytes_max, '\0');
  std::size_t used = 0;
  while (used < bytes_max) {
    ssize_t got =
        pread(fd.get(), out.data() + used, bytes_max - used, offset + static_cast<off_t>(used));
    if (got <= 0) break;
    used += static_cast<std::size_t>(got);
  }
  out.resize(used);
  return out;
}

}  // namespace

std::string termination_file(const std::string& data_dir, std::string_view pod_uid,
                             std::string_view container, int attempt) {
  return base::concat(data_dir, "/pods/", pod_uid, "/containers/", container, "/", attempt);
}

std::string tail_of_log(std::string_view text) {
  std::vector<std::string_view> lines = base::split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::size_t first = lines.size() > kFallbackLogLinesMax ? lines.size() - kFallbackLogLinesMax : 0;
  std::string out;
  for (std::size_t i = first; i < lines.size(); ++i) {
    // "<time> <stream> <tag> <message>"
    std::string_view line = lines[i];
    bool is_partial = false;
    for (int field = 0; field < 3; ++field) {
      auto space = line.find(' ');
      if (space == std::string_view::npos) {
        line = {};
        break;
      }
      if (field == 2) is_partial = line[0] == 'P';
      line.remove_prefix(space + 1);
    }
    out += line;
    if (!is_partial) out += '\n';
  }
  if (out.size() > kFallbackLogBytesMax) out.erase(0, out.size() - kFallbackLogBytesMax);
  return out;
}

std::string read_termination_message(const std::string& data_dir, const codec::Json& pod,
                                     const codec::Json& container,
                                     const runtime::ContainerStatus& status) {
  std::string uid(pod["metadata"]["uid"].as_string());
  std::string message = read_end(termination_file(data_dir, uid, status.name, status.attempt),
                                 kTerminationMessageBytesMax);
  if (!message.empty()) return message;
  bool failed = status.exit_code != 0;
  if (failed && container["terminationMessagePolicy"].as_string() == "FallbackToLogsOnError") {
    // Room for the fields before each message.
    constexpr std::size_t kHeadBytes = 64;
    std::string text = read_end(PodWorker::log_path(data_dir, pod, status.name, status.attempt),
                                kFallbackLogBytesMax + kFallbackLogLinesMax * kHeadBytes);
    message = tail_of_log(text);
    if (!message.empty()) return message;
  }
  return status.message;
}

}  // namespace skiff::agent
