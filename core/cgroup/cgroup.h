/// Control groups of one run: where they may be made, made with limits, read, killed, removed; and what a dead owner
/// left behind. cgroup v2 and v1, chosen per controller (hosts exist that have both).
///
/// Order of use: `Placement::find` (changes nothing), `plan_limits` (what would be written, for a dry run),
/// `RunGroup::create` (makes the groups, limits first), start the command with `clone_into_fd()` and `join_fds()`,
/// `kill()`, `read()`, `remove()`. docs/decisions/0002-cgroup-placement.md has the reasons.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cgroup/cpu_wait.h"
#include "core/sys/unique_fd.h"
#include "helios/error.h"
#include "helios/execution.h"
#include "helios/limits.h"

namespace helios::cgroup {

enum class Version { none, v1, v2, mixed };
/// "none", "v1", "v2", "mixed": what `Execution::cgroup` holds.
[[nodiscard]] std::string_view name(Version v);

enum class Controller { memory, cpu, cpuacct, pids, io, cpuset };
inline constexpr std::size_t kControllerCount = 6;
[[nodiscard]] std::string_view name(Controller c);

struct PlacementOptions {
  std::string cgroup_parent;       ///< path below the top of each hierarchy, e.g. "/helios"; empty: found by probing
  bool allow_systemd_scope{true};  ///< may ask systemd for a scope with Delegate=yes
  uid_t uid{::geteuid()};
};

/// Where one controller's run groups go. `parent` is an absolute directory; it may not exist yet.
struct Seat {
  Version version{Version::none};  ///< none: `missing` says why, in one clause
  std::string parent;
  std::string missing;
};

/// What has to happen on v2 before the first group can be made. Nothing of it happens in `find`.
enum class Entry {
  none,           ///< v2 is not used
  make_parent,    ///< mkdir the parent, switch controllers on from the top down
  supervisor,     ///< move the parent's processes (us too) into a leaf `supervisor`, then switch controllers on
  systemd_scope,  ///< ask systemd for a scope, then as `supervisor`
};

/// Where this process may create groups. A value; reads /proc/self/cgroup, and /proc/self/mountinfo once per process.
/// Changes nothing on the host. [any thread]
class Placement {
 public:
  /// Errors: unsupported, with the remedy, when no controller at all can be had.
  [[nodiscard]] static Result<Placement> find(const PlacementOptions& options);

  [[nodiscard]] Version version() const;
  [[nodiscard]] bool has(Controller c) const { return seat(c).version != Version::none; }
  /// CPU time of the tree can be measured: on v2 always, on v1 with cpuacct.
  [[nodiscard]] bool counts_cpu() const { return has(Controller::cpuacct); }
  [[nodiscard]] const Seat& seat(Controller c) const { return seats_[static_cast<std::size_t>(c)]; }
  [[nodiscard]] Entry entry() const { return entry_; }
  /// The v2 directory of the run groups; empty if v2 is not used, or not known before systemd has made the scope.
  [[nodiscard]] const std::string& parent_v2() const { return parent_v2_; }
  [[nodiscard]] const PlacementOptions& options() const { return options_; }
  /// The top of the v2 hierarchy, i.e. its mount point; empty if v2 is not used.
  [[nodiscard]] const std::string& top_v2() const { return top_v2_; }
  /// One line for people, e.g. "v1: memory, cpu, cpuacct, pids in /sys/fs/cgroup/*/helios".
  [[nodiscard]] std::string describe() const;

 private:
  friend class PlacementSearch;
  PlacementOptions options_;
  std::array<Seat, kControllerCount> seats_;
  Entry entry_{Entry::none};
  std::string parent_v2_;
  std::string top_v2_;
};

/// Empty means "not limited".
struct GroupLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> swap_bytes;  ///< beyond memory
  std::optional<std::uint64_t> milli_cpus;
  std::optional<std::uint64_t> tasks;                ///< as the kernel counts, the caller's own helpers already added
  std::optional<std::uint64_t> memory_high_bytes{};  ///< beyond which the kernel slows the group; v2 only
};

/// One limit as it would be written. `file` is empty when it cannot be held and is allowed to be missing (`by` says
/// so).
struct LimitWrite {
  Limit limit{};
  std::uint64_t requested{0};
  Controller controller{};
  std::string file;   ///< "memory.max"
  std::string value;  ///< "268435456"
  std::string by;     ///< the receipt's: "cgroup-v2:memory.max", "host has no swap", "degraded"
};

