// helios-run doctor: what a runner can and cannot do on this host; with --self-test, whether it holds.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/self_test.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/text.h"
#include "apps/helios-run/wiring.h"
#include "core/policy/policy.h"
#include "core/spec/worker_result_json.h"

namespace helios::app {
namespace {

std::string findings_json(const std::string& runner, const std::vector<Finding>& findings, bool runs) {
  return R"({"runner":)" + json_string(runner) + R"(,"usable":)" + (runs ? "true" : "false") + R"(,"findings":)" +
         spec::findings_to_json(findings, -1) + "}\n";
}

// A probe is asked without options, so that it tells of the place a run takes by itself. The variable is meant for
// runs; a flag that changed nothing would be a false answer.
Status check_parent(const Settings& s) {
  const char* variable = std::getenv("HELIOS_CGROUP_PARENT");
  if (s.run.cgroup_parent.empty() || (variable != nullptr && s.run.cgroup_parent == variable)) return {};
  return fail(ErrorCode::invalid_argument, "--cgroup-parent: doctor only looks at the place that runs take without it",
              "a run tells whether it can be used, and doctor --self-test takes it");
}

Result<int> probe(Executor& executor, const Settings& s) {
  if (auto ok = check_parent(s); !ok) return fail(ok.error());
  auto findings = executor.probe();
  if (!findings) return fail(findings.error());
  const bool runs = std::none_of(findings->begin(), findings->end(),
                                 [](const Finding& f) { return f.severity == Severity::blocking; });
  const std::string text =
      output_format(s) == OutputFormat::json
          ? findings_json(s.sandbox, *findings, runs)
          : findings_text(*findings) + s.sandbox + (runs ? " can run on this host\n" : " CANNOT run on this host\n");
  if (auto ok = write_stdout(text); !ok) return fail(ok.error());
  return runs ? 0 : 1;
}

std::size_t count(const std::vector<ProbeReport>& reports, Verdict verdict) {
  return static_cast<std::size_t>(
      std::count_if(reports.begin(), reports.end(), [&](const ProbeReport& r) { return r.verdict == verdict; }));
}

std::string reports_json(const SelfTest& test, const std::vector<ProbeReport>& reports, bool holds) {
  std::string items;
  for (const ProbeReport& r : reports) {
    items += (items.empty() ? "" : ",") + (R"({"attack":)" + json_string(r.attack)) + R"(,"about":)" +
             json_string(r.about) + R"(,"verdict":)" + json_string(name(r.verdict)) + R"(,"detail":)" +
             json_string(r.detail) + "}";
  }
  return R"({"runner":)" + json_string(test.runner) + R"(,"policy":)" + json_string(test.policy.name) + R"(,"holds":)" +
         (holds ? "true" : "false") + R"(,"attacks":[)" + items + "]}\n";
}

std::string_view word(Verdict v) {
  switch (v) {
    case Verdict::stopped:
      return "stopped         ";
    case Verdict::allowed:
      return "allowed         ";
    case Verdict::got_through:
      return "NOT STOPPED     ";
    case Verdict::not_tried:
      return "could not try   ";
  }
  return "";
}

std::string reports_lines(const SelfTest& test, const std::vector<ProbeReport>& reports, bool holds) {
  std::string text;
  for (const ProbeReport& r : reports) {
    text += std::string(word(r.verdict)) + r.about + " (" + r.attack + ")";
    if (r.verdict == Verdict::allowed) text += ": the policy says so";
    if (r.verdict == Verdict::got_through || r.verdict == Verdict::not_tried) text += ": " + one_line(r.detail);
    text += "\n";
  }
  return text + test.runner + " under policy " + one_line(test.policy.name) + ": " +
         std::to_string(count(reports, Verdict::stopped)) + " stopped, " +
         std::to_string(count(reports, Verdict::got_through)) + " NOT stopped, " +
         std::to_string(count(reports, Verdict::allowed)) + " allowed, " +
         std::to_string(count(reports, Verdict::not_tried)) + " could not be tried" +
         (holds ? "\n" : ": it does NOT hold on this host\n");
}

/// lib/helios in an installation, libexec in a build tree.
std::string self_test_program() {
  const std::string here = program_dir();
  for (const char* place : {"/../" HELIOS_LIBDIR "/helios/helios-selftest", "/../libexec/helios-selftest"}) {
    std::string path = here + place;
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return here + "/../" HELIOS_LIBDIR "/helios/helios-selftest";  // reading it tells what is wrong
}

Result<int> try_to_break_out(Executor& executor, const Settings& s) {
  auto around = surroundings_of_process();
  if (!around) return fail(around.error());
  auto policy = policy::load_policy(s.policy, policy_dirs());
  if (!policy) return fail(policy.error());
  const SelfTest test{s.sandbox, self_test_program(), *std::move(policy), s.run, *std::move(around)};
  auto reports = run_self_test(executor, test);
  if (!reports) return fail(reports.error());
  // With nothing stopped nothing was proven.
  const bool holds = count(*reports, Verdict::got_through) == 0 && count(*reports, Verdict::stopped) > 0;
  const bool json = output_format(s) == OutputFormat::json;
  if (auto ok = write_stdout(json ? reports_json(test, *reports, holds) : reports_lines(test, *reports, holds)); !ok)
    return fail(ok.error());
  return holds ? 0 : 1;
}

}  // namespace

Result<int> doctor(Invocation& in, Log& log) {
  const Settings& s = in.settings;
  plugin::RunnerCatalog catalog = make_catalog(s);
  auto executor = make_executor(catalog, s.sandbox, log, -1);
  if (!executor) return fail(executor.error());
  return s.self_test ? try_to_break_out(*executor, s) : probe(*executor, s);
}

}  // namespace helios::app
