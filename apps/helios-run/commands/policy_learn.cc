// helios-run policy learn: runs a chunk while recording what it uses, and proposes a policy that allows that.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/load_job.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/text.h"
#include "apps/helios-run/wiring.h"
#include "core/digest/sha256.h"
#include "core/executor/cancel_signals.h"
#include "core/executor/named_folder.h"
#include "core/executor/result_file.h"
#include "core/policy/draft.h"
#include "core/policy/policy.h"
#include "core/spec/json_problem.h"
#include "core/sys/path.h"

namespace helios::app {
namespace {

constexpr std::size_t kMostNamed = 12;  // paths of one kind in the note

/// "a, b, c and 12 more"
std::string enumerated(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostNamed); ++i) {
    text += (i == 0 ? "" : ", ") + spec::escape_for_message(names[i], 120);
  }
  if (names.size() > kMostNamed) text += " and " + std::to_string(names.size() - kMostNamed) + " more";
  return text;
}

void line(std::string& text, const std::string& label, const std::vector<std::string>& names) {
  if (!names.empty()) text += "  " + label + " (" + std::to_string(names.size()) + "): " + enumerated(names) + "\n";
}

std::vector<std::string> named(const std::vector<Use>& used, std::string_view kind) {
  std::vector<std::string> names;
  for (const Use& use : used) {
    if (use.kind == kind) names.push_back(use.name);
  }
  return names;
}

/// What was looked for, is not shown, and is on the host: the first suspects when a learned policy is too tight.
std::vector<std::string> hidden(const std::vector<Use>& used, const ExecutionRequest& request) {
  std::vector<std::string> names = named(used, "missing");
  std::erase_if(names, [&](const std::string& path) {
    struct stat st {};
    return sys::lies_within(path, "/tmp") || sys::lies_within(path, "/dev") || sys::lies_within(path, "/proc") ||
           sys::lies_within(path, request.workspace) || ::lstat(path.c_str(), &st) != 0;
  });
  return names;
}

std::string coverage(const ExecutionRequest& request, const WorkerResult& result, const policy::Draft& draft) {
  const std::vector<Use>& used = result.execution.used;
  std::string text = "coverage: " + status_line(result) + "\n";
  std::vector<std::string> calls(draft.calls.begin(), draft.calls.end()), sockets, refused, unused;
  for (const Use& use : used) {
    if (use.kind == "socket") sockets.push_back(use.detail + " x" + std::to_string(use.count));
    if (use.kind == "unseen") text += "  NOT SEEN: " + use.name + ": " + use.detail + "\n";
  }
  line(text, "calls beyond the base set", calls);
  line(text, "sockets", sockets);
  line(text, "programs", named(used, "program"));
  std::vector<std::string> written = named(used, "written");
  std::erase_if(written, [&](const std::string& path) { return sys::lies_within(path, request.workspace); });
  line(text, "files read", named(used, "read"));
  line(text, "written outside the workspace", written);
  line(text, "looked for, not shown, but on the host", hidden(used, request));
  for (const Mount& m : request.profile.mounts) {
    const auto same = [&](const Mount& kept) { return kept.target == m.target; };
    if (std::none_of(draft.mounts.begin(), draft.mounts.end(), same)) unused.push_back(m.target);
  }
  line(text, "mounts of '" + request.profile.policy_name + "' that were not used and are left out", unused);
  for (const Denial& d : result.execution.denied) {
    refused.push_back(d.syscall + " x" + std::to_string(d.count) + " (" + d.error + ")");
  }
  line(text, "refused while learning, not in the draft", refused);
  return text;
}

Status check(const Settings& s) {
  if (s.sandbox != "isolated" && s.sandbox != "dry-run") return {};
  if (s.dry_run || s.sandbox == "dry-run") {
    return fail(ErrorCode::invalid_argument, "policy learn has to run the chunk: a dry run uses nothing");
  }
  return {};
}

Error nothing_recorded(const std::string& runner, const WorkerResult& result) {
  std::string why = "the runner '" + runner + "' does not record what a run uses";
  if (runner == "isolated") {
    why =
        "nothing was recorded: another program (a container's supervisor) already listens to the filters of this "
        "process tree";
    const Termination& end = result.execution.termination;
    if (end.reason == Reason::not_started) {
      return {ErrorCode::not_found, "nothing to learn from: " + end.detail, "name a program that the policy shows"};
    }
  }
  return {ErrorCode::unsupported, why, "learn with --sandbox=isolated, outside such a container"};
}

/// The policy to start from, with the learning filter in place of its own.
Result<policy::Policy> learning_policy(const Settings& s) {
  auto base = policy::load_policy(s.policy, policy_dirs());
  if (!base) return base;
  base->profile.seccomp_json = policy::learning_profile();
  base->profile.seccomp_sha256 = digest::sha256_hex(base->profile.seccomp_json);
  return base;
}

Result<policy::Draft> earlier(const Settings& s) {
  if (s.merge_file.empty()) return policy::Draft();
  return policy::read_draft(s.merge_file, policy_dirs());
}

}  // namespace

Result<int> learn_policy(Invocation& in, Log& log) {
  Settings& s = in.settings;
  if (in.arguments.size() > 1) {
    return fail(ErrorCode::invalid_argument, "policy learn: unexpected argument '" + in.arguments[1] + "'",
                "a command to run follows --");
  }
  if (auto ok = check(s); !ok) return fail(ok.error());
  s.run.learn = true;
  auto around = surroundings_of_process();
  if (!around) return fail(around.error());
  auto job = load_job(in);
  if (!job) return fail(job.error());
  auto base = learning_policy(s);
  if (!base) return fail(base.error());
  auto before = earlier(s);
  if (!before) return fail(before.error());

  auto signals = CancelSignals::install();
  if (!signals) return fail(signals.error());
  plugin::RunnerCatalog catalog = make_catalog(s);
  auto executor = make_executor(catalog, s.sandbox, log, signals->fd());
  if (!executor) return fail(executor.error());
  auto request = executor->prepare(job->job(), *base, s.run, *around);
  if (!request) return fail(request.error());
  std::optional<ResultFile> file;
  if (!s.draft_file.empty()) {
    auto opened = ResultFile::open(s.draft_file, writable_trees(*request));
    if (!opened) return fail(opened.error());
    file.emplace(*std::move(opened));
  }
  auto result = executor->run(job->job(), s.run, *request);
  if (!result) return fail(result.error());
  for (const std::string& note : result->execution.notes) log.write(LogLevel::warning, note);
  const auto& used = result->execution.used;
  if (std::none_of(used.begin(), used.end(), [](const Use& u) { return u.kind == "syscall"; })) {
    return fail(nothing_recorded(s.sandbox, *result));
  }

  const policy::Draft now = policy::draft_of(*request, result->execution);
  const std::string json = policy::to_json(policy::merged(*before, now));
  print_notice(coverage(*request, *result, now));
  if (!result->success) {
    log.write(LogLevel::warning,
              "the command failed (" + status_line(*result) + "): the draft only covers what it did until then");
    if (!result->err.text.empty()) print_notice(result_text(*result));
  }
  const Status written = file ? file->commit(json) : write_stdout(json);
  if (!written) return fail(written.error());
  return result->exit_code;
}

}  // namespace helios::app
