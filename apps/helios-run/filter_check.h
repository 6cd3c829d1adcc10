/// Typos in a policy's own filter. A profile that somebody else keeps (Docker's) may be newer than this host, and names
/// that no table knows are skipped in it; in a section of one's own they are mistakes, and a rule that refuses a
/// misspelt call would refuse nothing.
#pragma once

#include <string>
#include <vector>

#include "core/policy/policy.h"
#include "helios/error.h"

namespace helios::app {

/// Whether the filter stands in a policy file, and is not a profile file that one names.
[[nodiscard]] bool has_own_filter(const policy::Policy& policy);

/// "FILE:LINE:COL: /seccomp/syscalls/3/names: no system call is called 'opne'; the nearest is 'open'", each.
/// Errors: invalid_policy.
[[nodiscard]] Result<std::vector<std::string>> misspelt_calls(const policy::Policy& policy);

/// Refuses misspelt calls in a filter of one's own. Looked at until its compiled form lies in a folder of filters or in
/// `cache_dir`: once. Errors: invalid_policy.
[[nodiscard]] Status check_new_filter(const policy::Policy& policy, const std::string& cache_dir);

}  // namespace helios::app
