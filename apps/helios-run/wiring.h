/// Where things lie and what belongs together: folders, the catalog of runners, the policy, the caller's process.
#pragma once

#include <string>
#include <vector>

#include "apps/helios-run/settings.h"
#include "core/executor/executor.h"
#include "core/log.h"
#include "core/plugin/runner_catalog.h"

namespace helios::app {

/// The folder of this program's file; "" when it cannot be found out.
[[nodiscard]] std::string program_dir();

/// --plugin-dir, HELIOS_PLUGIN_PATH, the installation's folder, `plugins` beside the program's build.
[[nodiscard]] std::vector<std::string> plugin_dirs(const Settings& settings);
[[nodiscard]] std::vector<std::string> policy_dirs();

[[nodiscard]] std::vector<EnvVar> environment_of_process();

/// Errors: io when there is no working directory.
[[nodiscard]] Result<Surroundings> surroundings_of_process();

[[nodiscard]] plugin::RunnerCatalog make_catalog(const Settings& settings);

/// A runner by name, with hooks that log and that let a runner ask another one for its plan. `catalog` and `log` have
/// to outlive the Executor.
[[nodiscard]] Result<Executor> make_executor(plugin::RunnerCatalog& catalog, const std::string& runner, Log& log,
                                             int cancel_fd);

[[nodiscard]] OutputFormat output_format(const Settings& settings);

}  // namespace helios::app
