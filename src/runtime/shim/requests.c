// What skiff asks for.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/shim/state.h"

static struct shim_builder answer;  // one at a time
static unsigned char request_bytes[SHIM_MESSAGE_BYTES_MAX + 1];

struct request {
  struct shim_message message;
  int fds[SHIM_FDS_MAX];
  int fd_count;
};

static void send_answer(int fd, const int* fds, int fd_count) {
  struct iovec part = {answer.bytes, answer.length};
  char control[CMSG_SPACE(sizeof(int) * SHIM_FDS_MAX)];
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    struct cmsghdr* header;
    memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fd_count);
    header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fd_count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)fd_count);
  }
  // A client that does not read loses its answers, the shim never waits.
  sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void answer_ok(int fd, pid_t pid) {
  shim_begin(&answer, SHIM_OK);
  if (pid != 0) shim_add_number(&answer, SHIM_TAG_PID, (uint64_t)pid);
  send_answer(fd, NULL, 0);
}

static void answer_error(int fd, const char* text, int status) {
  shim_begin(&answer, SHIM_ERROR);
  shim_add(&answer, SHIM_TAG_TEXT, text, strlen(text));
  shim_add_number(&answer, SHIM_TAG_STATUS, (uint64_t)status);
  send_answer(fd, NULL, 0);
}

void notify_exit(const struct container* container) {
  int i;
  shim_begin(&answer, SHIM_EXITED);
  shim_add(&answer, SHIM_TAG_ID, container->id, strlen(container->id));
  for (i = 0; i < CONNECTIONS_MAX; ++i)
    if (connections[i].fd >= 0 && connections[i].watches) send_answer(connections[i].fd, NULL, 0);
}

static struct job* take_job(int connection) {
  int i;
  for (i = 0; i < JOBS_MAX; ++i)
    if (jobs[i].pid == 0) {
      jobs[i].connection = connection;
      jobs[i].connection_serial = connections[connection].serial;
      jobs[i].container = NULL;
      jobs[i].exit_fd = -1;
      return &jobs[i];
    }
  return NULL;
}

// Starts the OCI runtime with these as 0, 1 and 2 (-1: /dev/null).
static pid_t start_runtime(const struct shim_message* message, const int* stdio) {
  static char text[SHIM_MESSAGE_BYTES_MAX];
  char* args[SHIM_ARGS_MAX + 1];
  size_t i, used = 0;
  int count = 0, fd;
  pid_t pid;
  sigset_t none;
  for (i = 0; i < message->count; ++i) {
    const struct shim_field* field = &message->fields[i];
    if (field->tag != SHIM_TAG_ARG) continue;
    if (count == SHIM_ARGS_MAX || memchr(field->bytes, 0, field->length) != NULL) return -1;
    args[count++] = text + used;
    memcpy(text + used, field->bytes, field->length);
    used += field->length;
    text[used++] = 0;
  }
  args[count] = NULL;
  if (count == 0) return -1;
  pid = fork();
  if (pid != 0) return pid;
  for (fd = 0; fd < 3; ++fd) {
    int from = stdio[fd] >= 0 ? stdio[fd] : open("/dev/null", O_RDWR);
    if (dup2(from, fd) < 0) _exit(125);
  }
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  execvp(args[0], args);
  _exit(127);
}

static int make_pipe(int fds[2], int nonblocking_end) {
  if (pipe2(fds, O_CLOEXEC) != 0) return -1;
  if (nonblocking_end >= 0) fcntl(fds[nonblocking_end], F_SETFL, O_NONBLOCK);
  return 0;
}

// Pipes between the container and its slot; `theirs` are the container's ends.
static int make_stdio(struct container* container, int theirs[3]) {
  int pipe_fds[2], i;
  theirs[0] = theirs[1] = theirs[2] = -1;
  if (container->flags & SHIM_FLAG_TERMINAL) return 0;
  for (i = 0; i < 2; ++i) {
    if (make_pipe(pipe_fds, 0) != 0) return -1;
    container->streams[i].fd = pipe_fds[0];
    theirs[i + 1] = pipe_fds[1];
  }
  if (container->flags & SHIM_FLAG_STDIN) {
    if (make_pipe(pipe_fds, -1) != 0) return -1;
    theirs[0] = pipe_fds[0];
    container->stdin_fd = pipe_fds[1];
  }
  return 0;
}

