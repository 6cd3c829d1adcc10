/// JSON -> WorkerResult, as far as explanations and suggestions need it: what worker_result_json.h writes.
#pragma once

#include <string>
#include <string_view>

#include "helios/error.h"
#include "helios/worker_result.h"

namespace helios::spec {

inline constexpr std::size_t kMaxResultBytes = std::size_t{256} << 20;  ///< the default capture is 8 MiB a stream

/// Unknown fields are ignored, absent ones stay at their default. Errors: invalid_argument, one line with `origin` and
/// the pointer; also for a file of Helios' own worker, which has no `termination`.
[[nodiscard]] Result<WorkerResult> read_worker_result(std::string_view text, const std::string& origin);

}  // namespace helios::spec
