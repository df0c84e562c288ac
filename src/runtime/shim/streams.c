// From a container's output to its log and to who is attached.
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/shim/state.h"

void close_fd(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void close_attached(struct attached* attached) {
  close_fd(&attached->fd[0]);
  close_fd(&attached->fd[1]);
}

// While somebody attached has not taken the fresh bytes, no more are read.
int stream_is_blocked(const struct container* container, int which) {
  const struct stream* stream = &container->streams[which];
  int i;
  for (i = 0; i < ATTACHED_MAX; ++i)
    if (container->attached[i].fd[which] >= 0 &&
        container->attached[i].sent[which] < stream->length)
      return 1;
  return 0;
}

static void take_lines(struct container* container, struct stream* stream, int flush) {
  size_t used =
      shim_log_write(&container->log, stream->name, stream->buffer, stream->length, flush);
  int which = (int)(stream - container->streams), i;
  memmove(stream->buffer, stream->buffer + used, stream->length - used);
  stream->length -= used;
  stream->fresh = stream->length;
  for (i = 0; i < ATTACHED_MAX; ++i) container->attached[i].sent[which] = stream->length;
}

static void send_one(struct container* container, struct attached* attached, int which) {
  struct stream* stream = &container->streams[which];
  while (attached->fd[which] >= 0 && attached->sent[which] < stream->length) {
    ssize_t n = write(attached->fd[which], stream->buffer + attached->sent[which],
                      stream->length - attached->sent[which]);
    if (n > 0) attached->sent[which] += (size_t)n;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) close_fd(&attached->fd[which]);  // who was attached has gone
    if (n < 0) return;
  }
}

void send_attached(struct container* container) {
  int i, which;
  for (which = 0; which < 2; ++which) {
    struct stream* stream = &container->streams[which];
    for (i = 0; i < ATTACHED_MAX; ++i) send_one(container, &container->attached[i], which);
    if (stream->length > stream->fresh && !stream_is_blocked(container, which))
      take_lines(container, stream, 0);
  }
}

static void end_stream(struct container* container, int which) {
  struct stream* stream = &container->streams[which];
  int i;
  close_fd(&stream->fd);
  for (i = 0; i < ATTACHED_MAX; ++i) close_fd(&container->attached[i].fd[which]);
  take_lines(container, stream, 1);
  if (container->streams[0].fd < 0 && container->streams[1].fd < 0) close_fd(&container->log.fd);
}

void end_streams(struct container* container) {
  int which;
  for (which = 0; which < 2; ++which)
    if (container->streams[which].fd >= 0) end_stream(container, which);
}

void read_stream(struct container* container, int which) {
  struct stream* stream = &container->streams[which];
  ssize_t n;
  if (stream->fd < 0 || stream_is_blocked(container, which)) return;
  n = read(stream->fd, stream->buffer + stream->length, sizeof stream->buffer - stream->length);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {  // EIO is how a terminal ends
    end_stream(container, which);
    return;
  }
  stream->length += (size_t)n;
  send_attached(container);
}

// Takes what the pipes hold when the process has ended.
void drain_streams(struct container* container) {
  int which, reads;
  for (which = 0; which < 2; ++which)
    for (reads = 0; reads < DRAIN_READS_MAX; ++reads) {
      struct pollfd ready = {container->streams[which].fd, POLLIN, 0};
      if (ready.fd < 0 || stream_is_blocked(container, which)) break;
      if (poll(&ready, 1, 0) <= 0) break;
      read_stream(container, which);
    }
}

void check_attached(struct attached* attached) {
  int which;
  for (which = 0; which < 2; ++which) {
    struct pollfd state = {attached->fd[which], 0, 0};
    if (state.fd >= 0 && poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)))
      close_fd(&attached->fd[which]);
  }
}

static void write_terminal(struct container* container, struct attached* attached) {
  while (attached->input_at < attached->input_length) {
    ssize_t n = write(container->terminal_fd, attached->input + attached->input_at,
                      attached->input_length - attached->input_at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) break;
    attached->input_at += (size_t)n;
  }
  attached->input_at = attached->input_length = 0;
}

void read_terminal_input(struct container* container, struct attached* attached) {
  ssize_t n;
  write_terminal(container, attached);
  if (attached->input_length > 0) return;
  n = read(attached->fd[0], attached->input, sizeof attached->input);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {  // the input has ended; the output goes on
    attached->input_ended = 1;
    return;
  }
  attached->input_length = (size_t)n;
  write_terminal(container, attached);
}
