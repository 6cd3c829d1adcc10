/// Policies: what a run may use, from one flat JSON file. The format is described in docs/policies.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "helios/error.h"
#include "helios/limits.h"
#include "helios/request.h"

namespace helios::policy {

/// A policy after `extends` has been followed.
struct Policy {
  std::string name;  ///< "default", or the file's name without .json
  std::string path;
  std::string sha256;  ///< of the file's bytes, followed by those of the files it extends and takes its filter from
  Limits defaults;     ///< JSON `limits`; empty: not limited
  Limits ceilings;     ///< the most a spec may ask for; where the policy is silent, the default; empty: no bound
  SandboxProfile profile;
  std::vector<std::string> files;  ///< all that were read: the policy's own, what it extends, its filter
  bool operator==(const Policy&) const = default;
};

/// Finds a policy by NAME in the folders in order, or by FILE when it holds a '/' or ends in .json, and reads it.
/// Errors: not_found (with the name that was meant, or all); invalid_policy, one line "FILE:LINE:COL: /pointer: …",
/// also when another user could have written the file. [any thread]
[[nodiscard]] Result<Policy> load_policy(const std::string& name_or_file, const std::vector<std::string>& search_dirs);

/// The names found in the folders, sorted, each once.
[[nodiscard]] std::vector<std::string> list_policies(const std::vector<std::string>& search_dirs);

/// The whole policy apart from the filter's rules, one "key: value" line each, in a fixed order.
[[nodiscard]] std::vector<std::string> describe_policy(const Policy& policy);

/// What differs: lines of describe_policy that only one of the two has, "- " before the first's, "+ " before the
/// second's. Empty: nothing does. (isolated::describe_profile gives the filter's rules in the same form.)
[[nodiscard]] std::vector<std::string> policy_diff(const Policy& from, const Policy& to);

}  // namespace helios::policy
