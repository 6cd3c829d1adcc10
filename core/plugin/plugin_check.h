/// A look at one plugin from a safe distance.
#pragma once

#include <string>
#include <string_view>

#include "core/plugin/runner_catalog.h"

namespace helios::plugin {

/// Loads and probes `file` in a forked child, which is killed at the deadline with everything in its process group.
/// Whatever happens there is in the report. [before there are other threads: the child allocates]
[[nodiscard]] PluginReport check_plugin(const std::string& file, std::string_view name, const CatalogOptions& options);

}  // namespace helios::plugin
