/// The one table of options: the command line, the HELIOS_* variables, --help and docs/cli.md come from it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/helios-run/settings.h"
#include "helios/error.h"

namespace helios::app {

/// How much a command takes: each also takes what stands before it.
enum class Scope { everywhere, policies, runs, learning, named };

struct OptionRow {
  std::string_view flag;   ///< "--memory"
  std::string_view group;  ///< heading in --help
  std::string_view value;  ///< what follows it, "SIZE"; empty: a switch
  std::string_view help;
  Status (*set)(Settings&, std::string_view value);  ///< of a switch: value is "true" or "false"
  Scope scope{Scope::runs};
  bool repeatable{false};   ///< each use adds; a variable holds one per line
  std::string_view also{};  ///< commands that take it whatever the scope says; with Scope::named nobody else does
};

[[nodiscard]] const std::vector<OptionRow>& option_rows();

/// The row of a flag; nullptr if there is none.
[[nodiscard]] const OptionRow* find_option(std::string_view flag);

/// "HELIOS_MEMORY" for "--memory"; HELIOS_PLUGIN_PATH (separated by ':') for --plugin-dir.
[[nodiscard]] std::string variable_of(const OptionRow& row);

}  // namespace helios::app
