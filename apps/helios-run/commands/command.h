/// What every sub-command is. Adding one: a file in this folder and a line in commands.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/helios-run/option_table.h"
#include "apps/helios-run/settings.h"
#include "core/log.h"
#include "helios/error.h"

namespace helios::app {

/// What a sub-command works with.
struct Invocation {
  Settings settings;
  std::vector<std::string> arguments;  ///< words that are no options
  std::vector<std::string> command;    ///< what followed "--"
};

/// `run` answers the exit status, or an Error: 125 and one line on stderr.
struct Command {
  std::string_view name;  ///< empty: the one that runs chunks
  std::string_view usage;
  std::string_view summary;
  Scope options{Scope::everywhere};
  std::size_t max_arguments{0};
  bool takes_command{false};  ///< "-- CMD ARG..."
  Result<int> (*run)(Invocation&, Log&);
};

[[nodiscard]] const std::vector<Command>& commands();
[[nodiscard]] const Command* find_command(std::string_view name);

Result<int> run_chunk(Invocation& invocation, Log& log);
Result<int> list_plugins(Invocation& invocation, Log& log);
Result<int> doctor(Invocation& invocation, Log& log);
Result<int> collect_garbage(Invocation& invocation, Log& log);
Result<int> policy_tools(Invocation& invocation, Log& log);  ///< show, validate, diff, learn
Result<int> learn_policy(Invocation& invocation, Log& log);
Result<int> explain_result(Invocation& invocation, Log& log);
Result<int> suggest_limits(Invocation& invocation, Log& log);

}  // namespace helios::app
