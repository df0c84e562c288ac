// The supervisor of one pod: it holds the pod's namespaces, is the parent of its containers, writes
// their logs and keeps their exit codes, whatever becomes of skiff.
//
//   skiff-shim FLAGS HOSTNAME [SYSCTL=VALUE...]      listening socket: 3, answer pipe: 4
//
// FLAGS: n, i, u: a network, IPC, UTS namespace of its own; p: hold a process namespace for the
// pod's containers. Writes "ok <pid> <pid of the process namespace's init or 0>\n" or an error.
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/shim/state.h"

enum { LISTEN_FD = 3, ANSWER_FD = 4, RETRY_MS = 1000 };
enum { POLLS_MAX = 2 + CONNECTIONS_MAX + CONTAINERS_MAX * (2 + 3 * ATTACHED_MAX) };

struct container containers[CONTAINERS_MAX];
struct connection connections[CONNECTIONS_MAX];
struct job jobs[JOBS_MAX];
struct exec_process execs[EXECS_MAX];

void shim_now(struct timespec* now) { clock_gettime(CLOCK_REALTIME, now); }

struct container* find_container(const char* id) {
  int i;
  for (i = 0; i < CONTAINERS_MAX; ++i)
    if (containers[i].id[0] != 0 && strcmp(containers[i].id, id) == 0) return &containers[i];
  return NULL;
}

struct container* take_container(const char* id) {
  int i, k;
  for (i = 0; i < CONTAINERS_MAX; ++i) {
    struct container* c = &containers[i];
    if (c->id[0] != 0) continue;
    memcpy(c->id, id, strlen(id) + 1);
    c->pid = 0;
    c->exited = c->recorded = c->wait_status = 0;
    c->stdin_fd = c->terminal_fd = c->log.fd = -1;
    c->log.broken = 0;
    c->exit_file[0] = c->oom_file[0] = c->log.path[0] = 0;
    for (k = 0; k < ATTACHED_MAX; ++k) c->attached[k].fd[0] = c->attached[k].fd[1] = -1;
    for (k = 0; k < 2; ++k) {
      c->streams[k].fd = -1;
      c->streams[k].length = c->streams[k].fresh = 0;
      c->streams[k].name = k == 0 ? "stdout" : "stderr";
    }
    return c;
  }
  return NULL;
}

void release_container(struct container* container) {
  int i;
  if (container->pid == 0) container->streams[0].length = container->streams[1].length = 0;
  end_streams(container);
  for (i = 0; i < ATTACHED_MAX; ++i) close_attached(&container->attached[i]);
  close_fd(&container->stdin_fd);
  close_fd(&container->terminal_fd);
  close_fd(&container->log.fd);
  container->id[0] = 0;
}

static void fail(const char* what) {
  dprintf(ANSWER_FD, "%s: %s\n", what, strerror(errno));
  _exit(1);
}

static void bring_loopback_up(void) {
  struct ifreq request;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  memset(&request, 0, sizeof request);
  memcpy(request.ifr_name, "lo", 3);
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0) fail("loopback");
  request.ifr_flags |= IFF_UP;
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) fail("loopback");
  close(fd);
}

// "net.core.somaxconn=1024": the names' dots are folders.
static void apply_sysctl(char* setting) {
  char path[512] = "/proc/sys/", *value = strchr(setting, '='), *at;
  size_t length = strlen(path);
  int fd;
  if (value == NULL || (size_t)(value - setting) >= sizeof path - length) {
    errno = EINVAL;
    fail(setting);
  }
  memcpy(path + length, setting, (size_t)(value - setting));
  for (at = path + length; *at != 0; ++at)
    if (*at == '.') *at = '/';
  ++value;
  fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, value, strlen(value)) < 0) fail(setting);
  close(fd);
}

// The first process of the pod's own process namespace: reaps, and ends with the shim.
static pid_t start_init(void) {
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) fail("process namespace");
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "pause");
  signal(SIGCHLD, SIG_IGN);
  close(LISTEN_FD);
  close(ANSWER_FD);
  for (;;) pause();
}

static pid_t set_up(const char* flags, char** rest) {
  int wanted = 0;
  pid_t pid;
  if (strchr(flags, 'n') != NULL) wanted |= CLONE_NEWNET;
  if (strchr(flags, 'i') != NULL) wanted |= CLONE_NEWIPC;
  if (strchr(flags, 'u') != NULL) wanted |= CLONE_NEWUTS;
  if (wanted != 0 && unshare(wanted) != 0) fail("namespaces");
  if ((wanted & CLONE_NEWUTS) && sethostname(rest[0], strlen(rest[0])) != 0) fail("hostname");
  if (wanted & CLONE_NEWNET) bring_loopback_up();
  for (++rest; *rest != NULL; ++rest) apply_sysctl(*rest);
  pid = fork();
  if (pid < 0) fail("fork");
  if (pid > 0) _exit(0);
  setsid();
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) fail("subreaper");
  prctl(PR_SET_NAME, "skiff-shim");
  if (chdir("/") != 0) fail("chdir");
  return strchr(flags, 'p') != NULL ? start_init() : 0;
}

