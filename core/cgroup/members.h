/// Who is in a group, and ending them without ever signalling anybody else.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/cgroup/cpu_wait.h"

namespace helios::cgroup {

/// Process ids in the groups `roots` and everything below them, sorted, each once. A process outside of our pid
/// namespace shows as 0.
[[nodiscard]] std::vector<pid_t> pids_in(const std::vector<std::string>& roots);

/// What the threads in the groups say of their waiting for a processor.
[[nodiscard]] CpuWait cpu_wait(const std::vector<std::string>& roots);

/// Sends SIGKILL to every process in the groups, waits for them, and looks again, until nobody is left or `deadline`.
/// A pid is signalled through a pidfd that was opened before the group was read for the second time: whoever holds the
/// pid then is in the group. True: nobody is left.
[[nodiscard]] bool kill_members(const std::vector<std::string>& roots, std::chrono::steady_clock::time_point deadline);

/// Waits for the processes in the groups to end. True: nobody is left.
[[nodiscard]] bool await_members(const std::vector<std::string>& roots, std::chrono::steady_clock::time_point deadline);

/// rmdir of `root` and everything below, children first, retrying EBUSY until `deadline` (the kernel takes a moment
/// after the last process). Returns the path and errno of what is left, or an empty path. A missing group is fine.
struct Leftover {
  std::string path;
  int sys_errno{0};
};
[[nodiscard]] Leftover remove_tree(const std::string& root, std::chrono::steady_clock::time_point deadline);

}  // namespace helios::cgroup
