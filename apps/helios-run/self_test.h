/// Tries to break out of a sandbox, on this very host, by the program that the project's own escape tests run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/executor/executor.h"
#include "core/policy/policy.h"
#include "helios/error.h"

namespace helios::app {

enum class Verdict {
  stopped,
  allowed,      ///< it got through, and the policy says that it may
  got_through,  ///< NOT stopped
  not_tried,
};
[[nodiscard]] std::string_view name(Verdict verdict);

struct ProbeReport {
  std::string attack;  ///< the class, "ptrace-parent"
  std::string about;   ///< in words
  Verdict verdict{Verdict::not_tried};
  std::string detail;  ///< what the probe saw, or why it could not be tried
};

struct SelfTest {
  std::string runner;
  std::string program;  ///< helios-selftest
  policy::Policy policy;
  RunOptions options;  ///< workspace and limits are set by the test
  Surroundings around;
};

/// Lays out baits (a file, a process, listeners) in a folder of its own below /tmp, runs one attack after the other and
/// takes everything away again. Errors: when the baits cannot be laid out, or the policy cannot be used here.
[[nodiscard]] Result<std::vector<ProbeReport>> run_self_test(Executor& executor, const SelfTest& test);

}  // namespace helios::app
