#include "helios/plugin.h"

#include "plugins/isolated/isolated_runner.h"

HELIOS_RUNNER_PLUGIN(helios::isolated::IsolatedRunner, "isolated", "1.0.0",
                     "namespaces, a root of its own, no capabilities, seccomp, Landlock, control groups", 0)
