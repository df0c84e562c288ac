#include "runtime/shim/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { LINES_PER_WRITE = 64, TIME_LENGTH = 30, PREFIX_BYTES = 48 };

static void put_digits(char* out, int count, long value) {
  while (count-- > 0) {
    out[count] = (char)('0' + value % 10);
    value /= 10;
  }
}

// Days to date by Howard Hinnant's civil_from_days.
void shim_format_time(int64_t seconds, long nanoseconds, char* out) {
  int64_t days = seconds / 86400, rest = seconds % 86400;
  int64_t z = days + 719468, era = z / 146097, day_of_era = z % 146097;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month_index = (5 * day_of_year + 2) / 153;
  int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  memcpy(out, "0000-00-00T00:00:00.000000000Z", TIME_LENGTH + 1);
  put_digits(out, 4, (long)(year_of_era + era * 400 + (month <= 2)));
  put_digits(out + 5, 2, (long)month);
  put_digits(out + 8, 2, (long)(day_of_year - (153 * month_index + 2) / 5 + 1));
  put_digits(out + 11, 2, (long)(rest / 3600));
  put_digits(out + 14, 2, (long)(rest / 60 % 60));
  put_digits(out + 17, 2, (long)(rest % 60));
  put_digits(out + 20, 9, nanoseconds);
}

// "<path>.<n>"; the path is short enough for it.
static void numbered(const struct shim_log* log, unsigned n, char* out) {
  size_t length = strlen(log->path);
  char digits[12];
  int count = 0;
  memcpy(out, log->path, length);
  out[length++] = '.';
  do digits[count++] = (char)('0' + n % 10);
  while ((n /= 10) > 0);
  while (count > 0) out[length++] = digits[--count];
  out[length] = 0;
}

static void rotate(struct shim_log* log) {
  char from[SHIM_PATH_BYTES_MAX + 16], to[SHIM_PATH_BYTES_MAX + 16];
  unsigned n;
  if (log->files_max <= 1) {
    if (ftruncate(log->fd, 0) == 0) log->size = 0;
    return;
  }
  for (n = log->files_max - 1; n > 1; --n) {
    numbered(log, n - 1, from);
    numbered(log, n, to);
    rename(from, to);
  }
  numbered(log, 1, to);
  if (rename(log->path, to) != 0) return;
  close(log->fd);
  log->fd = -1;
}

static int open_log(struct shim_log* log) {
  struct stat info;
  log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (log->fd < 0) return -1;
  log->size = fstat(log->fd, &info) == 0 ? (uint64_t)info.st_size : 0;
  return 0;
}

static void write_parts(struct shim_log* log, struct iovec* parts, int count, size_t total) {
  ssize_t n;
  if (log->fd >= 0 && log->bytes_max > 0 && log->size > 0 && log->size + total > log->bytes_max)
    rotate(log);
  if (log->fd < 0 && open_log(log) != 0) return;
  if (log->broken && write(log->fd, "\n", 1) == 1) log->broken = 0;
  if (log->broken) return;
  do n = writev(log->fd, parts, count);
  while (n < 0 && errno == EINTR);
  if (n > 0) log->size += (uint64_t)n;
  if (n > 0 && (size_t)n < total) log->broken = 1;
}

size_t shim_log_write(struct shim_log* log, const char* stream, const char* text, size_t length,
                      int flush) {
  struct timespec now;
  struct iovec parts[LINES_PER_WRITE * 3];
  char prefix[2][PREFIX_BYTES];  // whole lines, and parts of one
  size_t prefix_length, at = 0, total = 0;
  int count = 0, kind;
  if (log->path[0] == 0) return length;
  shim_now(&now);
  for (kind = 0; kind < 2; ++kind) {
    shim_format_time(now.tv_sec, now.tv_nsec, prefix[kind]);
    prefix[kind][TIME_LENGTH] = ' ';
    memcpy(prefix[kind] + TIME_LENGTH + 1, stream, 6);
    memcpy(prefix[kind] + TIME_LENGTH + 7, kind == 0 ? " F " : " P ", 3);
  }
  prefix_length = TIME_LENGTH + 10;
  while (at < length) {
    const char* end = (const char*)memchr(text + at, '\n', length - at);
    size_t line = end != NULL ? (size_t)(end - text) - at : length - at;
    if (end == NULL && !flush && line < SHIM_LINE_BYTES_MAX) break;
    parts[count].iov_base = prefix[end == NULL];
    parts[count++].iov_len = prefix_length;
    parts[count].iov_base = (char*)text + at;
    parts[count++].iov_len = line;
    parts[count].iov_base = (char*)"\n";
    parts[count++].iov_len = 1;
    total += prefix_length + line + 1;
    at += line + (end != NULL);
    if (count == LINES_PER_WRITE * 3) {
      write_parts(log, parts, count, total);
      count = 0;
      total = 0;
    }
  }
  if (count > 0) write_parts(log, parts, count, total);
  return at;
}
