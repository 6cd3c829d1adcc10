/// From what was seen and counted to the one reason a run ended: by evidence only.
#pragma once

#include <optional>
#include <string>

#include "core/cgroup/cgroup.h"
#include "core/supervise/supervisor.h"
#include "helios/execution.h"
#include "helios/request.h"

namespace helios::supervise {

/// A cause is reported only if we caused it (our timer, our limit, our caller's cancel) or the kernel counted it for
/// this run's group. `before` holds the counters at the command's start, so that our own set-up does not count.
[[nodiscard]] Termination judge(const Observation& seen, const cgroup::Counters& counters,
                                const ExecutionRequest& request);

}  // namespace helios::supervise
