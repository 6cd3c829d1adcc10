/// Who was there when a limit ended a run, read from /proc.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "helios/execution.h"

namespace helios::supervise {

/// The processes of the control groups; without groups, those that come from `root` or are in its process group.
struct RunTree {
  std::vector<std::string> groups;
  pid_t root{0};
  bool root_is_ours{false};  ///< it is left out
};

/// At most 64, the largest first. Reads for 20 ms at most and answers within 100 ms with what it has by then, on a
/// thread of its own: a command line lies in the process's memory, and a process that keeps that locked would hold up
/// whoever reads it, and with him its own end.
[[nodiscard]] std::vector<LastProcess> last_words(RunTree tree) noexcept;

}  // namespace helios::supervise
