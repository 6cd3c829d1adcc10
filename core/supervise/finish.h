/// From a run that has ended to what is told about it: the same for every runner of ours.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/cgroup/cgroup.h"
#include "core/supervise/supervisor.h"
#include "helios/execution.h"
#include "helios/request.h"

namespace helios::supervise {

struct RunFacts {
  const ExecutionRequest& request;
  const cgroup::RunGroup* group{nullptr};      ///< empty of processes by now; null: there was none
  unsigned helpers{0};                         ///< processes of ours in the group
  std::span<const LimitReceipt> other_limits;  ///< of what is not held by the group
  std::int64_t begin_ns{0}, started_ns{0};     ///< when we began, when the command was executed
};

/// Reason, cost, receipts. The runner adds what only it knows (isolation, refusals, survivors).
[[nodiscard]] Execution finish(const RunFacts& facts, const Observation& seen);
/// The receipts and the group's kind alone, for a command that could not be executed.
[[nodiscard]] Execution finish_not_started(const RunFacts& facts, int exec_errno, std::string_view path);

/// The same for a run that was cancelled while its surroundings were built.
[[nodiscard]] Execution finish_cancelled(const RunFacts& facts, int signal);

/// Removes the run's groups, clears what dead runners left, and notes how long ending took. `group` may be null.
void conclude(Execution& execution, cgroup::RunGroup* group, const std::optional<cgroup::Placement>& placement,
              std::int64_t end_ns);

}  // namespace helios::supervise
