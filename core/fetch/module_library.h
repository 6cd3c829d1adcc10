/// Finding a fetch module and having it vetted and loaded by core/plugin.
#pragma once

#include <string>
#include <vector>

#include "core/fetch/module.h"
#include "helios/error.h"

namespace helios::fetch {

/// helios-fetch-`name`.so from the first of `dirs` that has it; loaded once, never unloaded. A first match that is
/// refused stops the search. Errors: fetch_failed (no such module), plugin_rejected (file and reason). [any thread]
[[nodiscard]] Result<const HeliosFetchModule*> load_fetch_module(const std::string& name,
                                                                 const std::vector<std::string>& dirs);

}  // namespace helios::fetch
