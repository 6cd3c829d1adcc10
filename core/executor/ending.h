/// From how a run ended to what the caller is told: exit code, success, whether another try makes sense.
#pragma once

#include <optional>
#include <string>

#include "helios/execution.h"
#include "helios/worker_result.h"

namespace helios {

/// The exit status when we ourselves failed: bad usage, bad spec, missing plugin, a sandbox that could not be built.
inline constexpr int kRunnerFailed = 125;

/// The number helios-run exits with. Shape: 0 only for `exited` with 0; 128+N when a signal ended the command, 137
/// when a limit did, 128+N of the caller's signal when cancelled, 127/126 when it was not started.
[[nodiscard]] int exit_code_of(const Termination& end);

/// Whether another try makes sense, and where.
[[nodiscard]] Retry retry_of(const Termination& end);

/// The limit that ended a run; empty: none did.
[[nodiscard]] std::optional<Limit> limit_behind(const Termination& end);

/// One phrase for people: "exited with 3", "ended by SIGSEGV", "exceeded its memory limit".
[[nodiscard]] std::string describe(const Termination& end);

}  // namespace helios
