#include "runtime/oci/seccomp.h"

#include <skiff/base/strings.h>

namespace skiff::runtime {
namespace {

using codec::Json;

// Calls that need no privilege beyond what the kernel checks itself. Names that a machine lacks are
// skipped by the OCI runtime.
constexpr std::string_view kFiles =
    "access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 "
    "faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown "
    "fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr "
    "fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd "
    "getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch "
    "ioctl lchown lchown32 lgetxattr link linkat listxattr llistxattr lremovexattr lseek _llseek "
    "lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat "
    "openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead "
    "readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile sendfile64 "
    "setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range "
    "sync_file_range2 arm_sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat "
    "utime utimensat utimensat_time64 utimes vmsplice write writev fanotify_mark cachestat";
constexpr std::string_view kMemory =
    "brk madvise membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 "
    "mprotect mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect "
    "process_mrelease remap_file_pages map_shadow_stack mseal";
constexpr std::string_view kProcesses =
    "alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_time64 "
    "futex_waitv futex_wake futex_wait futex_requeue getcpu getegid getegid32 geteuid geteuid32 "
    "getgid getgid32 getgroups getgroups32 getitimer getpgid getpgrp getpid getppid getpriority "
    "getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid gettid "
    "get_thread_area getuid getuid32 kill landlock_add_rule landlock_create_ruleset "
    "landlock_restrict_self modify_ldt pause pidfd_open pidfd_send_signal prctl prlimit64 "
    "restart_syscall "
    "rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr "
    "sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler "
    "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr "
    "sched_setparam sched_setscheduler sched_yield seccomp setfsgid setfsgid32 setfsuid "
    "setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid "
    "setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit "
    "set_robust_list setsid set_thread_area set_tid_address setuid setuid32 sigaltstack signalfd "
    "signalfd4 sigprocmask sigreturn sigsuspend sigaction sysinfo tgkill tkill times ugetrlimit "
    "uname vfork wait4 waitid waitpid ptrace process_vm_readv process_vm_writev arm_fadvise64_64 "
    "breakpoint cacheflush set_tls riscv_flush_icache riscv_hwprobe";
constexpr std::string_view kTimeAndEvents =
    "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 epoll_create epoll_create1 epoll_ctl "
    "epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 getrandom "
    "gettimeofday io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 ioprio_get "
    "ioprio_set io_setup io_submit nanosleep _newselect pipe pipe2 poll ppoll ppoll_time64 "
    "pselect6 "
    "pselect6_time64 select time timer_create timer_delete timer_getoverrun timer_gettime "
    "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime "
    "timerfd_gettime64 timerfd_settime timerfd_settime64";
constexpr std::string_view kNetworkAndIpc =
    "accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr "
    "mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
    "mq_unlink msgctl msgget msgrcv msgsnd recv recvfrom recvmmsg recvmmsg_time64 recvmsg semctl "
    "semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat "
    "shmctl shmdt shmget shutdown socketcall socketpair";

struct Privileged {
  std::string_view capability, calls;
};
constexpr Privileged kPrivileged[] = {
    {"SYS_ADMIN",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
     "mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
     "sethostname setns syslog umount umount2 unshare pivot_root"},
    {"SYS_BOOT", "reboot"},
    {"SYS_CHROOT", "chroot"},
    {"SYS_MODULE", "delete_module init_module finit_module"},
    {"SYS_PACCT", "acct"},
    {"SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
    {"SYS_RAWIO", "iopl ioperm"},
    {"SYS_TIME", "settimeofday stime clock_settime clock_settime64"},
    {"SYS_TTY_CONFIG", "vhangup"},
    {"SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"SYSLOG", "syslog"},
    {"DAC_READ_SEARCH", "open_by_handle_at"},
    {"BPF", "bpf"},
    {"PERFMON", "perf_event_open"},
};

// All CLONE_NEW* flags but CLONE_NEWTIME, whose bit belongs to the exit signal.
constexpr std::int64_t kNamespaceFlags = 0x7E020000;
constexpr std::int64_t kVsockFamily = 40;
constexpr std::int64_t kPersonalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};
constexpr int kErrnoNotPermitted = 1, kErrnoNoSuchCall = 38;

Json names_of(std::string_view words) {
  Json names = Json::array();
  for (auto word : base::split(words, ' '))
    if (!word.empty()) names.push_back(word);
  return names;
}

Json rule(std::string_view words, std::string_view action = "SCMP_ACT_ALLOW") {
  return Json::object({{"names", names_of(words)}, {"action", action}});
}

Json argument(std::int64_t value, std::string_view op, std::int64_t value_two = 0) {
  return Json::array(
      {Json::object({{"index", 0}, {"value", value}, {"valueTwo", value_two}, {"op", op}})});
}

Json architectures(std::string_view architecture) {
  if (architecture == "amd64")
    return Json::array({"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"});
  if (architecture == "arm64") return Json::array({"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"});
  if (architecture == "arm") return Json::array({"SCMP_ARCH_ARM"});
  return Json::array();
}

}  // namespace

Json default_seccomp(CapabilitySet capabilities, std::string_view architecture) {
  Json rules = Json::array();
  for (auto words : {kFiles, kMemory, kProcesses, kTimeAndEvents, kNetworkAndIpc})
    rules.push_back(rule(words));
  for (auto value : kPersonalities) {
    Json personality = rule("personality");
    personality.set("args", argument(value, "SCMP_CMP_EQ"));
    rules.push_back(std::move(personality));
  }
  Json socket = rule("socket");
  socket.set("args", argument(kVsockFamily, "SCMP_CMP_NE"));
  rules.push_back(std::move(socket));
  bool is_admin = false;
  for (const auto& [capability, calls] : kPrivileged) {
    auto bit = capability_named(capability);
    if (!bit.is_ok() || !(capabilities & *bit)) continue;
    rules.push_back(rule(calls));
    is_admin = is_admin || capability == "SYS_ADMIN";
  }
  if (!is_admin) {
    Json clone = rule("clone");
    clone.set("args", argument(kNamespaceFlags, "SCMP_CMP_MASKED_EQ"));
    rules.push_back(std::move(clone));
    // Its flags are behind a pointer; with ENOSYS libraries fall back to clone.
    Json clone3 = rule("clone3", "SCMP_ACT_ERRNO");
    clone3.set("errnoRet", kErrnoNoSuchCall);
    rules.push_back(std::move(clone3));
  }
  return Json::object({{"defaultAction", "SCMP_ACT_ERRNO"},
                       {"defaultErrnoRet", kErrnoNotPermitted},
                       {"architectures", architectures(architecture)},
                       {"syscalls", std::move(rules)}});
}

}  // namespace skiff::runtime
