/// Runs one chunk (or one command) through a runner and answers with a WorkerResult. The programs merely wrap it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/executor/build_request.h"
#include "helios/error.h"
#include "helios/runner.h"
#include "helios/worker_result.h"

namespace helios {

/// The runner to use; `name` and `version` go into the result.
struct ChosenRunner {
  Runner* runner{nullptr};
  std::string name;
  std::string version;
  bool confines_nothing{false};  ///< HELIOS_CONFINES_NOTHING: what only isolation can give is refused
};

/// What the program around the Executor offers. Each may be empty.
struct ExecutorHooks {
  std::function<void(LogLevel, std::string_view)> log;
  std::function<Result<Plan>(std::string_view runner, const ExecutionRequest&)> plan_with;  ///< for dry-run
  int cancel_fd{-1};                                                                        ///< see Host::cancel_fd
  std::function<std::chrono::system_clock::time_point()> now;
};

/// [one thread at a time; several Executors may work at once]
class Executor {
 public:
  Executor(ChosenRunner runner, ExecutorHooks hooks);

  /// What a run would be asked to do. Looks at the workspace, changes nothing. Errors: see resolve_places,
  /// build_request; unsupported for isolation asked for in `options` of a runner that has none.
  [[nodiscard]] Result<ExecutionRequest> prepare(const Job& job, const policy::Policy& policy,
                                                 const RunOptions& options, const Surroundings& around);

  /// What the runner would do. Starts nothing. Values of secret-looking variables are hidden.
  [[nodiscard]] Result<Plan> plan(const ExecutionRequest& request);

  /// What works on this host and what does not. Tries things; leaves nothing behind.
  [[nodiscard]] Result<std::vector<Finding>> probe();

  /// Runs a prepared request to its end. A command that failed is a result; an Error means that nothing of it ran.
  [[nodiscard]] Result<WorkerResult> run(const Job& job, const RunOptions& options, const ExecutionRequest& request);

 private:
  void log(LogLevel level, std::string_view message) const;
  ChosenRunner chosen_;
  ExecutorHooks hooks_;
};

/// "2026-11-23T02:00:00.123Z"
[[nodiscard]] std::string rfc3339(std::chrono::system_clock::time_point when);

/// The result for a chunk that could not be run, for callers that must answer with one (many chunks, a service):
/// reason setup-failed, exit code 125.
[[nodiscard]] WorkerResult setup_failed_result(const Error& error, const ExecutionRequest& request);

}  // namespace helios
