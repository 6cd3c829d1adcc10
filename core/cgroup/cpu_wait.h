/// Who wants a processor and does not get one.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace helios::cgroup {

/// A look at all threads of a run. Empty: nobody waits, or the kernel does not say.
struct CpuWait {
  /// How long those that live now have been ready to run without running, in all, up to the last time each of them ran.
  /// Unit: microseconds. Source: /proc/<pid>/task/<tid>/schedstat, second figure.
  std::uint64_t waited_us{0};
  /// Those that are ready now, sorted: thread, and how often it has run. Source: …/stat, third figure of schedstat.
  std::vector<std::pair<pid_t, std::uint64_t>> ready;
};

/// Between two looks that lie `elapsed_us` apart: did it spend more than half of the time waiting, or did some thread
/// wait for all of it without ever running?
[[nodiscard]] inline bool is_starved(const CpuWait& before, const CpuWait& now, std::uint64_t elapsed_us) {
  if (now.waited_us > before.waited_us + elapsed_us / 2) return true;
  return std::any_of(now.ready.begin(), now.ready.end(), [&](const auto& thread) {
    return std::binary_search(before.ready.begin(), before.ready.end(), thread);
  });
}

}  // namespace helios::cgroup