static void create(int index, const struct request* request) {
  const struct shim_message* m = &request->message;
  char id[SHIM_ID_BYTES_MAX + 1];
  struct container* container;
  struct job* job = take_job(index);
  int theirs[3], fd = connections[index].fd, i, made;
  if (shim_text(m, SHIM_TAG_ID, id, sizeof id) != 0 || job == NULL ||
      shim_text(m, SHIM_TAG_PID_FILE, job->pid_file, sizeof job->pid_file) != 0)
    return answer_error(fd, job == NULL ? "too many runs of the runtime" : "bad request", 0);
  if (find_container(id) != NULL) return answer_error(fd, "container exists", 0);
  container = take_container(id);
  if (container == NULL) return answer_error(fd, "too many containers in the pod", 0);
  container->flags = (unsigned)shim_number(m, SHIM_TAG_FLAGS);
  container->log.bytes_max = shim_number(m, SHIM_TAG_LOG_BYTES);
  container->log.files_max = (unsigned)shim_number(m, SHIM_TAG_LOG_FILES);
  shim_text(m, SHIM_TAG_LOG_FILE, container->log.path, sizeof container->log.path);
  shim_text(m, SHIM_TAG_OOM_FILE, container->oom_file, sizeof container->oom_file);
  if (shim_text(m, SHIM_TAG_EXIT_FILE, container->exit_file, sizeof container->exit_file) != 0) {
    release_container(container);
    return answer_error(fd, "bad request", 0);
  }
  made = make_stdio(container, theirs);
  job->container = container;
  job->pid = made == 0 ? start_runtime(m, theirs) : -1;
  for (i = 0; i < 3; ++i) close_fd(&theirs[i]);
  if (job->pid <= 0) {
    job->pid = 0;
    release_container(container);
    answer_error(fd, "cannot start the runtime", 0);
  }
}

static void start_exec(int index, struct request* request) {
  const struct shim_message* m = &request->message;
  struct job* job = take_job(index);
  int fd = connections[index].fd, none[3] = {-1, -1, -1};
  if (job == NULL || (request->fd_count != 1 && request->fd_count != 4) ||
      shim_text(m, SHIM_TAG_PID_FILE, job->pid_file, sizeof job->pid_file) != 0)
    return answer_error(fd, job == NULL ? "too many runs of the runtime" : "bad request", 0);
  job->pid = start_runtime(m, request->fd_count == 4 ? request->fds + 1 : none);
  if (job->pid <= 0) {
    job->pid = 0;
    return answer_error(fd, "cannot start the runtime", 0);
  }
  job->exit_fd = request->fds[0];
  request->fds[0] = -1;  // kept
}

static pid_t read_pid(const char* path) {
  char text[16];
  ssize_t n;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  return (pid_t)atoi(text);
}

static void keep_exec(struct job* job, pid_t pid) {
  int i, wait_status;
  for (i = 0; i < EXECS_MAX && execs[i].pid != 0; ++i) continue;
  if (i == EXECS_MAX) {
    kill(pid, SIGKILL);
    close_fd(&job->exit_fd);
    return;
  }
  execs[i].pid = pid;
  execs[i].exit_fd = job->exit_fd;
  job->exit_fd = -1;
  if (take_reaped(pid, &wait_status)) finish_exec(&execs[i], wait_status);
}

void finish_job(struct job* job, int wait_status) {
  struct connection* asker = &connections[job->connection];
  int fd = asker->serial == job->connection_serial ? asker->fd : -1;
  pid_t pid = wait_status == 0 ? read_pid(job->pid_file) : 0;
  job->pid = 0;
  if (pid <= 0) {
    if (job->container != NULL) release_container(job->container);
    close_fd(&job->exit_fd);
    if (fd >= 0)
      answer_error(fd, "the runtime failed",
                   WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status));
    return;
  }
  if (job->container != NULL) {
    struct container* container = job->container;
    container->pid = pid;
    if (take_reaped(pid, &container->wait_status)) {
      container->exited = 1;
      shim_now(&container->ended_at);
      drain_streams(container);
      record_exit(container);
    }
  } else {
    keep_exec(job, pid);
  }
  if (fd >= 0) answer_ok(fd, pid);
}

static void set_console(int fd, struct container* container, struct request* request) {
  if (request->fd_count != 1 || container->terminal_fd >= 0)
    return answer_error(fd, "bad request", 0);
  container->terminal_fd = request->fds[0];
  request->fds[0] = -1;
  fcntl(container->terminal_fd, F_SETFL, O_NONBLOCK);
  container->streams[0].fd = fcntl(container->terminal_fd, F_DUPFD_CLOEXEC, 3);
  answer_ok(fd, 0);
}

