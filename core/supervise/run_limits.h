/// How each requested limit is held: by the control group, a timer, a watch or an rlimit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/cgroup/cgroup.h"
#include "helios/error.h"
#include "helios/execution.h"
#include "helios/request.h"
#include "helios/runner.h"

namespace helios::supervise {

/// One setrlimit of the command's process.
struct Rlimit {
  int resource{0};
  std::uint64_t soft{0}, hard{0};
  std::string name;  ///< "RLIMIT_NOFILE"
};
/// The core limit at which the kernel writes no core file and starts no crash handler of the host.
inline constexpr std::uint64_t kNoCore = 1;

/// How the limits of one run are held, as a value: what a runner plans with, and performs.
struct LimitPlan {
  std::optional<cgroup::Placement> placement;  ///< empty: no group can be had, and that was allowed
  cgroup::GroupLimits group;                   ///< the runner's helpers added
  std::vector<cgroup::LimitWrite> writes;
  std::vector<LimitReceipt> receipts;  ///< of what no group holds: timers, watches, rlimits, what may be missing
  std::vector<Rlimit> rlimits;  ///< open files and file size as asked, no core files, no higher priorities; never above
                                ///< what we have ourselves (root may lack CAP_SYS_RESOURCE)
};

/// `helpers`: processes of ours that live in the group with the command. Changes nothing. Errors: unsupported, naming
/// the limit, when one cannot be held and may not be missing.
[[nodiscard]] Result<LimitPlan> plan_limits(const ExecutionRequest& request, unsigned helpers);

/// The plan's lines on groups and limits: where, which file with which value, which timer, which rlimit.
[[nodiscard]] std::vector<PlanItem> describe(const LimitPlan& plan);

/// Puts receipts in the order of the limits table.
void sort_receipts(std::vector<LimitReceipt>& receipts);

}  // namespace helios::supervise
