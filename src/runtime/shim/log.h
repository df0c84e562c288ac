// A container's log in CRI format: "<time> stdout|stderr P|F <text>".
#ifndef SKIFF_RUNTIME_SHIM_LOG_H
#define SKIFF_RUNTIME_SHIM_LOG_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "runtime/shim/message.h"

// As containerd: longer lines are written in parts.
enum { SHIM_LINE_BYTES_MAX = 16384 };

struct shim_log {
  int fd;      // -1: opened at the next write
  int broken;  // the last write stopped inside a line
  uint64_t size;
  uint64_t bytes_max;
  unsigned files_max;
  char path[SHIM_PATH_BYTES_MAX + 1];
};

// Writes the whole lines of `text`; returns how many bytes they were. With `flush` what follows the
// last line break is a line too, as containerd has it; a full buffer without one is a part (P).
// What does not fit the disk is dropped.
size_t shim_log_write(struct shim_log* log, const char* stream, const char* text, size_t length,
                      int flush);

// The calendar time (shim.c).
void shim_now(struct timespec* now);

// "2026-01-02T03:04:05.000000006Z" and a final zero: 31 bytes.
void shim_format_time(int64_t seconds, long nanoseconds, char* out);

#endif
