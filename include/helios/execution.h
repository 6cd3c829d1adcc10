/// What a run did: how it ended and who decided, what it cost, which limits were in force.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "helios/limits.h"

namespace helios {

/// How a run ended. Order is the tie-break within one reading, and part of the plugin ABI: append only.
enum class Reason : std::uint32_t {
  cancelled,
  output_limit,
  wall_time_limit,
  idle_limit,
  cpu_time_limit,
  disk_limit,
  memory_limit,
  syscall_denied,
  process_limit,
  host_out_of_memory,
  signaled,
  exited,
  output_missing,  ///< set by the Executor only
  not_started,     ///< command not found (raw exit 127) or not executable (126)
  setup_failed,    ///< set by the Executor only, from a Runner's Error
};
inline constexpr std::size_t kReasonCount = 15;

/// Wire names, indexed by Reason.
inline constexpr std::array<std::string_view, kReasonCount> kReasonNames{
    "cancelled",  "output-limit", "wall-time-limit", "idle-limit",    "cpu-time-limit",
    "disk-limit", "memory-limit", "syscall-denied",  "process-limit", "host-out-of-memory",
    "signaled",   "exited",       "output-missing",  "not-started",   "setup-failed"};
[[nodiscard]] constexpr std::string_view name(Reason r) { return kReasonNames[static_cast<std::size_t>(r)]; }

/// One thing that was read and supports the verdict, e.g. {"memory.events", "oom_kill", 1}.
struct Evidence {
  std::string source;
  std::string field;
  std::int64_t value{0};
  bool operator==(const Evidence&) const = default;
};

/// `exit_code` is the command's own status when it exited (0 to 255), else the 128+N form; `signal` is the
/// signal that ended the command's main process, 0 if none; `cancel_signal` is what was sent to us.
struct Termination {
  Reason reason{Reason::exited};
  int exit_code{0};
  int signal{0};
  int cancel_signal{0};
  std::string detail;
  std::vector<Evidence> evidence;
  bool operator==(const Termination&) const = default;
};

/// Cost figures. Order is part of the plugin ABI: append only.
enum class Figure : std::uint32_t {
  duration_ms,  ///< wall time from the command's exec to its end
  cpu_ms,
  user_ms,
  system_ms,
  peak_memory_bytes,
  peak_processes,
  io_read_bytes,
  io_write_bytes,
  throttled_ms,
  oom_kills,
  process_limit_hits,
  pressure_cpu_ms,
  pressure_memory_ms,
  pressure_io_ms,
  setup_ms,
  teardown_ms,
  memory_high_hits,       ///< times the tree was slowed because it was above its soft limit; v2 only
  peak_anonymous_bytes,   ///< what peak_memory_bytes is made of: the largest of each kind that was seen while sampling
  peak_shared_bytes,      ///< tmpfs, shared memory, memfd: not to be taken back without swap either
  peak_file_cache_bytes,  ///< pages of files on disks, which the kernel can take back
  peak_kernel_bytes,
};
inline constexpr std::size_t kFigureCount = 21;
inline constexpr std::array<std::string_view, kFigureCount> kFigureNames{"durationMs",       "cpuMs",
                                                                         "userMs",           "systemMs",
                                                                         "peakMemoryBytes",  "peakProcesses",
                                                                         "ioReadBytes",      "ioWriteBytes",
                                                                         "throttledMs",      "oomKills",
                                                                         "processLimitHits", "pressureCpuMs",
                                                                         "pressureMemoryMs", "pressureIoMs",
                                                                         "setupMs",          "teardownMs",
                                                                         "memoryHighHits",   "peakAnonymousBytes",
                                                                         "peakSharedBytes",  "peakFileCacheBytes",
                                                                         "peakKernelBytes"};
[[nodiscard]] constexpr std::string_view name(Figure f) { return kFigureNames[static_cast<std::size_t>(f)]; }

/// Each figure is absent when it could not be measured, never 0. Unit: that of the name's ending.
/// `sources[f]` says where it was read, e.g. "cgroup-v2:memory.peak", "rusage".
struct ResourceUsage {
  std::array<std::optional<double>, kFigureCount> values{};
  std::array<std::string, kFigureCount> sources{};

  void set(Figure f, double value, std::string source) {
    values[static_cast<std::size_t>(f)] = value;
    sources[static_cast<std::size_t>(f)] = std::move(source);
  }
  [[nodiscard]] std::optional<double> get(Figure f) const { return values[static_cast<std::size_t>(f)]; }
  bool operator==(const ResourceUsage&) const = default;
};

/// One line of the receipt: what was asked, what is in force, by what. `effective` is empty when the limit is
/// not held (only ever with --allow-degraded). Processes: `effective` includes our own helpers.
struct LimitReceipt {
  Limit limit{};
  std::uint64_t requested{0};
  std::optional<std::uint64_t> effective;
  std::string by;  ///< "cgroup-v2:memory.max", "timer", "rlimit:RLIMIT_NOFILE", "watch", "degraded"
  bool operator==(const LimitReceipt&) const = default;
};

/// A system call the filter refused. `args` is the first one seen, as "0x1, 0x2, …"; `process` names its caller.
struct Denial {
  std::string syscall;
  std::int64_t number{-1};
  std::uint64_t count{0};
  std::string error;  ///< "EPERM", or "kill" for a fatal one
  std::string args;
  std::string process;
  bool operator==(const Denial&) const = default;
};

/// A process that was still running when the command had ended, and was ended by us.
struct Survivor {
  std::int64_t pid{0};
  std::string name;
  bool operator==(const Survivor&) const = default;
};

/// One thing that a run used; told only when ExecutionRequest::learn asks for it. `kind`, and what `name` then is:
/// "syscall" (its name; `detail`: the first arguments), "socket" (the family's number; `detail`: its name),
/// "personality" (the value), "program" (the file that was executed), "read", "written", "looked-at", "missing" (a path
/// as the command sees it), "link" (a symbolic link on the way to one), "peak" ("tmp" or "shm"; `count`: bytes),
/// "unseen" (why paths could not be read). `count`: how often.
struct Use {
  std::string kind;
  std::string name;
  std::string detail;
  std::uint64_t count{0};
  bool operator==(const Use&) const = default;
};

/// A process of the run as it was just before a limit ended the run (the memory limit: when the run came near it).
/// `command` is the start of its command line, at most 128 bytes, or its short name in brackets; `state` the kernel's
/// letter; `wait_channel` the kernel function it slept in, empty if it did not or that may not be read.
struct LastProcess {
  std::int64_t pid{0};
  std::int64_t parent{0};
  std::string command;
  std::uint64_t memory_bytes{0};  ///< resident
  std::string state;
  std::string wait_channel;
  bool operator==(const LastProcess&) const = default;
};

/// Everything a Runner tells about one run, apart from the output bytes (which it hands over as they come).
struct Execution {
  Termination termination;
  ResourceUsage usage;
  std::vector<LimitReceipt> limits;
  std::vector<std::string> isolation;  ///< layers really in force: "user", "mount", …, "seccomp", "landlock"
  std::vector<Denial> denied;
  std::vector<Survivor> survivors;  ///< at most 32 named
  std::uint64_t survivor_count{0};
  std::vector<std::string> notes;           ///< anything weaker than asked, explicitly allowed
  std::string cgroup;                       ///< "v2", "v1", "mixed" or "none"
  std::vector<Use> used;                    ///< empty unless asked for
  std::vector<LastProcess> last_processes;  ///< at most 64, the largest first; empty unless a limit ended the run
  bool operator==(const Execution&) const = default;
};

}  // namespace helios
