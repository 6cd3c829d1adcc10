#include "plugins/isolated/seccomp_hardening.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace helios::isolated {
namespace {

constexpr std::uint32_t refuse_with(int error) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error); }

constexpr std::uint32_t kSetIdBits = 06000;
constexpr std::uint32_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                          CLONE_NEWPID | CLONE_NEWNET;  // CLONE_NEWTIME is a signal's bit in clone
constexpr std::uint32_t kCreates = O_CREAT | __O_TMPFILE;               // without them the mode is not looked at

/// Calls whose `mode` always counts. A chunk runs as a uid whose files belong to the workspace's owner: a set-id
/// file it made would run with the owner's rights.
struct ModeArgument {
  std::string_view syscall;
  unsigned index;
};
constexpr std::array kModes{ModeArgument{"chmod", 1},     ModeArgument{"fchmod", 1}, ModeArgument{"fchmodat", 2},
                            ModeArgument{"fchmodat2", 2}, ModeArgument{"creat", 1},  ModeArgument{"mkdir", 1},
                            ModeArgument{"mkdirat", 2},   ModeArgument{"mknod", 1},  ModeArgument{"mknodat", 2}};

/// Calls whose arguments lie in memory, where no filter can see them, and io_uring, which makes calls that no filter
/// sees. ENOSYS is what libraries fall back from.
constexpr std::array<std::string_view, 5> kOpaque{"clone3", "openat2", "io_uring_setup", "io_uring_enter",
                                                  "io_uring_register"};

/// The session keyring is the caller's, through every namespace: with these calls the command could read what is in it.
constexpr std::array<std::string_view, 3> kKeyrings{"add_key", "keyctl", "request_key"};

/// Flags that ask for pages of the host's pool of huge ones, which no memory limit counts. EINVAL is what a kernel
/// without such pages gives. Transparent huge pages are another thing, and counted.
struct PoolFlag {
  std::string_view syscall;
  unsigned index;
  std::uint32_t flag;
};
constexpr std::array kHugePages{PoolFlag{"mmap", 3, MAP_HUGETLB}, PoolFlag{"memfd_create", 1, MFD_HUGETLB},
                                PoolFlag{"shmget", 2, SHM_HUGETLB}};

std::vector<Refusal> refusals_of_families() {
  const auto not_family = [](std::uint32_t family) { return LowCondition{0, LowTest::not_equal, family}; };
  std::vector<Refusal> refusals;
  // AF_VSOCK leads to the machine's host whatever the network namespace; AF_ALG, AF_PACKET and the rest are attack
  // surface that no command of ours was seen to need.
  refusals.push_back({{not_family(AF_UNIX), not_family(AF_INET), not_family(AF_INET6), not_family(AF_NETLINK)},
                      refuse_with(EAFNOSUPPORT)});
  // getifaddrs and Chromium ask NETLINK_ROUTE; the others configure the kernel or listen to its events.
  refusals.push_back(
      {{{0, LowTest::equal, AF_NETLINK}, {2, LowTest::not_equal, NETLINK_ROUTE}}, refuse_with(EPROTONOSUPPORT)});
  return refusals;
}

void add_mode_refusals(Hardening& hardening, std::string_view syscall) {
  for (const ModeArgument& mode : kModes) {
    if (mode.syscall == syscall) {
      hardening.refusals.push_back({{{mode.index, LowTest::any_bit, kSetIdBits}}, refuse_with(EPERM)});
    }
  }
  if (syscall != "open" && syscall != "openat") return;
  const unsigned flags = syscall == "open" ? 1 : 2;
  hardening.refusals.push_back(
      {{{flags, LowTest::any_bit, kCreates}, {flags + 1, LowTest::any_bit, kSetIdBits}}, refuse_with(EPERM)});
}

/// The core limit of 1 keeps the host's crash handler from being started (core/supervise/run_limits.h); lowered to 0 it
/// would not. Asking for the limit stays allowed: prlimit64 without a new one.
void add_core_refusals(Hardening& hardening, std::string_view syscall) {
  if (syscall == "setrlimit") hardening.refusals.push_back({{{0, LowTest::equal, RLIMIT_CORE}}, refuse_with(EPERM)});
  if (syscall != "prlimit64") return;
  for (const bool high : {false, true}) {
    hardening.refusals.push_back(
        {{{1, LowTest::equal, RLIMIT_CORE}, {2, LowTest::not_equal, 0, high}}, refuse_with(EPERM)});
  }
}

constexpr unsigned bits() { return 0; }
template <class... Rest>
constexpr unsigned bits(unsigned first, Rest... rest) {
  return (1U << first) | bits(rest...);
}

