#include "core/executor/executor.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/executor/bottleneck.h"
#include "core/executor/capture.h"
#include "core/executor/ending.h"
#include "core/executor/environment.h"
#include "core/executor/named_folder.h"
#include "core/executor/output_contract.h"
#include "core/spec/command_line.h"
#include "core/sys/file.h"
#include "core/sys/path.h"

namespace helios {
namespace {

constexpr std::uint64_t kDefaultCapture = std::uint64_t{8} << 20;

std::size_t capture_limit(const RunOptions& options, const Limits& limits) {
  const std::uint64_t bound = std::min(kDefaultCapture, limits[Limit::output_bytes].value_or(kDefaultCapture));
  return static_cast<std::size_t>(options.capture_bytes.value_or(bound));
}

// The two streams of one run, and everything else a runner asks of its host.
class RunHost final : public Host {
 public:
  RunHost(const ExecutorHooks& hooks, std::size_t capture, sys::UniqueFd out_copy, sys::UniqueFd err_copy)
      : hooks_(hooks), out_(capture, std::move(out_copy)), err_(capture, std::move(err_copy)) {}

  void output(Stream stream, std::string_view bytes) noexcept override {
    if (stream == Stream::timeline) return add_sample(bytes);
    (stream == Stream::out ? out_ : err_).append(bytes);
  }
  [[nodiscard]] std::span<char> room(Stream stream) noexcept override {
    if (stream == Stream::timeline) return {};
    return (stream == Stream::out ? out_ : err_).room();
  }
  void log(LogLevel level, std::string_view message) noexcept override {
    if (hooks_.log) hooks_.log(level, message);
  }
  [[nodiscard]] int cancel_fd() const noexcept override { return hooks_.cancel_fd; }
  [[nodiscard]] Result<Plan> plan_with(std::string_view runner, const ExecutionRequest& request) noexcept override {
    if (!hooks_.plan_with) return fail(ErrorCode::unsupported, "no other runner can be asked for a plan here");
    return hooks_.plan_with(runner, request);
  }

  void keep_timeline(sys::UniqueFd file) { timeline_ = std::move(file); }
  /// Why the timeline is not whole; empty: it is.
  [[nodiscard]] std::string timeline_problem() const {
    if (!timeline_.valid()) return {};
    if (timeline_error_) return "the timeline is incomplete: " + timeline_error_->message;
    return sampled_ ? "" : "the timeline is empty: without control groups, or by this runner, nothing is sampled";
  }
  [[nodiscard]] OutputCollector& out() { return out_; }
  [[nodiscard]] OutputCollector& err() { return err_; }

 private:
  void add_sample(std::string_view line) noexcept {
    sampled_ = true;
    if (!timeline_.valid() || timeline_error_) return;
    if (auto written = sys::write_all(timeline_.get(), line); !written) timeline_error_ = written.error();
  }

  const ExecutorHooks& hooks_;
  OutputCollector out_, err_;
  sys::UniqueFd timeline_;
  bool sampled_{false};
  std::optional<Error> timeline_error_;
};

Result<sys::UniqueFd> open_copy(const Job& job, const RunOptions& options, const ExecutionRequest& request,
                                std::string_view stream) {
  if (options.log_dir.empty()) return sys::UniqueFd();
  const std::string name = job.chunk == nullptr ? "command" : std::to_string(job.chunk->id);
  return open_stream_log(options.log_dir, name + "." + std::string(stream), writable_trees(request));
}

HostInfo host_info(const Execution& execution) {
  HostInfo host;
  utsname name{};
  if (::uname(&name) == 0) host.kernel = name.release;
  host.cgroup = execution.cgroup;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    host.cpus = static_cast<unsigned>(CPU_COUNT(&set));
  } else {  // more processors than a cpu_set_t can name
    host.cpus = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  }
  return host;
}

// A command that says it succeeded, but did not leave what it promised.
void judge_output(WorkerResult& result, bool required) {
  if (!required || !result.output) return;
  const OutputFile& file = *result.output;
  if (file.exists && file.problem.empty()) return;
  Termination& end = result.execution.termination;
  if (end.reason != Reason::exited || end.exit_code != 0) return;
  end.reason = Reason::output_missing;
  end.detail = "output file '" + file.path + "' " + (file.problem.empty() ? "does not exist" : file.problem);
  end.evidence.push_back({"wait", "exit_code", 0});
}

void conclude(WorkerResult& result) {
  const Termination& end = result.execution.termination;
  result.exit_code = exit_code_of(end);
  result.success = end.reason == Reason::exited && result.exit_code == 0;
  result.retry = retry_of(end);
  result.bottleneck = bottleneck_of(result.execution);
}

void note_incomplete_copy(WorkerResult& result, const OutputCollector& stream, std::string_view name) {
  if (!stream.copy_problem()) return;
  result.execution.notes.push_back("the copy of " + std::string(name) +
                                   " in the log folder is incomplete: " + stream.copy_problem()->message);
}

void fill_identity(WorkerResult& result, const ExecutionRequest& request) {
  result.job_id = request.job_id;
  result.attempt = request.attempt;
  result.policy = request.profile.policy_name;
  result.policy_sha256 = request.profile.policy_sha256;
}

// A policy describes what isolation shows, where there is any; in the options somebody asked for it by name.
Status require_no_isolation(const RunOptions& options, const std::string& runner) {
  const std::string_view asked = options.network == Network::none                      ? "--network none"
                                 : !options.rootfs.empty() && options.rootfs != "host" ? "--rootfs"
                                 : !options.mounts.empty()                             ? "--bind, --ro-bind or --tmpfs"
                                                                                       : "";
  if (asked.empty()) return {};
  return fail(ErrorCode::unsupported, std::string(asked) + ": the runner '" + runner + "' confines nothing",
              "use --sandbox=isolated, or leave it out");
}

Result<sys::UniqueFd> open_timeline(const RunOptions& options, const ExecutionRequest& request) {
  if (options.timeline.empty()) return sys::UniqueFd();
  const std::string name = options.timeline.substr(options.timeline.rfind('/') + 1);
  return open_stream_log(sys::folder_of(options.timeline), name, writable_trees(request));
}

}  // namespace

