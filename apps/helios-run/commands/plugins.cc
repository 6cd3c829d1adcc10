// helios-run plugins: every runner's file, and what becomes of it.

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/text.h"
#include "apps/helios-run/wiring.h"
#include "core/spec/worker_result_json.h"

namespace helios::app {
namespace {

void member(std::string& json, std::string_view key, std::string_view raw_value) {
  json += json.empty() ? "{" : ",";
  json += json_string(key) + ":" + std::string(raw_value);
}

std::string error_json(const Error& e) {
  std::string json;
  member(json, "message", json_string(e.message));
  if (!e.remedy.empty()) member(json, "remedy", json_string(e.remedy));
  return json + "}";
}

std::string report_json(const plugin::PluginReport& p) {
  std::string json;
  member(json, "name", json_string(p.name));
  member(json, "file", json_string(p.file));
  member(json, "usable", p.refusal || !p.shadowed_by.empty() ? "false" : "true");
  if (p.refusal) {
    member(json, "refused", error_json(*p.refusal));
    return json + "}";
  }
  if (!p.shadowed_by.empty()) member(json, "shadowedBy", json_string(p.shadowed_by));
  member(json, "version", json_string(p.version));
  member(json, "abi", std::to_string(p.abi));
  member(json, "buildTag", json_string(p.build_tag));
  member(json, "summary", json_string(p.summary));
  member(json, "startsNothing", p.starts_nothing ? "true" : "false");
  member(json, "inheritsEnvironment", p.inherits_environment ? "true" : "false");
  member(json, "confinesNothing", p.confines_nothing ? "true" : "false");
  if (p.probe_error) member(json, "probeError", error_json(*p.probe_error));
  member(json, "findings", spec::findings_to_json(p.findings, -1));
  return json + "}";
}

}  // namespace

Result<int> list_plugins(Invocation& in, Log&) {
  plugin::RunnerCatalog catalog = make_catalog(in.settings);
  const auto reports = catalog.list();
  std::string text;
  if (output_format(in.settings) == OutputFormat::text) {
    text = reports_text(reports);
  } else {
    for (const auto& report : reports) text += (text.empty() ? "[" : ",\n ") + report_json(report);
    text += text.empty() ? "[]\n" : "]\n";
  }
  if (auto ok = write_stdout(text); !ok) return fail(ok.error());
  return 0;
}

}  // namespace helios::app