struct Narrow {
  std::string_view syscall;
  unsigned arguments;
};
/// From the kernel's SYSCALL_DEFINE lines: parameters declared int, unsigned int, umode_t, key_serial_t, pid_t and
/// such. clone's flags are an unsigned long of which lower_32_bits() is taken. File descriptors are left out: a rule
/// about a descriptor's number means nothing.
constexpr std::array kNarrow{
    Narrow{"accept4", bits(3)},
    Narrow{"add_key", bits(4)},
    Narrow{"arch_prctl", bits(0)},
    Narrow{"bpf", bits(0, 2)},
    Narrow{"chmod", bits(1)},
    Narrow{"clock_adjtime", bits(0)},
    Narrow{"clock_getres", bits(0)},
    Narrow{"clock_gettime", bits(0)},
    Narrow{"clock_nanosleep", bits(0, 1)},
    Narrow{"clock_settime", bits(0)},
    Narrow{"clone", bits(0)},
    Narrow{"close_range", bits(2)},
    Narrow{"creat", bits(1)},
    Narrow{"dup3", bits(2)},
    Narrow{"epoll_create", bits(0)},
    Narrow{"epoll_create1", bits(0)},
    Narrow{"epoll_ctl", bits(1)},
    Narrow{"eventfd2", bits(0, 1)},
    Narrow{"execveat", bits(4)},
    Narrow{"faccessat", bits(2)},
    Narrow{"faccessat2", bits(2, 3)},
    Narrow{"fadvise64", bits(3)},
    Narrow{"fallocate", bits(1)},
    Narrow{"fanotify_init", bits(0, 1)},
    Narrow{"fanotify_mark", bits(1)},
    Narrow{"fchmod", bits(1)},
    Narrow{"fchmodat", bits(2)},
    Narrow{"fchmodat2", bits(2, 3)},
    Narrow{"fchownat", bits(2, 3, 4)},
    Narrow{"fcntl", bits(1)},
    Narrow{"flock", bits(1)},
    Narrow{"fsopen", bits(1)},
    Narrow{"futex", bits(1)},
    Narrow{"getrandom", bits(2)},
    Narrow{"getrlimit", bits(0)},
    Narrow{"getrusage", bits(0)},
    Narrow{"getsockopt", bits(1, 2)},
    Narrow{"inotify_add_watch", bits(2)},
    Narrow{"inotify_init1", bits(0)},
    Narrow{"io_uring_register", bits(1)},
    Narrow{"ioctl", bits(1)},
    Narrow{"iopl", bits(0)},
    Narrow{"ioprio_set", bits(0, 1, 2)},
    Narrow{"kcmp", bits(0, 1, 2)},
    Narrow{"keyctl", bits(0)},
    Narrow{"kill", bits(0, 1)},
    Narrow{"linkat", bits(4)},
    Narrow{"listen", bits(1)},
    Narrow{"lseek", bits(2)},
    Narrow{"madvise", bits(2)},
    Narrow{"membarrier", bits(0, 1, 2)},
    Narrow{"memfd_create", bits(1)},
    Narrow{"memfd_secret", bits(0)},
    Narrow{"mkdir", bits(1)},
    Narrow{"mkdirat", bits(2)},
    Narrow{"mknod", bits(1, 2)},
    Narrow{"mknodat", bits(2, 3)},
    Narrow{"mlock2", bits(2)},
    Narrow{"mlockall", bits(0)},
    Narrow{"move_mount", bits(4)},
    Narrow{"mq_open", bits(1, 2)},
    Narrow{"msgctl", bits(1)},
    Narrow{"msgget", bits(0, 1)},
    Narrow{"msync", bits(2)},
    Narrow{"name_to_handle_at", bits(4)},
    Narrow{"newfstatat", bits(3)},
    Narrow{"open", bits(1, 2)},
    Narrow{"open_by_handle_at", bits(2)},
    Narrow{"open_tree", bits(2)},
    Narrow{"openat", bits(2, 3)},
    Narrow{"personality", bits(0)},
    Narrow{"pidfd_getfd", bits(2)},
    Narrow{"pidfd_open", bits(1)},
    Narrow{"pidfd_send_signal", bits(1, 3)},
    Narrow{"pipe2", bits(1)},
    Narrow{"prctl", bits(0)},
    Narrow{"preadv2", bits(5)},
    Narrow{"prlimit64", bits(0, 1)},
    Narrow{"pwritev2", bits(5)},
    Narrow{"quotactl", bits(0, 2)},
    Narrow{"reboot", bits(0, 1, 2)},
    Narrow{"recvfrom", bits(3)},
    Narrow{"recvmsg", bits(2)},
    Narrow{"renameat2", bits(4)},
    Narrow{"rt_sigprocmask", bits(0)},
    Narrow{"rt_sigqueueinfo", bits(0, 1)},
    Narrow{"rt_tgsigqueueinfo", bits(0, 1, 2)},
    Narrow{"sched_setscheduler", bits(0, 1)},
    Narrow{"seccomp", bits(0, 1)},
    Narrow{"semctl", bits(1, 2)},
    Narrow{"semget", bits(0, 1, 2)},
    Narrow{"sendmsg", bits(2)},
    Narrow{"sendto", bits(3)},
    Narrow{"setns", bits(1)},
    Narrow{"setpriority", bits(0, 1, 2)},
    Narrow{"setrlimit", bits(0)},
    Narrow{"setsockopt", bits(1, 2)},
    Narrow{"shmat", bits(2)},
    Narrow{"shmctl", bits(1)},
    Narrow{"shmget", bits(0, 2)},
    Narrow{"shutdown", bits(1)},
    Narrow{"signalfd4", bits(3)},
    Narrow{"socket", bits(0, 1, 2)},
    Narrow{"socketpair", bits(0, 1, 2)},
    Narrow{"splice", bits(5)},
    Narrow{"statx", bits(2, 3)},
    Narrow{"sync_file_range", bits(3)},
    Narrow{"syslog", bits(0, 2)},
    Narrow{"tee", bits(3)},
    Narrow{"tgkill", bits(0, 1, 2)},
    Narrow{"timer_create", bits(0)},
    Narrow{"timerfd_create", bits(0, 1)},
    Narrow{"tkill", bits(0, 1)},
    Narrow{"umask", bits(0)},
    Narrow{"umount2", bits(1)},
    Narrow{"unlinkat", bits(2)},
    Narrow{"unshare", bits(0)},
    Narrow{"userfaultfd", bits(0)},
    Narrow{"utimensat", bits(3)},
    Narrow{"vmsplice", bits(3)},
    Narrow{"wait4", bits(0, 2)},
    Narrow{"waitid", bits(0, 1, 3)},
};

}  // namespace

