/// What happens between clone and exec of a `shell` run. The child shares our memory: system calls only.
#pragma once

#include <cstdint>

namespace helios::shell {

enum class Stage : int {
  none,
  join_groups,
  oom_score,
  process_group,
  stdio,
  working_directory,
  rlimits,
  signals,
  exec
};

struct RlimitCall {
  int resource;
  std::uint64_t value[2];  ///< soft, hard
};

/// Plain and flat; owns nothing. The child writes `stage`, `index` and `error` when a step fails.
struct ChildPlan {
  const int* task_fds;
  unsigned task_fd_count;
  int stdio[3];
  const char* workdir;
  const RlimitCall* rlimits;
  unsigned rlimit_count;
  const char* const* candidates;  ///< nullptr at the end
  char* const* argv;
  char** shell_argv;  ///< room for argc + 2 pointers
  char* const* envp;
  volatile Stage stage;
  volatile unsigned index;
  volatile int error;
};

/// [child] Never returns.
void child_main(void* plan);

/// [child] The guardian: descriptors to move to fd 3, its program, its arguments.
struct GuardianPlan {
  int pipe_fd;
  int program_fd;
  char* const* argv;
  volatile int error;
};
void guardian_main(void* plan);

}  // namespace helios::shell
