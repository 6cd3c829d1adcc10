/// What system calls are for, and why some are closed even while learning: data for drafts and explanations.
#pragma once

#include <array>
#include <string_view>

namespace helios::policy {

struct SyscallNote {
  std::string_view name;
  std::string_view text;
};

inline constexpr std::string_view kMounts = "mounting: changes what the sandbox consists of";
inline constexpr std::string_view kModules = "loads code into the kernel, or replaces it";
inline constexpr std::string_view kOthers = "reads or steers other processes";
inline constexpr std::string_view kKeys = "the kernel's keyrings are not separated by namespaces";
inline constexpr std::string_view kHandles = "reaches files by number, past every mount";
inline constexpr std::string_view kHost = "sets what belongs to the whole host";
inline constexpr std::string_view kSurface = "a frequent way into the kernel that chunks do not need";

/// Refused while learning. What chunk needs one, its author has to allow by hand, knowing why.
inline constexpr std::array kDangerous{
    SyscallNote{"mount", kMounts},
    SyscallNote{"umount2", kMounts},
    SyscallNote{"pivot_root", kMounts},
    SyscallNote{"chroot", kMounts},
    SyscallNote{"fsopen", kMounts},
    SyscallNote{"fsconfig", kMounts},
    SyscallNote{"fsmount", kMounts},
    SyscallNote{"fspick", kMounts},
    SyscallNote{"move_mount", kMounts},
    SyscallNote{"open_tree", kMounts},
    SyscallNote{"mount_setattr", kMounts},
    SyscallNote{"init_module", kModules},
    SyscallNote{"finit_module", kModules},
    SyscallNote{"delete_module", kModules},
    SyscallNote{"kexec_load", kModules},
    SyscallNote{"kexec_file_load", kModules},
    SyscallNote{"bpf", kModules},
    SyscallNote{"ptrace", kOthers},
    SyscallNote{"process_vm_readv", kOthers},
    SyscallNote{"process_vm_writev", kOthers},
    SyscallNote{"process_madvise", kOthers},
    SyscallNote{"pidfd_getfd", kOthers},
    SyscallNote{"kcmp", kOthers},
    SyscallNote{"perf_event_open", kOthers},
    SyscallNote{"add_key", kKeys},
    SyscallNote{"request_key", kKeys},
    SyscallNote{"keyctl", kKeys},
    SyscallNote{"name_to_handle_at", kHandles},
    SyscallNote{"open_by_handle_at", kHandles},
    SyscallNote{"fanotify_init", kHandles},
    SyscallNote{"lookup_dcookie", kHandles},
    SyscallNote{"reboot", kHost},
    SyscallNote{"swapon", kHost},
    SyscallNote{"swapoff", kHost},
    SyscallNote{"acct", kHost},
    SyscallNote{"quotactl", kHost},
    SyscallNote{"quotactl_fd", kHost},
    SyscallNote{"syslog", kHost},
    SyscallNote{"settimeofday", kHost},
    SyscallNote{"clock_settime", kHost},
    SyscallNote{"clock_adjtime", kHost},
    SyscallNote{"adjtimex", kHost},
    SyscallNote{"sethostname", kHost},
    SyscallNote{"setdomainname", kHost},
    SyscallNote{"vhangup", kHost},
    SyscallNote{"iopl", kHost},
    SyscallNote{"ioperm", kHost},
    SyscallNote{"nfsservctl", kHost},
    SyscallNote{"userfaultfd", kSurface},
    SyscallNote{"modify_ldt", kSurface},
    SyscallNote{"vmsplice", kSurface},
};

inline constexpr std::array kPurposes{
    SyscallNote{"accept4", "take a connection"},
    SyscallNote{"bind", "give a socket an address"},
    SyscallNote{"bpf", "load programs into the kernel"},
    SyscallNote{"capget", "ask which capabilities one has"},
    SyscallNote{"capset", "change capabilities"},
    SyscallNote{"chmod", "change a file's mode"},
    SyscallNote{"chown", "change a file's owner"},
    SyscallNote{"chroot", "change the root folder"},
    SyscallNote{"clone", "create a process, a thread or namespaces"},
    SyscallNote{"clone3", "create a process, a thread or namespaces"},
    SyscallNote{"connect", "connect a socket"},
    SyscallNote{"epoll_create1", "wait for many descriptors"},
    SyscallNote{"eventfd2", "wake another thread"},
    SyscallNote{"fchmodat2", "change a file's mode"},
    SyscallNote{"fork", "create a process"},
    SyscallNote{"inotify_add_watch", "watch files for changes"},
    SyscallNote{"inotify_init1", "watch files for changes"},
    SyscallNote{"io_uring_setup", "make calls through a queue that no filter sees"},
    SyscallNote{"ioctl", "control a device or descriptor"},
    SyscallNote{"keyctl", "use the kernel's keyrings"},
    SyscallNote{"kill", "send a signal"},
    SyscallNote{"link", "give a file another name"},
    SyscallNote{"mbind", "choose the memory node (NUMA)"},
    SyscallNote{"memfd_create", "make a file in memory"},
    SyscallNote{"mkdir", "make a folder"},
    SyscallNote{"mknod", "make a device node, FIFO or socket file"},
    SyscallNote{"mlock", "keep memory from being swapped out"},
    SyscallNote{"mount", "mount a file system"},
    SyscallNote{"open", "open a file"},
    SyscallNote{"openat", "open a file"},
    SyscallNote{"openat2", "open a file, with its arguments in memory"},
    SyscallNote{"perf_event_open", "measure processes and the kernel"},
    SyscallNote{"personality", "change how the kernel treats a program (setarch, address randomisation)"},
    SyscallNote{"pidfd_open", "hold a process by a descriptor"},
    SyscallNote{"pipe2", "make a pipe"},
    SyscallNote{"prctl", "change settings of the process"},
    SyscallNote{"ptrace", "trace another process (strace, gdb)"},
    SyscallNote{"rename", "rename a file"},
    SyscallNote{"rmdir", "remove a folder"},
    SyscallNote{"sched_getparam", "ask for a thread's priority"},
    SyscallNote{"sched_getscheduler", "ask for a thread's scheduler"},
    SyscallNote{"sched_setaffinity", "choose processors"},
    SyscallNote{"sched_setscheduler", "choose a scheduler (real-time priorities)"},
    SyscallNote{"seccomp", "install a filter of one's own (browsers do)"},
    SyscallNote{"set_mempolicy", "choose the memory node (NUMA)"},
    SyscallNote{"setns", "enter another namespace"},
    SyscallNote{"setpriority", "change the priority (nice)"},
    SyscallNote{"setsid", "start a session of its own (daemons)"},
    SyscallNote{"shmget", "System V shared memory"},
    SyscallNote{"socket", "make a socket"},
    SyscallNote{"socketpair", "make two connected sockets"},
    SyscallNote{"symlink", "make a symbolic link"},
    SyscallNote{"sysinfo", "ask how much memory there is"},
    SyscallNote{"timerfd_create", "make a timer"},
    SyscallNote{"umount2", "unmount a file system"},
    SyscallNote{"unlink", "remove a file"},
    SyscallNote{"unshare", "make namespaces"},
    SyscallNote{"userfaultfd", "handle page faults in user space"},
    SyscallNote{"vfork", "create a process"},
    SyscallNote{"wait4", "wait for a child process"},
};

}  // namespace helios::policy
