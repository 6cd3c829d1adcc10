#include "helios/plugin.h"

#include "plugins/shell/shell_runner.h"

HELIOS_RUNNER_PLUGIN(helios::shell::ShellRunner, "shell", "1.0.0",
                     "runs the command as it is, in the caller's environment: limits, no isolation",
                     HELIOS_INHERITS_ENVIRONMENT | HELIOS_CONFINES_NOTHING)
