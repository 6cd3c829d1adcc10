/// One poll loop around a running command: its output, its limits in time, its end. Used by every runner of ours.
///
/// Nothing here can hang on the command: output is read as it comes and bounded by the limit, the end of the command
/// ends the run, and draining the pipes afterwards is bounded in time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/cgroup/cgroup.h"
#include "core/supervise/disk_watch.h"
#include "core/sys/unique_fd.h"
#include "helios/execution.h"
#include "helios/request.h"
#include "helios/runner.h"

namespace helios::supervise {

/// CLOCK_MONOTONIC, nanoseconds.
[[nodiscard]] std::int64_t now_ns() noexcept;

/// The command's end: its raw wait status, when, and how many processes it left (named as far as known).
struct Ended {
  int wait_status{0};
  std::int64_t time_ns{0};
};

/// What is supervised. All calls come from the supervising thread.
class Target {
 public:
  virtual ~Target() = default;
  /// Readable when the command has ended (or has something else to say).
  [[nodiscard]] virtual int event_fd() const = 0;
  [[nodiscard]] virtual std::optional<Ended> on_event() = 0;
  /// A second descriptor to watch (the seccomp listener), or -1. `on_notice` returns a fatal cause, if it was one.
  [[nodiscard]] virtual int notice_fd() const { return -1; }
  [[nodiscard]] virtual std::optional<std::string> on_notice() { return std::nullopt; }
  /// POLLPRI when memory events happened, or -1: then `oom_kills` is polled.
  [[nodiscard]] virtual int memory_fd() const { return -1; }
  /// To the command's process group.
  virtual void signal(int number) = 0;
  /// Ends everything that belongs to the run, at once.
  virtual void kill() = 0;
  /// CPU of the whole tree so far; empty if it cannot be measured.
  [[nodiscard]] virtual std::optional<std::uint64_t> cpu_us() { return std::nullopt; }
  /// Who waits for a processor. Only asked when a run seems idle: it takes a look at each thread.
  [[nodiscard]] virtual cgroup::CpuWait cpu_wait() { return {}; }
  [[nodiscard]] virtual std::uint64_t oom_kills() { return 0; }
  /// The processes of the run, called when a limit is about to end it.
  [[nodiscard]] virtual std::vector<LastProcess> last_words() { return {}; }
  /// Looks at what is only known while processes are there. Empty: nothing here is known that way.
  [[nodiscard]] virtual std::optional<cgroup::MemoryParts> sample() { return std::nullopt; }
  /// Everything that is counted, as it stands; empty without control groups.
  [[nodiscard]] virtual std::optional<cgroup::Counters> counters() { return std::nullopt; }
};

struct Streams {
  sys::UniqueFd out, err;  ///< read ends
};

/// What the loop saw. `cause` is set when we ended the run; empty when the command ended by itself.
struct Observation {
  std::optional<Reason> cause;
  std::string detail;
  std::vector<Evidence> evidence;
  std::vector<LastProcess> last_processes;
  std::optional<Ended> ended;  ///< empty: it could not be brought to an end within seconds of being killed
  int cancel_signal{0};
  std::int64_t end_ns{0};
};

/// Where the run started from: when the command was executed, and what the workspace held before that.
struct Start {
  std::int64_t time_ns{0};
  DiskUse disk;
  std::uint64_t helpers{0};  ///< tasks of ours that the groups count
};

/// The workspace before the command starts; only measured if the request limits its growth. Not to its end if a byte
/// is on `cancel_fd`, where it stays. Errors: io, if a part of it cannot be counted.
[[nodiscard]] Result<DiskUse> measure_before(const ExecutionRequest& request, int cancel_fd);

/// Runs the loop until the command has ended, then drains the pipes for at most `request.drain_ms`.
[[nodiscard]] Observation supervise(Target& target, Streams streams, const ExecutionRequest& request, Host& host,
                                    const Start& start);

}  // namespace helios::supervise