/// The writes that `RunGroup::create` would do, in order. `allow_degraded`: memory, memoryHigh, swap, cpus,
/// processes.
/// Errors: unsupported, naming limit, controller, cause and remedy, for a limit that cannot be held and may not be
/// missing.
[[nodiscard]] Result<std::vector<LimitWrite>> plan_limits(const Placement& placement, const GroupLimits& limits,
                                                          std::span<const std::string> allow_degraded);

/// One figure and the file it was read from, e.g. {512.5, "cgroup-v2:cpu.stat"}. Empty: could not be measured.
template <class T>
struct Counter {
  std::optional<T> value;
  std::string_view source;
};

/// What charged memory is made of at one moment, as memory.stat tells it. Empty: this kernel does not tell that part.
struct MemoryParts {
  std::optional<std::uint64_t> anonymous;
  std::optional<std::uint64_t> shared;      ///< tmpfs, System V and POSIX shared memory, memfd
  std::optional<std::uint64_t> file_cache;  ///< of files that lie on a disk
  std::optional<std::uint64_t> kernel;      ///< page tables, stacks, slabs; v2 from 5.18 on
};

struct Counters {
  Counter<double> cpu_ms, user_ms, system_ms;
  Counter<std::uint64_t> peak_memory_bytes, current_memory_bytes;
  Counter<std::uint64_t> current_tasks;
  Counter<std::uint64_t> peak_tasks;  ///< threads included, our own helpers too
  MemoryParts memory_now;             ///< at the last `sample()`; empty if there was none
  MemoryParts memory_most;            ///< the largest of each part over all `sample()`s
  std::string_view memory_parts_source;
  Counter<double> throttled_ms;  ///< summed over CPUs
  Counter<std::uint64_t> nr_throttled;
  Counter<std::uint64_t> oom_kills;         ///< processes killed by the kernel for memory, whoever ran out of it
  Counter<std::uint64_t> memory_oom;        ///< times nothing could be had below this group's limit; v1: 1 for any
  Counter<std::uint64_t> memory_high_hits;  ///< times the group was slowed above its soft limit; v2 only
  Counter<std::uint64_t> pids_max_hits;     ///< refused forks
  Counter<std::uint64_t> io_read_bytes, io_write_bytes;
  Counter<double> pressure_cpu_ms, pressure_memory_ms, pressure_io_ms;  ///< time in which some task waited; v2 only

  /// Sets every figure that was measured; leaves the others as they are.
  void add_to(ResourceUsage& usage) const;
};

/// One run's groups: on v2 an outer group (limits, readings) with a leaf (processes), on v1 one directory per
/// hierarchy. The destructor kills what is left, waits until the groups are empty and removes them.
class RunGroup {
 public:
  /// `token` names the groups and is never used twice: see `owner_token()`. Limits are in force when this returns.
  /// Errors: unsupported (as plan_limits), setup_failed (a step failed; nothing is left behind).
  [[nodiscard]] static Result<RunGroup> create(const Placement& placement, std::string_view token,
                                               const GroupLimits& limits, std::span<const std::string> allow_degraded);
  RunGroup(RunGroup&& other) noexcept;
  RunGroup& operator=(RunGroup&& other) noexcept;
  RunGroup(const RunGroup&) = delete;
  RunGroup& operator=(const RunGroup&) = delete;
  ~RunGroup();

  /// One per requested limit; `effective` was read back from the kernel.
  [[nodiscard]] const std::vector<LimitReceipt>& receipts() const { return receipts_; }
  [[nodiscard]] Version version() const;
  /// Directories of the run, outermost per hierarchy: for messages, and for a guardian that outlives us.
  [[nodiscard]] std::vector<std::string> paths() const;

  /// v2 leaf for CLONE_INTO_CGROUP; -1 without v2. Never use it after `kill()`: Linux 6.14+ kills such a child at
  /// birth.
  [[nodiscard]] int clone_into_fd() const { return leaf_.get(); }
  /// v1 `tasks` files: the child writes "0" into each before anything else (a pid into cgroup.procs costs 2 ms each).
  [[nodiscard]] std::vector<int> join_fds() const;
  /// v2 leaf's cgroup.procs, for hosts that refuse clone3: the child writes "0". -1 without v2.
  [[nodiscard]] int join_fd_v2() const { return leaf_procs_.get(); }

  /// Kills everything in the groups and waits until they are empty, at most `patience`. False: something is left.
  /// Signals nobody outside of the groups.
  bool kill(std::chrono::milliseconds patience = std::chrono::seconds(5));
  /// Processes in the groups (the dead but not yet reaped do not count), at most `max` of them.
  [[nodiscard]] std::vector<Survivor> members(std::size_t max) const;
  [[nodiscard]] std::uint64_t population() const;