Executor::Executor(ChosenRunner runner, ExecutorHooks hooks) : chosen_(std::move(runner)), hooks_(std::move(hooks)) {
  if (!hooks_.now) hooks_.now = [] { return std::chrono::system_clock::now(); };
}

void Executor::log(LogLevel level, std::string_view message) const {
  if (hooks_.log) hooks_.log(level, message);
}

Result<ExecutionRequest> Executor::prepare(const Job& job, const policy::Policy& policy, const RunOptions& options,
                                           const Surroundings& around) {
  if (chosen_.confines_nothing) {
    if (auto ok = require_no_isolation(options, chosen_.name); !ok) return fail(ok.error());
  }
  const auto home =
      std::find_if(around.env.begin(), around.env.end(), [](const EnvVar& v) { return v.name == "HOME"; });
  auto places = resolve_places({around.cwd, job.spec_dir, options.workspace, options.workdir, output_file_of(job),
                                home == around.env.end() ? "" : home->value});
  if (!places) return fail(places.error());
  auto request = build_request(job, policy, options, around, *places);
  if (!request) return request;
  if (job.chunk != nullptr && request->argv.back() != job.chunk->command) {  // a shell gets it in one piece
    if (const auto token = spec::shell_looking_token(job.chunk->command)) {
      log(LogLevel::warning, "the command of chunk " + std::to_string(job.chunk->id) +
                                 " looks as if it wanted a shell ('" + *token +
                                 "'), but none is involved; --shell or \"shell\": true gives it one");
    }
  }
  for (const std::string& name : options.pass_env) {
    const auto& env = around.env;
    if (std::none_of(env.begin(), env.end(), [&](const EnvVar& v) { return v.name == name; })) {
      log(LogLevel::warning, "--pass-env " + name + ": there is no such variable");
    }
  }
  return request;
}

Result<Plan> Executor::plan(const ExecutionRequest& request) {
  RunHost host(hooks_, 0, {}, {});
  auto plan = chosen_.runner->plan(request, host);
  if (plan) hide_secrets(*plan);
  return plan;
}

Result<std::vector<Finding>> Executor::probe() {
  RunHost host(hooks_, 0, {}, {});
  return chosen_.runner->probe(host);
}

Result<WorkerResult> Executor::run(const Job& job, const RunOptions& options, const ExecutionRequest& request) {
  auto out_copy = open_copy(job, options, request, "stdout");
  if (!out_copy) return fail(out_copy.error());
  auto err_copy = open_copy(job, options, request, "stderr");
  if (!err_copy) return fail(err_copy.error());
  RunHost host(hooks_, capture_limit(options, request.limits), *std::move(out_copy), *std::move(err_copy));
  auto timeline = open_timeline(options, request);
  if (!timeline) return fail(timeline.error().while_doing("--timeline"));
  host.keep_timeline(*std::move(timeline));
  const OutputContract contract(request.workspace, request.output_file, output_file_of(job));

  WorkerResult result;
  result.started_at = rfc3339(hooks_.now());
  const auto start = std::chrono::steady_clock::now();
  // The request alone: a runner behind the plugin boundary plans it itself, by the code that `plan` shows.
  auto execution = chosen_.runner->run(Plan{request, {}, {}, nullptr}, host);
  if (!execution) return fail(execution.error());
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);

  result.execution = *std::move(execution);
  hide_secrets(result.execution, request);
  fill_identity(result, request);
  if (job.chunk != nullptr) result.chunk_id = job.chunk->id;
  result.runner = chosen_.name;
  result.runner_version = chosen_.version;
  const auto duration = result.execution.usage.get(Figure::duration_ms);
  result.duration_ms = static_cast<std::uint64_t>(std::lround(duration.value_or(static_cast<double>(whole.count()))));
  result.out = host.out().finish();
  result.err = host.err().finish();
  note_incomplete_copy(result, host.out(), "stdout");
  note_incomplete_copy(result, host.err(), "stderr");
  if (auto problem = host.timeline_problem(); !problem.empty()) result.execution.notes.push_back(std::move(problem));
  const bool was_cancelled = result.execution.termination.reason == Reason::cancelled;
  result.output = contract.check([&] { return was_cancelled || sys::has_bytes(hooks_.cancel_fd); });
  result.host = host_info(result.execution);
  judge_output(result, options.require_output);
  conclude(result);
  return result;
}

std::string rfc3339(std::chrono::system_clock::time_point when) {
  // By the calendar of the library: gmtime_r would open and read the time zone's file first.
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::milliseconds>(when - day));
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return text;
}

WorkerResult setup_failed_result(const Error& error, const ExecutionRequest& request) {
  WorkerResult result;
  fill_identity(result, request);
  result.chunk_id = request.chunk_id;
  result.execution.termination.reason = Reason::setup_failed;
  result.execution.termination.detail = error.message;
  result.execution.cgroup = "none";
  result.host = host_info(result.execution);
  conclude(result);
  return result;
}

}  // namespace helios
