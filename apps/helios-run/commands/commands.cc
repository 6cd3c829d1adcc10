#include <algorithm>

#include "apps/helios-run/commands/command.h"

namespace helios::app {

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands{
      {"", "helios-run [OPTIONS] --spec FILE|-|URL --chunk ID\n       helios-run [OPTIONS] -- CMD ARG...",
       "Run one chunk of a Helios job, or one command, in a sandbox; the result is JSON on stdout.", Scope::runs, 0,
       true, run_chunk},
      {"plugins", "helios-run plugins [OPTIONS]", "List the runners that were found, and whether they may be used.",
       Scope::everywhere, 0, false, list_plugins},
      {"doctor", "helios-run doctor [--sandbox NAME] [OPTIONS]",
       "What a runner can and cannot do on this host, and the remedy. Exit status 0: it can run.", Scope::everywhere, 0,
       false, doctor},
  };
  return kCommands;
}

const Command* find_command(std::string_view name) {
  const auto& all = commands();
  const auto at = std::find_if(all.begin(), all.end(), [&](const Command& c) { return c.name == name; });
  return at == all.end() ? nullptr : &*at;
}

}  // namespace helios::app
