// What a shim holds; all of it static, so that its memory never grows.
#ifndef SKIFF_RUNTIME_SHIM_STATE_H
#define SKIFF_RUNTIME_SHIM_STATE_H

#include <poll.h>
#include <sys/types.h>

#include "runtime/shim/log.h"
#include "runtime/shim/message.h"

enum {
  CONTAINERS_MAX = 32,
  ATTACHED_MAX = 4,  // per container
  EXECS_MAX = 64,
  CONNECTIONS_MAX = 16,
  JOBS_MAX = 32,
  REAPED_MAX = 64,
  DRAIN_READS_MAX = 1024,
  TERMINAL_INPUT_BYTES = 1024
};

struct stream {
  int fd;
  const char* name;  // "stdout" or "stderr"
  size_t length;     // bytes in `buffer`; those before `fresh` have been seen by who is attached
  size_t fresh;
  char buffer[SHIM_LINE_BYTES_MAX];
};

// The other ends are skiff's. `sent` counts bytes of the stream's buffer.
struct attached {
  int fd[2];  // stdout, stderr; with a terminal fd[0] is a socket and carries input too
  size_t sent[2];
  int input_ended;
  size_t input_at, input_length;  // read from a terminal's client, not yet taken by the terminal
  char input[TERMINAL_INPUT_BYTES];
};

struct container {
  char id[SHIM_ID_BYTES_MAX + 1];  // empty: the slot is free
  pid_t pid;                       // 0 until the OCI runtime has made it
  unsigned flags;
  int exited, recorded;
  int wait_status;
  struct timespec ended_at;
  int stdin_fd, terminal_fd;
  char exit_file[SHIM_PATH_BYTES_MAX + 1];
  char oom_file[SHIM_PATH_BYTES_MAX + 1];
  struct shim_log log;
  struct attached attached[ATTACHED_MAX];
  struct stream streams[2];
};

struct exec_process {
  pid_t pid;
  int exit_fd;
};

// A run of the OCI runtime.
struct job {
  pid_t pid;  // 0: free
  int connection;
  unsigned connection_serial;
  struct container* container;  // NULL for exec
  int exit_fd;
  char pid_file[SHIM_PATH_BYTES_MAX + 1];
};

struct connection {
  int fd;
  unsigned serial;
  int watches;
};

extern struct container containers[CONTAINERS_MAX];
extern struct connection connections[CONNECTIONS_MAX];
extern struct job jobs[JOBS_MAX];
extern struct exec_process execs[EXECS_MAX];

struct container* find_container(const char* id);
struct container* take_container(const char* id);
void release_container(struct container* container);
void close_fd(int* fd);

// streams.c
void read_stream(struct container* container, int which);
int stream_is_blocked(const struct container* container, int which);
void drain_streams(struct container* container);
void send_attached(struct container* container);
void read_terminal_input(struct container* container, struct attached* attached);
void close_attached(struct attached* attached);
// Lets go of who has gone away.
void check_attached(struct attached* attached);
void end_streams(struct container* container);

// requests.c
void handle_request(int index);
void finish_job(struct job* job, int wait_status);
void notify_exit(const struct container* container);

// exits.c
void reap_children(void);
void record_exit(struct container* container);
// Whether the process had already been reaped; then its status.
int take_reaped(pid_t pid, int* wait_status);
void finish_exec(struct exec_process* process, int wait_status);

#endif
