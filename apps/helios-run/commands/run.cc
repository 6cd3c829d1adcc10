// helios-run [OPTIONS] --spec … --chunk N, and helios-run [OPTIONS] -- CMD ARG...

#include <optional>
#include <utility>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/text.h"
#include "apps/helios-run/wiring.h"
#include "core/executor/cancel_signals.h"
#include "core/executor/named_folder.h"
#include "core/executor/result_file.h"
#include "core/executor/verdict.h"
#include "core/fetch/fetch.h"
#include "core/policy/policy.h"
#include "core/spec/job_spec_reader.h"
#include "core/spec/worker_result_json.h"

namespace helios::app {
namespace {

constexpr std::string_view kDryRun = "dry-run";

// What is run, and what it points into.
struct LoadedJob {
  std::optional<JobSpec> spec;
  std::vector<std::string> argv;
  std::string spec_dir;

  [[nodiscard]] Job job() const {
    return {spec ? &*spec : nullptr, spec ? &spec->chunks.front() : nullptr, argv, spec_dir};
  }
};

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

Result<JobSpec> fetch_spec(const Settings& s, const spec::ChunkFilter& filter) {
  fetch::FetchOptions options;
  options.module_dirs = plugin_dirs(s);
  options.allow_private = s.allow_private_urls;
  options.timeout = s.fetch_timeout;
  options.ca_file = s.fetch_ca_file;
  auto text = fetch::fetch_url(s.spec, options);
  if (!text) return fail(text.error());
  return spec::read_job_spec(spec::SpecBytes{*text, s.spec}, filter, s.spec_sha256);
}

Result<JobSpec> read_spec(const Settings& s) {
  const spec::ChunkFilter filter{{*s.chunk}, false};
  if (fetch::url_scheme(s.spec)) return fetch_spec(s, filter);
  auto file = spec::open_spec_file(s.spec);
  if (!file) return fail(file.error());
  return spec::read_job_spec(*file, filter, s.spec_sha256);
}

Result<LoadedJob> load_job(const Invocation& in) {
  const Settings& s = in.settings;
  LoadedJob job;
  if (!in.command.empty()) {
    job.argv = in.command;
    return job;
  }
  if (s.spec.empty()) {
    return fail(ErrorCode::invalid_argument, "there is nothing to run",
                "name a spec and a chunk (--spec FILE --chunk ID), or a command after --");
  }
  if (!s.chunk) return fail(ErrorCode::invalid_argument, "--spec needs --chunk", "name the chunk to run: --chunk ID");
  auto spec = read_spec(s);
  if (!spec) return fail(spec.error());
  job.spec = *std::move(spec);
  if (s.spec != "-" && !fetch::url_scheme(s.spec)) job.spec_dir = folder_of(s.spec);
  return job;
}

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
  return deliver(*result, *file, s);
}

}  // namespace helios::app
