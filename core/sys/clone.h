/// New processes without copying the parent: at 512 MiB a fork costs 35 ms, this costs nothing.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::sys {

struct CloneOptions {
  std::uint64_t namespaces{0};  ///< CLONE_NEW… flags
  int cgroup_fd{-1};            ///< v2 leaf directory (CLONE_INTO_CGROUP), or -1
};

struct Child {
  pid_t pid{-1};
  UniqueFd pidfd;
};

/// Calls `fn(arg)` in a new process that shares our memory on a stack of its own; returns when it has exec'ed or exited.
/// [child] `fn` only makes system calls, waits for nobody, changes neither ids nor dumpability, and must not return.
/// All signals are blocked in it. The child's end is told by the pidfd (no SIGCHLD: a host program's handler must not
/// reap it). Errors: setup_failed, with errno; EACCES, ENOSYS, EBADF, EPERM as clone3(2) has them.
[[nodiscard]] Result<Child> clone_vfork(const CloneOptions& options, void (*fn)(void*), void* arg);

/// The same without suspending us; for a child that just waits to be killed. `stack_top` must outlive it.
[[nodiscard]] Result<Child> clone_shared(const CloneOptions& options, void* stack_top, void (*fn)(void*), void* arg);

/// Waits for a child made here. Its raw wait status, and what it and its waited-for children used.
struct Reaped {
  int status{0};
  std::int64_t user_us{0}, system_us{0}, max_rss_kib{0};
};
[[nodiscard]] Result<Reaped> reap(const Child& child);

/// pidfd_send_signal(2); a process that is gone is no error.
void send_signal(const UniqueFd& pidfd, int signal);

/// SIGKILL for a child that was not reaped yet, so that its pid is still its own.
void kill_child(const Child& child);

}  // namespace helios::sys
