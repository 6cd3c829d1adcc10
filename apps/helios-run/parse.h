/// From argv and the environment to an Invocation (CLI11's only home).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/helios-run/commands/command.h"
#include "helios/error.h"
#include "helios/request.h"

namespace helios::app {

struct Parsed {
  const Command* command{nullptr};
  Invocation invocation;
  std::optional<std::string> help;    ///< asked for: print this instead of running
  std::vector<std::string> warnings;  ///< for the log
};

/// `words`: argv without argv[0]. A flag wins over its variable; of a flag given twice the last one counts, unless it
/// is repeatable. Errors: invalid_argument, naming the flag or the variable.
[[nodiscard]] Result<Parsed> parse(const std::vector<std::string>& words, const std::vector<EnvVar>& environment);

}  // namespace helios::app
