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
      {"doctor",
       "helios-run doctor [--sandbox NAME] [OPTIONS]\n       helios-run doctor --self-test [--policy NAME|FILE]",
       "What a runner can and cannot do on this host, with remedies; with --self-test, whether it holds. Exit status "
       "0: "
       "it can, it does.",
       Scope::everywhere, 0, false, doctor},
      {"gc", "helios-run gc [--dry-run] [OPTIONS] [FOLDER...]",
       "Remove what killed runs left: control groups, and drafts of result files in the folders named.",
       Scope::everywhere, 4096, false, collect_garbage},
      {"explain", "helios-run explain RESULT.json|- [--policy NAME|FILE]",
       "Why a run ended as it did: what was refused, by which line, and the line that would allow it.", Scope::policies,
       1, false, explain_result},
      {"policy",
       "helios-run policy show NAME|FILE\n"
       "       helios-run policy validate FILE...\n"
       "       helios-run policy diff NAME|FILE NAME|FILE\n"
       "       helios-run policy learn [-o FILE] [--merge FILE] [OPTIONS] -- CMD ARG...  (or --spec FILE --chunk ID)",
       "Show, check and compare policies; learn a draft of one from a run.", Scope::learning, 64, true, policy_tools},
      {"suggest", "helios-run suggest DIR|RESULT.json... [--policy NAME|FILE]",
       "From results of past runs: the limits that would have fitted, as patches.", Scope::policies, 4096, false,
       suggest_limits},
  };
  return kCommands;
}

const Command* find_command(std::string_view name) {
  const auto& all = commands();
  const auto at = std::find_if(all.begin(), all.end(), [&](const Command& c) { return c.name == name; });
  return at == all.end() ? nullptr : &*at;
}

}  // namespace helios::app
