/// Results, plans and findings for people. Shape: lines, ready for a terminal: control characters are escaped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/plugin/runner_catalog.h"
#include "helios/runner.h"
#include "helios/worker_result.h"

namespace helios::app {

/// How it ended, what it cost, what held it, what it left; on failure the end of its stderr.
[[nodiscard]] std::string result_text(const WorkerResult& result);
[[nodiscard]] std::string plan_text(const Plan& plan, std::string_view runner);
[[nodiscard]] std::string findings_text(const std::vector<Finding>& findings, std::string_view indent = "");
[[nodiscard]] std::string reports_text(const std::vector<plugin::PluginReport>& reports);

/// One line: "chunk 3 exited with 0".
[[nodiscard]] std::string status_line(const WorkerResult& result);

/// "1.2 MiB", "812 B"
[[nodiscard]] std::string human_bytes(double bytes);
/// "1.204 s", "12.3 ms", "1 h 02 min"
[[nodiscard]] std::string human_ms(double ms);

}  // namespace helios::app
