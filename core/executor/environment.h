/// The command's variables: which a spec may set, and which values are never shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "helios/error.h"
#include "helios/execution.h"
#include "helios/job_spec.h"
#include "helios/request.h"
#include "helios/runner.h"

namespace helios {

/// Sets `v`, replacing an earlier one of the same name.
void set_variable(std::vector<EnvVar>& vars, EnvVar v);

/// "NAME=VALUE" with a usable name. Errors: invalid_argument.
[[nodiscard]] Result<EnvVar> parse_variable(std::string_view text);

/// Does the name look like a credential's (TOKEN, SECRET, PASSWORD, KEY …)? Its value is then never shown.
[[nodiscard]] bool looks_secret(std::string_view name);

/// What the plan shows, without the values of secret-looking variables: wherever such a value (from the request's
/// environments) occurs in the command or in an item, "<hidden>" stands in its place.
void hide_secrets(Plan& plan);
/// The same for what an execution tells in words of ours: command lines of processes, the reason, notes. A command line
/// that was cut off within such a value ends before it.
void hide_secrets(Execution& execution, const ExecutionRequest& request);

}  // namespace helios
