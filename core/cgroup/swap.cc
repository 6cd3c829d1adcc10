#include "core/cgroup/swap.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/cgroup/hierarchy.h"
#include "core/sys/file.h"

namespace helios::cgroup {

bool host_has_swap() {
  const auto text = sys::read_file("/proc/swaps", 1 << 20);  // one heading, then a line for each
  return !text || std::count(text->begin(), text->end(), '\n') > 1;
}

bool v1_counts_swap(const std::string& parent) {
  std::string at = parent;
  while (at != "/" && ::access(at.c_str(), F_OK) != 0) at = parent_of(at);
  // Only its absence is an answer; with any other the write will tell.
  return ::access((at + "/memory.memsw.limit_in_bytes").c_str(), F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

}  // namespace helios::cgroup
