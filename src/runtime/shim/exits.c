// Ended processes: reaping, and exit records that are on disk before anybody hears of them.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/shim/state.h"

// A process may be reaped before the OCI runtime's end tells which one it was.
static struct reaped {
  pid_t pid;
  int wait_status;
} reaped[REAPED_MAX];
static unsigned reaped_next;

int take_reaped(pid_t pid, int* wait_status) {
  unsigned i;
  for (i = 0; i < REAPED_MAX; ++i)
    if (reaped[i].pid == pid) {
      *wait_status = reaped[i].wait_status;
      reaped[i].pid = 0;
      return 1;
    }
  return 0;
}

static int was_killed_for_memory(const struct container* container) {
  char text[512];
  const char* found;
  ssize_t n;
  int fd;
  if (container->oom_file[0] == 0 || container->wait_status == 0) return 0;
  fd = open(container->oom_file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  found = strstr(text, "oom_kill ");
  return found != NULL && found[9] != '0';
}

static char* put_number(char* out, uint64_t value) {
  char digits[24];
  int count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  while (count > 0) *out++ = digits[--count];
  *out++ = ' ';
  return out;
}

// "1 <exit code> <signal> <killed for memory> <nanoseconds since 1970>".
static int write_record(const struct container* container) {
  char text[128], temporary[SHIM_PATH_BYTES_MAX + 8], folder[SHIM_PATH_BYTES_MAX + 1], *out = text;
  const struct timespec* ended = &container->ended_at;
  size_t length = strlen(container->exit_file);
  int status = container->wait_status, fd, failed;
  int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  out = put_number(out, 1);
  out = put_number(out, (uint64_t)(signal_number ? 128 + signal_number : WEXITSTATUS(status)));
  out = put_number(out, (uint64_t)signal_number);
  out = put_number(out, (uint64_t)was_killed_for_memory(container));
  out = put_number(out, (uint64_t)ended->tv_sec * 1000000000u + (uint64_t)ended->tv_nsec);
  out[-1] = '\n';
  memcpy(temporary, container->exit_file, length);
  memcpy(temporary + length, ".tmp", 5);
  fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  failed = write(fd, text, (size_t)(out - text)) != out - text || fsync(fd) != 0;
  close(fd);
  if (failed || rename(temporary, container->exit_file) != 0) return -1;
  memcpy(folder, container->exit_file, length + 1);
  while (length > 0 && folder[length] != '/') folder[length--] = 0;
  fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    failed = fsync(fd);
    close(fd);
  }
  return failed ? -1 : 0;
}

// On a full disk it is tried again; nobody is told before it worked.
void record_exit(struct container* container) {
  if (container->recorded || write_record(container) != 0) return;
  container->recorded = 1;
  notify_exit(container);
}

void finish_exec(struct exec_process* process, int wait_status) {
  int code = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
  if (write(process->exit_fd, &code, sizeof code) < 0) {
    // skiff has gone; nobody wants to know
  }
  close_fd(&process->exit_fd);
  process->pid = 0;
}

static void note_exit(pid_t pid, int wait_status) {
  int i;
  for (i = 0; i < CONTAINERS_MAX; ++i)
    if (containers[i].id[0] != 0 && containers[i].pid == pid && !containers[i].exited) {
      containers[i].exited = 1;
      shim_now(&containers[i].ended_at);
      containers[i].wait_status = wait_status;
      drain_streams(&containers[i]);
      record_exit(&containers[i]);
      return;
    }
  for (i = 0; i < EXECS_MAX; ++i)
    if (execs[i].pid == pid) {
      finish_exec(&execs[i], wait_status);
      return;
    }
  reaped[reaped_next % REAPED_MAX].pid = pid;
  reaped[reaped_next++ % REAPED_MAX].wait_status = wait_status;
}

void reap_children(void) {
  int wait_status, i;
  pid_t pid;
  while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
    struct job* job = NULL;
    for (i = 0; i < JOBS_MAX; ++i)
      if (jobs[i].pid == pid) job = &jobs[i];
    if (job != NULL)
      finish_job(job, wait_status);
    else
      note_exit(pid, wait_status);
  }
}
