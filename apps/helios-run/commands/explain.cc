// helios-run explain RESULT.json: why a run ended as it did, and what would have let it go on.

#include <unistd.h>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/explanation.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/wiring.h"
#include "core/policy/policy.h"
#include "core/spec/worker_result_reader.h"
#include "core/sys/file.h"

namespace helios::app {
namespace {

Result<WorkerResult> read_result(const std::string& file) {
  auto text =
      file == "-" ? sys::read_fd(STDIN_FILENO, spec::kMaxResultBytes) : sys::read_file(file, spec::kMaxResultBytes);
  if (!text) return fail(text.error());
  return spec::read_worker_result(*text, file == "-" ? "standard input" : file);
}

}  // namespace

Result<int> explain_result(Invocation& in, Log& log) {
  Settings& s = in.settings;
  if (in.arguments.empty()) {
    return fail(ErrorCode::invalid_argument, "explain wants a result",
                "helios-run explain RESULT.json (from --result), or -");
  }
  auto result = read_result(in.arguments.front());
  if (!result) return fail(result.error());
  const bool named = s.policy_named;
  auto policy = policy::load_policy(named || result->policy.empty() ? s.policy : result->policy, policy_dirs());
  if (!policy && named) return fail(policy.error());
  if (!policy) {
    log.write(LogLevel::warning,
              "the policy '" + result->policy + "' is not found here, so no rule is named; --policy FILE names it");
  } else if (!result->policy_sha256.empty() && policy->sha256 != result->policy_sha256) {
    log.write(LogLevel::warning,
              "the policy " + policy->path + " is not the one of that run (its sha256 differs): lines may be others");
  }
  const auto explanations = explain(*result, policy ? &*policy : nullptr);
  const bool json = s.output == OutputFormat::json;
  if (auto ok = write_stdout(json ? explanation_json(explanations) : explanation_text(explanations)); !ok) {
    return fail(ok.error());
  }
  return 0;
}

}  // namespace helios::app
