// kubectl logs: the file of one run, formatted; following it over rotations by inotify.
#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>
#include <skiff/loop/work_pool.h>

#include "agent/limits.h"
#include "agent/streams/local_channel.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace skiff::agent {

namespace {

// The log file of one run; used by one task at a time, on the work pool.
struct LogFile {
  std::string path;
  base::UniqueFd fd;
  ino_t inode = 0;
  off_t offset = 0;

  bool open_again() {
    base::UniqueFd fresh(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!fresh || fstat(fresh.get(), &info) != 0) return false;
    inode = info.st_ino;
    offset = 0;
    fd = std::move(fresh);
    return true;
  }
  // The next bytes; empty at the end of this file.
  std::string read_more() {
    std::string bytes(kStreamReadBytes, '\0');
    ssize_t got = pread(fd.get(), bytes.data(), bytes.size(), offset);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    offset += static_cast<off_t>(bytes.size());
    return bytes;
  }
  // Whether another file has taken the name.
  bool is_rotated() const {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 && info.st_ino != inode;
  }
  // Looks backwards for where the last lines begin.
  void seek_tail(std::int64_t lines) {
    struct stat info {};
    if (fstat(fd.get(), &info) != 0) return;
    off_t end = info.st_size;
    if (lines <= 0) {
      offset = end;
      return;
    }
    std::int64_t seen = 0;
    bool is_last_byte = true;
    std::string block(kStreamReadBytes, '\0');
    for (off_t at = end; at > 0;) {
      off_t from =
          at > static_cast<off_t>(block.size()) ? at - static_cast<off_t>(block.size()) : 0;
      ssize_t got = pread(fd.get(), block.data(), static_cast<std::size_t>(at - from), from);
      if (got <= 0) return;
      for (ssize_t i = got; i-- > 0;) {
        bool is_newline = block[static_cast<std::size_t>(i)] == '\n';
        if (is_newline && !is_last_byte && ++seen == lines) {
          offset = from + i + 1;
          return;
        }
        is_last_byte = false;
      }
      at = from;
    }
  }
};

void drain_inotify(int fd) {
  char buffer[4096];
  while (read(fd, buffer, sizeof(buffer)) > 0) {
  }
}

}  // namespace

base::Task<base::Status> LocalChannel::send_log(std::string path, std::string container_id,
                                                LogOptions options, SessionPtr session) {
  auto file = std::make_shared<LogFile>();
  file->path = path;
  base::Notifier changed;
  base::UniqueFd inotify;
  std::unique_ptr<loop::FdWatch> watch;
  bool follow = options.follow && context_.options.loop != nullptr;
  if (follow) {
    inotify = base::UniqueFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    std::string folder = path.substr(0, path.rfind('/'));
    if (!inotify || inotify_add_watch(inotify.get(), folder.c_str(),
                                      IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM) < 0)
      co_return base::errno_status(errno, "inotify");
    auto made = context_.options.loop->watch_fd(inotify.get(), loop::Ready::readable,
                                                [fd = inotify.get(), &changed](loop::Ready) {
                                                  drain_inotify(fd);
                                                  changed.notify();
                                                });
    if (!made) co_return made.status();
    watch = std::move(*made);
    followers_[&changed] = 1;
  }
  auto tail = options.tail_lines;
  auto begin = [file, tail] {
    bool opened = file->open_again();
    if (opened && tail) file->seek_tail(*tail);
    return opened;
  };
  bool opened = co_await loop::run_blocking(*context_.options.work, std::move(begin));
  LogFormatter formatter(options);
  base::CancelToken cancel = session->cancel.token();
  bool go_on = true, is_last_look = !follow;
  while (go_on && !cancel.is_cancelled()) {
    std::string bytes;
    if (opened) {
      auto read_more = [file] { return file->read_more(); };
      bytes = co_await loop::run_blocking(*context_.options.work, std::move(read_more));
    }
    if (!bytes.empty()) {
      std::string out;
      go_on = formatter.add(bytes, out);
      if (!out.empty()) {
        auto sent = co_await session->send(1, std::move(out));
        if (!sent.is_ok()) break;
      }
      continue;
    }
    auto next_file = [file, opened] {
      return opened ? file->is_rotated() && file->open_again() : file->open_again();
    };
    bool has_next = follow && co_await loop::run_blocking(*context_.options.work, next_file);
    if (has_next) {
      opened = true;
      formatter.start_file();
      continue;
    }
    if (is_last_look) break;
    bool is_running = co_await is_container_running(container_id);
    if (!is_running) {
      // What it wrote just before its end is read once more.
      is_last_look = true;
      continue;
    }
    bool notified = co_await changed.wait(cancel);
    if (!notified) break;
  }
  if (follow) followers_.erase(&changed);
  co_return base::Status();
}

base::Task<void> LocalChannel::serve_logs(PodWorker* worker, std::shared_ptr<Opening> opening) {
  const auto& request = opening->request;
  auto options = plan_log_options(request.options, context_.now());
  if (!options) {
    opening->opened.set(options.status());
    co_return;
  }
  const auto& record = worker->record();
  auto attempt = plan_log_attempt(record.pod, request.container, options->previous);
  if (!attempt) {
    opening->opened.set(attempt.status());
    co_return;
  }
  std::string path =
      PodWorker::log_path(context_.options.data_dir, record.pod, request.container, *attempt);
  std::string container_id;
  for (const auto& container : record.containers)
    if (container.name == request.container && container.is_running() &&
        container.restart_count == *attempt)
      container_id = container.current->status.id;
  opening->opened.set(base::Status());
  auto task = send_log(path, container_id, *options, opening->session);
  base::Status status = co_await std::move(task);
  if (!status.is_ok())
    co_await opening->session->send(
        1, base::concat("failed to follow the log: ", status.message(), "\n"));
}

}  // namespace skiff::agent
