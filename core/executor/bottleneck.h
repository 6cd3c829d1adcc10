/// What held a run back, in one line: for people who wonder which limit to raise.
#pragma once

#include <string>

#include "helios/execution.h"

namespace helios {

/// "throttled for 63 % of its run time: raise cpus". The worst of what was measured: throttling by the CPU limit, time
/// spent waiting (pressure), how near memory and processes came to their limits. Empty: nothing stands out, or the run
/// was too short (under 100 ms) to tell. Says nothing about what was not measured.
[[nodiscard]] std::string bottleneck_of(const Execution& execution);

}  // namespace helios
