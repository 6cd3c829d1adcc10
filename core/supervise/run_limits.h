/// How each requested limit is held, apart from those of the control group: timers, watches and rlimits.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/cgroup/cgroup.h"
#include "helios/error.h"
#include "helios/execution.h"
#include "helios/request.h"
#include "helios/runner.h"

namespace helios::supervise {

/// Those that a control group holds, and that therefore go missing together where none can be had.
inline constexpr std::array kGroupLimits{Limit::memory, Limit::memory_high, Limit::swap, Limit::cpus, Limit::processes};

/// The limits that a control group holds. `helpers`: processes of ours that live in the group with the command.
[[nodiscard]] cgroup::GroupLimits group_limits(const Limits& limits, unsigned helpers);

/// One setrlimit of the command's process.
struct Rlimit {
  int resource{0};
  std::uint64_t soft{0}, hard{0};
  std::string name;  ///< "RLIMIT_NOFILE"
};
/// The core limit at which the kernel writes no core file and starts no crash handler of the host.
inline constexpr std::uint64_t kNoCore = 1;

/// Open files and file size as asked, no core files, no higher priorities; never above what we have ourselves (root may
/// lack CAP_SYS_RESOURCE). Errors: unsupported, when a limit asked for lies above ours.
[[nodiscard]] Result<std::vector<Rlimit>> rlimits_for(const Limits& limits);

/// Receipts for everything but the group's limits. `counts_cpu`: a group counts the tree's CPU time.
/// Errors: unsupported, when a CPU-time limit was asked for, nothing can count it, and "cpuTime" may not be missing.
[[nodiscard]] Result<std::vector<LimitReceipt>> receipts_outside_group(const Limits& limits, bool counts_cpu,
                                                                       std::span<const std::string> allow_degraded);

/// The plan's lines on groups and limits: where, which file with which value, which timer, which rlimit.
[[nodiscard]] std::vector<PlanItem> describe_limits(const std::optional<cgroup::Placement>& placement,
                                                    std::span<const cgroup::LimitWrite> writes,
                                                    std::span<const LimitReceipt> outside,
                                                    std::span<const Rlimit> rlimits);

/// Puts receipts in the order of the limits table.
void sort_receipts(std::vector<LimitReceipt>& receipts);

}  // namespace helios::supervise
