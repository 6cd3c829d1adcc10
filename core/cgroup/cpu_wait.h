/// Who wants a processor and does not get one.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace helios::cgroup {

/// One thread's waiting for a processor. Source: /proc/<pid>/task/<tid>/schedstat and stat.
struct ThreadWait {
  pid_t tid{0};
  std::uint64_t waited_us{0};  ///< ready without running, in all, up to the last time it ran
  std::uint64_t runs{0};       ///< how often it has run
  bool ready{false};           ///< now
};

/// A look at all threads of a run, sorted by tid. Empty: there are none, or the kernel does not say.
using CpuWait = std::vector<ThreadWait>;

/// Between two looks that lie `elapsed_us` apart: did some thread spend more than half of the time waiting, or all of
/// it without ever running? Threads on their own: a hung program with many of them, each of which wants little, is not
/// starved because their waits add up.
[[nodiscard]] inline bool is_starved(const CpuWait& before, const CpuWait& now, std::uint64_t elapsed_us) {
  return std::any_of(now.begin(), now.end(), [&](const ThreadWait& thread) {
    const auto same = std::lower_bound(before.begin(), before.end(), thread.tid,
                                       [](const ThreadWait& t, pid_t tid) { return t.tid < tid; });
    if (same == before.end() || same->tid != thread.tid) return false;
    const bool never_ran = same->ready && thread.ready && same->runs == thread.runs;
    return never_ran || thread.waited_us > same->waited_us + elapsed_us / 2;
  });
}

}  // namespace helios::cgroup
