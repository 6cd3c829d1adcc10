// helios-run [OPTIONS] --spec … --chunk N, and helios-run [OPTIONS] -- CMD ARG...

#include <optional>
#include <utility>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/explanation.h"
#include "apps/helios-run/filter_check.h"
#include "apps/helios-run/load_job.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/text.h"
#include "apps/helios-run/wiring.h"
#include "core/executor/cancel_signals.h"
#include "core/executor/ending.h"
#include "core/executor/named_folder.h"
#include "core/executor/result_file.h"
#include "core/policy/policy.h"
#include "core/spec/worker_result_json.h"

namespace helios::app {
namespace {

constexpr std::string_view kDryRun = "dry-run";

Result<int> print_plan(Executor& executor, const ExecutionRequest& request, const Settings& s) {
  auto plan = executor.plan(request);
  if (!plan) return fail(plan.error());
  // --sandbox=dry-run is not what is planned; it only asks.
  const std::string& planned = s.sandbox == kDryRun ? request.plan_for : s.sandbox;
  const std::string text =
      output_format(s) == OutputFormat::json ? spec::plan_to_json(*plan, planned) + "\n" : plan_text(*plan, planned);
  if (auto ok = write_stdout(text); !ok) return fail(ok.error());
  return 0;
}

// A result that went nowhere still has to be told.
Error lost_result(const Error& why, const WorkerResult& result) {
  return {why.code, why.message + "; " + status_line(result), ""};
}

Result<int> deliver(const WorkerResult& result, std::optional<ResultFile>& file, const Settings& s) {
  const std::string json = spec::to_json(result) + "\n";
  if (file) {
    if (auto ok = file->commit(json); !ok) return fail(lost_result(ok.error(), result));
  }
  const bool text = output_format(s) == OutputFormat::text;
  if (auto ok = write_stdout(text ? result_text(result) : json); !ok) return fail(lost_result(ok.error(), result));
  return result.exit_code;
}

Result<std::optional<ResultFile>> open_result(const Settings& s, const ExecutionRequest& request) {
  if (s.result_file.empty()) return std::optional<ResultFile>();
  auto file = ResultFile::open(s.result_file, writable_trees(request));
  if (!file) return fail(file.error());
  return std::optional<ResultFile>(*std::move(file));
}

}  // namespace

Result<int> run_chunk(Invocation& in, Log& log) {
  Settings& s = in.settings;
  if (s.run.plan_for.empty() && s.sandbox == kDryRun) s.run.plan_for = "isolated";
  auto around = surroundings_of_process();
  if (!around) return fail(around.error());
  auto job = load_job(in);
  if (!job) return fail(job.error());
  auto policy = policy::load_policy(s.policy, policy_dirs());
  if (!policy) return fail(policy.error());
  if (auto ok = check_new_filter(*policy, around->cache_dir); !ok) return fail(ok.error());

  auto signals = CancelSignals::install();
  if (!signals) return fail(signals.error());
  plugin::RunnerCatalog catalog = make_catalog(s);
  auto executor = make_executor(catalog, s.sandbox, log, signals->fd());
  if (!executor) return fail(executor.error());
  auto request = executor->prepare(job->job(), *policy, s.run, *around);
  if (!request) return fail(request.error());
  if (s.dry_run || s.sandbox == kDryRun) return print_plan(*executor, *request, s);

  auto file = open_result(s, *request);
  if (!file) return fail(file.error());
  auto result = executor->run(job->job(), s.run, *request);
  if (!result) return fail(result.error());
  for (const std::string& note : result->execution.notes) log.write(LogLevel::warning, note);
  if (s.explain) print_notice(explanation_text(explain(*result, &*policy)));
  return deliver(*result, *file, s);
}

}  // namespace helios::app