static void accept_connection(void) {
  static unsigned serial;
  int i, fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  for (i = 0; i < CONNECTIONS_MAX; ++i)
    if (connections[i].fd < 0) {
      connections[i].fd = fd;
      connections[i].serial = ++serial;
      connections[i].watches = 0;
      return;
    }
  close(fd);
}

static struct pollfd polls[POLLS_MAX];
static int poll_count;

static void watch(int fd, short events) {
  polls[poll_count].fd = fd;
  polls[poll_count].events = events;
  polls[poll_count++].revents = 0;
}

static void watch_attached(const struct container* c, const struct attached* a) {
  int which;
  for (which = 0; which < 2; ++which) {
    short events = 0;
    if (a->fd[which] < 0) continue;
    if (a->sent[which] < c->streams[which].length &&
        c->streams[which].length > c->streams[which].fresh)
      events |= POLLOUT;
    if (which == 0 && c->terminal_fd >= 0 && !a->input_ended && a->input_length == 0)
      events |= POLLIN;
    watch(a->fd[which], events);
  }
  if (a->input_length > 0 && c->terminal_fd >= 0) watch(c->terminal_fd, POLLOUT);
}

static void watch_container(const struct container* c) {
  int which, k;
  if (c->pid == 0) return;
  for (which = 0; which < 2; ++which)
    if (c->streams[which].fd >= 0 && !stream_is_blocked(c, which))
      watch(c->streams[which].fd, POLLIN);
  for (k = 0; k < ATTACHED_MAX; ++k) watch_attached(c, &c->attached[k]);
}

static void serve_container(struct container* c) {
  int which, k;
  if (c->pid == 0) return;
  for (k = 0; k < ATTACHED_MAX; ++k) check_attached(&c->attached[k]);
  send_attached(c);
  for (which = 0; which < 2; ++which) read_stream(c, which);
  for (k = 0; k < ATTACHED_MAX; ++k)
    if (c->terminal_fd >= 0 && c->attached[k].fd[0] >= 0 && !c->attached[k].input_ended)
      read_terminal_input(c, &c->attached[k]);
  if (c->exited) record_exit(c);
}

static void serve(int signal_fd) {
  struct signalfd_siginfo info;
  for (;;) {
    int i, timeout = -1;
    poll_count = 0;
    watch(LISTEN_FD, POLLIN);
    watch(signal_fd, POLLIN);
    for (i = 0; i < CONNECTIONS_MAX; ++i)
      if (connections[i].fd >= 0) watch(connections[i].fd, POLLIN);
    for (i = 0; i < CONTAINERS_MAX; ++i)
      if (containers[i].id[0] != 0) {
        watch_container(&containers[i]);
        if (containers[i].exited && !containers[i].recorded) timeout = RETRY_MS;
      }
    if (poll(polls, (nfds_t)poll_count, timeout) < 0 && errno != EINTR) continue;
    if (read(signal_fd, &info, sizeof info) > 0) reap_children();
    for (i = 0; i < CONTAINERS_MAX; ++i)
      if (containers[i].id[0] != 0) serve_container(&containers[i]);
    for (i = 0; i < CONNECTIONS_MAX; ++i)
      if (connections[i].fd >= 0) handle_request(i);
    if (polls[0].revents != 0) accept_connection();
  }
}

int main(int argc, char** argv) {
  sigset_t signals;
  pid_t init;
  int i, signal_fd;
  if (argc < 3) return 2;
  for (i = 0; i < CONNECTIONS_MAX; ++i) connections[i].fd = -1;
  for (i = 0; i < EXECS_MAX; ++i) execs[i].exit_fd = -1;
  fcntl(LISTEN_FD, F_SETFD, FD_CLOEXEC);
  fcntl(LISTEN_FD, F_SETFL, O_NONBLOCK);
  fcntl(ANSWER_FD, F_SETFD, FD_CLOEXEC);
  init = set_up(argv[1], argv + 2);
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) fail("signals");
  signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd < 0) fail("signals");
  dprintf(ANSWER_FD, "ok %d %d\n", (int)getpid(), (int)init);
  close(ANSWER_FD);
  serve(signal_fd);
}
