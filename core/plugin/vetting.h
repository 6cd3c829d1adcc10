/// Everything that is asked of a plugin file before any of its code runs.
#pragma once

#include <string>
#include <string_view>

#include "core/plugin/trusted_path.h"
#include "helios/error.h"

namespace helios::plugin {

/// When a file of this name lies beside a plugin, the plugin must stand in it. Format: that of sha256sum.
inline constexpr std::string_view kHashListName = "plugins.sha256";

/// A file that passed. Hold it until after the load: load_symbol compares what was loaded with what was vetted.
/// `hash_list`: a further list the file must stand in, or empty.
/// Errors: plugin_rejected with file, what was found, what was expected, remedy; not_found.
[[nodiscard]] Result<TrustedFile> vet_runner(const std::string& path, const std::string& hash_list = {});

/// The same for modules of another kind (HELIOS_MODULE_NOTE(kind)), e.g. "fetch".
[[nodiscard]] Result<TrustedFile> vet_module(const std::string& path, std::string_view kind,
                                             const std::string& hash_list = {});

}  // namespace helios::plugin
