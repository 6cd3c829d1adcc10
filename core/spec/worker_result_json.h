/// WorkerResult, plans and findings -> JSON. docs/schemas/worker-result.schema.json describes the result.
///
/// Shape: keys in a fixed order, so that two results can be compared as text; what is absent was not measured or does
/// not apply. Text that is not UTF-8 comes out with U+FFFD. `indent` is the number of blanks per level; negative: one
/// line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "helios/runner.h"
#include "helios/worker_result.h"

namespace helios::spec {

[[nodiscard]] std::string to_json(const WorkerResult& result, int indent = -1);

/// {"runner", "jobId", "chunkId", "argv", "workdir", "workspace", "plan": [{"section", "items": [{"key", "value"}]}],
/// "missing": findings}: sections in the order in which they first appear. `runner` is the one that made the plan.
[[nodiscard]] std::string plan_to_json(const Plan& plan, std::string_view runner, int indent = 2);

/// [{"feature", "severity", "detail", "remedy"}]; the remedy only where there is one.
[[nodiscard]] std::string findings_to_json(const std::vector<Finding>& findings, int indent = 2);

[[nodiscard]] std::string_view name(Severity severity);
[[nodiscard]] std::string_view name(Retry retry);

}  // namespace helios::spec
