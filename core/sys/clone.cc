#include "core/sys/clone.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

#include "core/freestanding/syscalls.h"

namespace helios::sys {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;

/// A stack with a guard page; unmapped at the end.
class Stack {
 public:
  Stack() noexcept
      : base_(::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() {
    if (base_ != MAP_FAILED) ::munmap(base_, kStackBytes);
  }
  [[nodiscard]] bool valid() const noexcept { return base_ != MAP_FAILED; }
  [[nodiscard]] void* bottom() const noexcept { return base_; }

 private:
  void* base_;
};

Result<Child> start(const CloneOptions& options, void* stack, std::size_t stack_bytes, std::uint64_t flags,
                    void (*fn)(void*), void* arg) {
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_VM | CLONE_PIDFD | flags | options.namespaces;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  args.exit_signal = 0;
  args.stack = reinterpret_cast<std::uintptr_t>(stack);
  args.stack_size = stack_bytes;
  if (options.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(options.cgroup_fd);
  }
  // A handler of the host program must not run in the child, on our memory.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  // The C library has no wrapper for clone3.
  const long pid = raw::clone_call(SYS_clone3, reinterpret_cast<long>(&args), sizeof args, fn, arg);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail_errno(ErrorCode::setup_failed, "clone3", static_cast<int>(-pid));
  return Child{static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

}  // namespace

Result<Child> clone_vfork(const CloneOptions& options, void (*fn)(void*), void* arg) {
  const Stack stack;
  if (!stack.valid()) return fail_errno(ErrorCode::setup_failed, "map a stack for the child", errno);
  return start(options, stack.bottom(), kStackBytes, CLONE_VFORK, fn, arg);
}

Result<Child> clone_shared(const CloneOptions& options, void* stack_top, void (*fn)(void*), void* arg) {
  constexpr std::size_t kSmall = 4096;
  return start(options, static_cast<char*>(stack_top) - kSmall, kSmall, 0, fn, arg);
}

Result<Reaped> reap(const Child& child) {
  siginfo_t info{};
  rusage usage{};
  long r;
  do {  // the raw call: glibc's waitid has no rusage
    r = ::syscall(SYS_waitid, P_PIDFD, child.pidfd.get(), &info, WEXITED | __WALL, &usage);
  } while (r < 0 && errno == EINTR);
  if (r < 0) return fail_errno(ErrorCode::io, "wait for the child", errno);
  Reaped out;
  const int code = info.si_status;
  out.status =
      info.si_code == CLD_EXITED ? (code & 0xff) << 8 : (code & 0x7f) | (info.si_code == CLD_DUMPED ? 0x80 : 0);
  out.user_us = usage.ru_utime.tv_sec * 1000000L + usage.ru_utime.tv_usec;
  out.system_us = usage.ru_stime.tv_sec * 1000000L + usage.ru_stime.tv_usec;
  out.max_rss_kib = usage.ru_maxrss;
  return out;
}

void send_signal(const UniqueFd& pidfd, int signal) {
  if (pidfd) (void)::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

void kill_child(const Child& child) {
  if (!child.pidfd) return;
  // Whoever waits for it must not wait for ever because one call was refused.
  if (::syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0) != 0) (void)::kill(child.pid, SIGKILL);
}

}  // namespace helios::sys
