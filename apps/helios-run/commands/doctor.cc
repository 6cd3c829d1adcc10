// helios-run doctor: what a runner finds out about this host.

#include <algorithm>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/text.h"
#include "apps/helios-run/wiring.h"
#include "core/spec/worker_result_json.h"

namespace helios::app {

Result<int> doctor(Invocation& in, Log& log) {
  const Settings& s = in.settings;
  plugin::RunnerCatalog catalog = make_catalog(s);
  auto executor = make_executor(catalog, s.sandbox, log, -1);
  if (!executor) return fail(executor.error());
  auto findings = executor->probe();
  if (!findings) return fail(findings.error());
  const bool runs = std::none_of(findings->begin(), findings->end(),
                                 [](const Finding& f) { return f.severity == Severity::blocking; });
  std::string text;
  if (output_format(s) == OutputFormat::json) {
    text = R"({"runner":)" + json_string(s.sandbox) + R"(,"usable":)" + (runs ? "true" : "false") + R"(,"findings":)" +
           spec::findings_to_json(*findings, -1) + "}\n";
  } else {
    text = findings_text(*findings) + s.sandbox + (runs ? " can run on this host\n" : " CANNOT run on this host\n");
  }
  if (auto ok = write_stdout(text); !ok) return fail(ok.error());
  return runs ? 0 : 1;
}

}  // namespace helios::app
