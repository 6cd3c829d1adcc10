/// Why a run ended as it did and what was refused on the way: from a result, and the policy it ran under.
#pragma once

#include <string>
#include <vector>

#include "core/policy/policy.h"
#include "helios/worker_result.h"

namespace helios::app {

/// One thing that stood in the way. Each part but `what` may be empty.
struct Explanation {
  std::string what;    ///< "ptrace was refused (EPERM) 3 times, first by strace (pid 12)"
  std::string detail;  ///< the call with its arguments, the evidence
  std::string why;     ///< what it is for, what is at stake
  std::string rule;    ///< "FILE:LINE:COL: /seccomp/defaultAction: …"
  std::string allow;   ///< what to change, with the JSON to add
  std::string unless;  ///< why not to
};

/// `policy` may be null: then rules are not named. Looks at the host for paths that the command missed.
[[nodiscard]] std::vector<Explanation> explain(const WorkerResult& result, const policy::Policy* policy);

/// "FILE:LINE:COL: /seccomp/POINTER" for a pointer within the policy's filter, wherever that was taken from.
[[nodiscard]] std::string place_in_filter(const policy::Policy& policy, const std::string& pointer);

/// Lines for a terminal.
[[nodiscard]] std::string explanation_text(const std::vector<Explanation>& explanations);
[[nodiscard]] std::string explanation_json(const std::vector<Explanation>& explanations);

}  // namespace helios::app