static void attach(int fd, struct container* container) {
  struct attached* slot = NULL;
  int theirs[3] = {-1, -1, -1}, count = 0, pair[2], i;
  for (i = 0; i < ATTACHED_MAX; ++i)
    if (container->attached[i].fd[0] < 0 && container->attached[i].fd[1] < 0)
      slot = &container->attached[i];
  if (container->exited) return answer_error(fd, "container has ended", 0);
  if (slot == NULL) return answer_error(fd, "too many are attached", 0);
  slot->input_ended = 0;
  slot->input_at = slot->input_length = 0;
  shim_begin(&answer, SHIM_OK);
  if (container->flags & SHIM_FLAG_TERMINAL) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
      return answer_error(fd, "no descriptors left", 0);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    slot->fd[0] = pair[0];
    theirs[count++] = pair[1];
    shim_add_number(&answer, SHIM_TAG_FLAGS, SHIM_FLAG_TERMINAL);
  } else {
    for (i = 0; i < 2; ++i) {
      if (make_pipe(pair, 1) != 0) break;
      slot->fd[i] = pair[1];
      theirs[count++] = pair[0];
    }
    if (count == 2 && container->stdin_fd >= 0) {
      theirs[count++] = container->stdin_fd;
      shim_add_number(&answer, SHIM_TAG_FLAGS, SHIM_FLAG_STDIN);
    }
  }
  for (i = 0; i < 2; ++i) slot->sent[i] = container->streams[i].length;
  send_answer(fd, theirs, count);
  for (i = 0; i < count; ++i)
    if (theirs[i] != container->stdin_fd) close(theirs[i]);
  // From here on the end of that client's input is the end of the container's.
  if (count == 3 && (container->flags & SHIM_FLAG_STDIN_ONCE)) close_fd(&container->stdin_fd);
}

static void resize(int fd, struct container* container, const struct shim_message* m) {
  struct winsize size;
  memset(&size, 0, sizeof size);
  size.ws_col = (unsigned short)shim_number(m, SHIM_TAG_COLUMNS);
  size.ws_row = (unsigned short)shim_number(m, SHIM_TAG_ROWS);
  if (container->terminal_fd < 0 || ioctl(container->terminal_fd, TIOCSWINSZ, &size) != 0)
    return answer_error(fd, "container has no terminal", 0);
  answer_ok(fd, 0);
}

static void tell_status(int fd, const struct container* container) {
  shim_begin(&answer, SHIM_OK);
  shim_add_number(&answer, SHIM_TAG_PID, (uint64_t)container->pid);
  shim_add_number(&answer, SHIM_TAG_FLAGS,
                  container->flags | (container->recorded ? SHIM_FLAG_EXITED : 0));
  send_answer(fd, NULL, 0);
}

static void shut_down(int fd) {
  int i;
  for (i = 0; i < CONTAINERS_MAX; ++i) {
    if (containers[i].id[0] == 0) continue;
    if (containers[i].pid > 0 && !containers[i].exited) kill(containers[i].pid, SIGKILL);
    drain_streams(&containers[i]);
    end_streams(&containers[i]);
  }
  answer_ok(fd, 0);
  _exit(0);
}

static void handle_container(int index, struct request* request) {
  const struct shim_message* m = &request->message;
  int fd = connections[index].fd;
  char id[SHIM_ID_BYTES_MAX + 1];
  struct container* container = NULL;
  if (shim_text(m, SHIM_TAG_ID, id, sizeof id) == 0) container = find_container(id);
  if (container == NULL) return answer_error(fd, "no such container", ENOENT);
  switch (m->type) {
    case SHIM_CONSOLE: return set_console(fd, container, request);
    case SHIM_ATTACH: return attach(fd, container);
    case SHIM_RESIZE: return resize(fd, container, m);
    case SHIM_STATUS: return tell_status(fd, container);
    case SHIM_FORGET:
      if (container->pid == 0) return answer_error(fd, "container is being made", EBUSY);
      release_container(container);
      return answer_ok(fd, 0);
    default: return answer_error(fd, "unknown request", ENOSYS);
  }
}

static void handle_message(int index, struct request* request) {
  int fd = connections[index].fd;
  switch (request->message.type) {
    case SHIM_CREATE: return create(index, request);
    case SHIM_EXEC: return start_exec(index, request);
    case SHIM_SHUTDOWN: return shut_down(fd);
    case SHIM_WATCH: connections[index].watches = 1; return answer_ok(fd, getpid());
    default: return handle_container(index, request);
  }
}

static void take_descriptors(struct msghdr* header, struct request* request) {
  struct cmsghdr* part;
  for (part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
    int count, i;
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    count = (int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    for (i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + (size_t)i * sizeof fd, sizeof fd);
      if (request->fd_count < SHIM_FDS_MAX)
        request->fds[request->fd_count++] = fd;
      else
        close(fd);
    }
  }
}

void handle_request(int index) {
  struct request request;
  struct iovec part = {request_bytes, sizeof request_bytes};
  char control[CMSG_SPACE(sizeof(int) * SHIM_FDS_MAX)];
  struct msghdr header;
  ssize_t n;
  int i;
  memset(&header, 0, sizeof header);
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  n = recvmsg(connections[index].fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  request.fd_count = 0;
  if (n > 0) take_descriptors(&header, &request);
  if (n <= 0 || shim_parse(request_bytes, (size_t)n, &request.message) != 0)
    close_fd(&connections[index].fd);  // the end, or somebody who speaks something else
  else
    handle_message(index, &request);
  for (i = 0; i < request.fd_count; ++i) close_fd(&request.fds[i]);
}