  /// Called when the command has been executed: what the groups had counted before belongs to building the sandbox, and
  /// is left out of every reading. `cpu_ms`: what that used of the processor in the groups. On v1 it is done outside.
  void count_from_here(double cpu_ms);
  /// All figures. Best after the groups are empty, and before `remove()`.
  [[nodiscard]] Counters read() const;
  /// Looks at what is only known while processes are there: the parts of the memory, and on kernels without peak files
  /// the current use. `read()` tells the largest that was seen. Costs some 10 us.
  MemoryParts sample();
  [[nodiscard]] std::uint64_t cpu_usage_us() const;  ///< 0 if it cannot be measured
  [[nodiscard]] CpuWait cpu_wait() const;
  [[nodiscard]] std::uint64_t oom_kill_count() const;  ///< 0 if it cannot be measured
  [[nodiscard]] std::uint64_t pids_max_hits() const;   ///< 0 if it cannot be measured
  /// v2 memory.events: POLLPRI when an OOM kill (or a hit of the limit) happened, re-armed by `oom_kill_count()`; else
  /// -1.
  [[nodiscard]] int events_fd() const { return wakes_on_memory_ ? memory_events_.get() : -1; }
  /// v2 cgroup.events: POLLPRI when `populated` changes; else -1.
  [[nodiscard]] int populated_fd() const { return populated_.get(); }

  /// Waits until empty, removes the directories. Idempotent. Errors: io, naming what is left.
  [[nodiscard]] Status remove();

 private:
  struct Directory {  // one per hierarchy
    std::string path;
    Version version{Version::none};
    std::array<bool, kControllerCount> controllers{};
    sys::UniqueFd fd;
    sys::UniqueFd tasks;  // v1
  };
  RunGroup() = default;
  friend class RunGroupBuilder;
  [[nodiscard]] const Directory* directory_of(Controller c) const;
  [[nodiscard]] bool wait_until_empty(std::chrono::milliseconds patience) const;
  void stop_forks();
  void read_memory(Counters& counters) const;
  void read_pids(Counters& counters) const;
  void read_io(Counters& counters) const;
  void read_pressure(Counters& counters) const;
  void leave_out_before(Counters& counters) const;
  void sample_memory_parts();

  std::vector<Directory> directories_;
  std::vector<LimitReceipt> receipts_;
  sys::UniqueFd leaf_, leaf_procs_, populated_, kill_;
  // Kept open for the readings: a pread each, no path walk.
  sys::UniqueFd ran_out_;      // v1: an eventfd, readable when a limit of the group or above it was out of memory
  sys::UniqueFd memory_stat_;  // opened by the first sample: a short run does without
  sys::UniqueFd cpu_usage_, cpu_user_, cpu_system_, cpu_stat_, memory_peak_, memory_current_, memory_events_;
  sys::UniqueFd pids_peak_, pids_current_, pids_events_, io_stat_, cpu_pressure_, memory_pressure_, io_pressure_;
  bool cpu_v2_{false}, memory_v2_{false}, pids_v2_{false}, wakes_on_memory_{false};
  struct Before {  // what building the sandbox has used
    double cpu_ms{0}, throttled_ms{0}, pressure_cpu_ms{0}, pressure_memory_ms{0}, pressure_io_ms{0};
    std::uint64_t io_read_bytes{0}, io_write_bytes{0};
  };
  Before before_;
  std::uint64_t sampled_memory_{0}, sampled_tasks_{0};
  MemoryParts memory_now_, memory_most_;
  std::optional<std::uint64_t> pids_hits_before_kill_;
};

/// A fresh name for this process's next run: helios-<pid>-<start time>-<pid namespace>-<n>. [any thread]
[[nodiscard]] std::string owner_token();
/// The pid in a token whose owner is certainly gone; empty for foreign names, living owners, other pid namespaces.
[[nodiscard]] std::optional<pid_t> dead_owner(std::string_view token);

struct Stale {
  std::string path;
  pid_t pid{0};        ///< the dead owner's
  std::string reason;  ///< "owner is gone", or why it could not be removed
  bool removed{false};
};
/// Groups whose owner is gone; with `remove` their processes are killed and they are removed.
[[nodiscard]] Result<std::vector<Stale>> sweep(const Placement& placement, bool remove);

}  // namespace helios::cgroup
