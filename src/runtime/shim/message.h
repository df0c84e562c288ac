// Messages between skiff and a shim, over a SOCK_SEQPACKET unix socket; one datagram each. C and
// C++ read the same definitions.
//
// A message is a header and fields (tag, length, bytes). Unknown tags are skipped and tags are
// never used again for something else, so that an old shim works with a newer skiff. Numbers are
// eight bytes in the machine's order: both ends are on one machine.
#ifndef SKIFF_RUNTIME_SHIM_MESSAGE_H
#define SKIFF_RUNTIME_SHIM_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SHIM_MAGIC = 0x48534b53, SHIM_VERSION = 1 };

enum shim_limit {
  SHIM_MESSAGE_BYTES_MAX = 16384,
  SHIM_FIELDS_MAX = 64,
  SHIM_ARGS_MAX = 32,
  SHIM_FDS_MAX = 4,
  SHIM_ID_BYTES_MAX = 64,
  SHIM_PATH_BYTES_MAX = 1023
};

enum shim_type {
  // id, args, pid file, exit file, log, flags, oom file -> ok with pid
  SHIM_CREATE = 1,
  // args, pid file; descriptors: exit, and stdin, stdout, stderr unless terminal -> ok with pid
  SHIM_EXEC = 2,
  SHIM_CONSOLE = 3,  // id; descriptor: the terminal's master
  // id -> ok with descriptors: terminal: one socket; else stdout, stderr, and stdin if flagged
  SHIM_ATTACH = 4,
  SHIM_RESIZE = 5,    // id, columns, rows
  SHIM_STATUS = 6,    // id -> ok with pid, exited
  SHIM_FORGET = 7,    // id
  SHIM_SHUTDOWN = 8,  // kills what runs, ends
  SHIM_WATCH = 9,     // from now on this connection gets SHIM_EXITED
  SHIM_OK = 100,
  SHIM_ERROR = 101,  // text; status when the OCI runtime failed
  SHIM_EXITED = 102  // id; the exit file is on disk
};

enum shim_tag {
  SHIM_TAG_ID = 1,
  SHIM_TAG_ARG = 2,
  SHIM_TAG_PID_FILE = 3,
  SHIM_TAG_EXIT_FILE = 4,
  SHIM_TAG_LOG_FILE = 5,
  SHIM_TAG_LOG_BYTES = 6,
  SHIM_TAG_LOG_FILES = 7,
  SHIM_TAG_FLAGS = 8,
  SHIM_TAG_OOM_FILE = 9,
  SHIM_TAG_PID = 10,
  SHIM_TAG_STATUS = 11,
  SHIM_TAG_COLUMNS = 12,
  SHIM_TAG_ROWS = 13,
  SHIM_TAG_TEXT = 14
};

enum shim_flag {
  SHIM_FLAG_TERMINAL = 1,
  SHIM_FLAG_STDIN = 2,
  SHIM_FLAG_STDIN_ONCE = 4,
  SHIM_FLAG_EXITED = 8
};

struct shim_header {
  uint32_t magic;
  uint16_t version, type;
};

struct shim_field {
  uint16_t tag, length;
  const unsigned char* bytes;
};

// Points into the parsed buffer.
struct shim_message {
  uint16_t version, type;
  size_t count;
  struct shim_field fields[SHIM_FIELDS_MAX];
};

struct shim_builder {
  size_t length;
  int overflow;
  unsigned char bytes[SHIM_MESSAGE_BYTES_MAX];
};

// 0, or -1 when the bytes are no message.
static inline int shim_parse(const unsigned char* bytes, size_t length, struct shim_message* out) {
  struct shim_header header;
  size_t at = sizeof header;
  if (length < sizeof header || length > SHIM_MESSAGE_BYTES_MAX) return -1;
  memcpy(&header, bytes, sizeof header);
  if (header.magic != SHIM_MAGIC || header.version == 0) return -1;
  out->version = header.version;
  out->type = header.type;
  out->count = 0;
  while (at < length) {
    struct shim_field field;
    if (length - at < 4 || out->count == SHIM_FIELDS_MAX) return -1;
    memcpy(&field.tag, bytes + at, 2);
    memcpy(&field.length, bytes + at + 2, 2);
    at += 4;
    if (length - at < field.length) return -1;
    field.bytes = bytes + at;
    at += field.length;
    out->fields[out->count++] = field;
  }
  return 0;
}

static inline const struct shim_field* shim_find(const struct shim_message* message, uint16_t tag) {
  size_t i;
  for (i = 0; i < message->count; ++i)
    if (message->fields[i].tag == tag) return &message->fields[i];
  return 0;
}

static inline uint64_t shim_number(const struct shim_message* message, uint16_t tag) {
  const struct shim_field* field = shim_find(message, tag);
  uint64_t value = 0;
  if (field != 0 && field->length == sizeof value) memcpy(&value, field->bytes, sizeof value);
  return value;
}

// Copies the text with a final zero. -1 when it is absent, too long or holds a zero.
static inline int shim_text(const struct shim_message* message, uint16_t tag, char* out,
                            size_t size) {
  const struct shim_field* field = shim_find(message, tag);
  if (field == 0 || field->length == 0 || field->length >= size) return -1;
  if (memchr(field->bytes, 0, field->length) != 0) return -1;
  memcpy(out, field->bytes, field->length);
  out[field->length] = 0;
  return 0;
}

static inline void shim_begin(struct shim_builder* builder, uint16_t type) {
  struct shim_header header;
  header.magic = SHIM_MAGIC;
  header.version = SHIM_VERSION;
  header.type = type;
  memcpy(builder->bytes, &header, sizeof header);
  builder->length = sizeof header;
  builder->overflow = 0;
}

static inline void shim_add(struct shim_builder* builder, uint16_t tag, const void* bytes,
                            size_t length) {
  uint16_t short_length = (uint16_t)length;
  if (length > 0xffff || SHIM_MESSAGE_BYTES_MAX - builder->length < length + 4) {
    builder->overflow = 1;
    return;
  }
  memcpy(builder->bytes + builder->length, &tag, 2);
  memcpy(builder->bytes + builder->length + 2, &short_length, 2);
  memcpy(builder->bytes + builder->length + 4, bytes, length);
  builder->length += length + 4;
}

static inline void shim_add_number(struct shim_builder* builder, uint16_t tag, uint64_t value) {
  shim_add(builder, tag, &value, sizeof value);
}

#endif
