/// Command lines, split exactly as Helios' worker splits them (tests/data/golden/command_lines.json). No shell.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "helios/error.h"

namespace helios::spec {

/// Splits at JavaScript's white space. Quotes of both kinds group and are dropped; a backslash takes the next
/// character literally, inside either kind of quotes too; what is left open at the end is simply closed.
/// Shape: may hold empty words ("" or ''), and no word at all for a lone backslash; whether the result can be run is
/// the caller's to check. Errors: invalid_spec when the command is blank.
[[nodiscard]] Result<std::vector<std::string>> split_command(std::string_view command);

/// Whether the command holds nothing but what JavaScript's trim() removes.
[[nodiscard]] bool is_blank(std::string_view command);

/// The first word that only a shell would understand (`|`, `&&`, `>out`, `$HOME`, `A=1` before a command, `*` …), as
/// written; nothing if there is none. A guess for a warning, never a reason to refuse: without a shell such words
/// are passed to the program as they are.
[[nodiscard]] std::optional<std::string> shell_looking_token(std::string_view command);

}  // namespace helios::spec