Hardening hardening_of(std::string_view syscall, bool nested_user_namespaces) {
  Hardening hardening;
  if (std::find(kOpaque.begin(), kOpaque.end(), syscall) != kOpaque.end()) hardening.always = refuse_with(ENOSYS);
  if (std::find(kKeyrings.begin(), kKeyrings.end(), syscall) != kKeyrings.end()) hardening.always = refuse_with(EPERM);
  if (!nested_user_namespaces && (syscall == "unshare" || syscall == "setns")) hardening.always = refuse_with(EPERM);
  if (!nested_user_namespaces && syscall == "clone") {
    hardening.refusals.push_back({{{0, LowTest::any_bit, kNamespaceFlags}}, refuse_with(EPERM)});
  }
  if (syscall == "socket" || syscall == "socketpair") hardening.refusals = refusals_of_families();
  if (syscall == "ioctl") {  // push bytes into a terminal's input, as if its user had typed them
    hardening.refusals.push_back({{{1, LowTest::equal, TIOCSTI}}, refuse_with(EPERM)});
    hardening.refusals.push_back({{{1, LowTest::equal, TIOCLINUX}}, refuse_with(EPERM)});
  }
  // Same uid is all the kernel asks for: with its limits at zero, process 1 could not look after the run any more.
  // setrlimit(2) and getrlimit(2) of every C library name process 0, the caller.
  if (syscall == "prlimit64") hardening.refusals.push_back({{{0, LowTest::not_equal, 0}}, refuse_with(EPERM)});
  add_core_refusals(hardening, syscall);
  for (const PoolFlag& pool : kHugePages) {
    if (pool.syscall != syscall) continue;
    // All bits at once are no request but a question, which the kernel answers with EINVAL: Chromium asks memfd_create
    // so.
    hardening.refusals.push_back(
        {{{pool.index, LowTest::any_bit, pool.flag}, {pool.index, LowTest::not_equal, UINT32_MAX}},
         refuse_with(EINVAL)});
  }
  add_mode_refusals(hardening, syscall);
  return hardening;
}

unsigned narrow_arguments(std::string_view syscall) {
  const auto known =
      std::find_if(kNarrow.begin(), kNarrow.end(), [&](const Narrow& n) { return n.syscall == syscall; });
  return known == kNarrow.end() ? 0 : known->arguments;
}

}  // namespace helios::isolated
