/// What happens between clone3 and the execution of helios-init. The child shares our memory: system calls only, no
/// waiting, no change of ids; helios-init does everything else, in memory of its own.
#pragma once

#include <cstdint>

namespace helios::isolated {

/// Descriptors `from[i]` become `first + i`; all of `from` lie above all targets.
struct ChildPlan {
  const int* from;
  unsigned count;
  int init_fd;  ///< helios-init's program
  volatile int error;
};

/// [child] Never returns.
void child_main(void* plan);

}  // namespace helios::isolated
