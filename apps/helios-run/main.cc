// helios-run: wires the parts together. What a run is, is decided in core/executor.

#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/parse.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/wiring.h"
#include "core/executor/cancel_signals.h"
#include "core/executor/ending.h"

namespace {

using namespace helios;       // NOLINT: the program's own file
using namespace helios::app;  // NOLINT

int print(std::string_view text) {
  auto ok = write_stdout(text);
  if (!ok) print_failure(ok.error());
  return ok ? 0 : kRunnerFailed;
}

Result<int> run(const std::vector<std::string>& words) {
  auto parsed = parse(words, environment_of_process());
  if (!parsed) return fail(parsed.error());
  if (parsed->help) return print(*parsed->help);
  const Settings& s = parsed->invocation.settings;
  Log log("helios-run", s.log_level, s.log_format);
  for (const std::string& warning : parsed->warnings) log.write(LogLevel::warning, warning);
  return parsed->command->run(parsed->invocation, log);
}

}  // namespace

int main(int argc, char** argv) {
  fill_missing_descriptors();
  repair_inherited_signals();
  // Before anything is built: scripts ask for it all the time.
  if (argc == 2 && std::string_view(argv[1]) == "--version") return print("helios-run " HELIOS_VERSION "\n");
  try {
    auto status = run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
    if (status) return *status;
    print_failure(status.error());
  } catch (const std::exception& e) {
    print_failure({ErrorCode::internal, std::string("a bug of helios-run: ") + e.what()});
  }
  return kRunnerFailed;
}
