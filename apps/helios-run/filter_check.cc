#include "apps/helios-run/filter_check.h"

#include <unistd.h>

#include "apps/helios-run/explanation.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::app {

bool has_own_filter(const policy::Policy& policy) {
  return place_in_filter(policy, "/defaultAction").find(": /seccomp/") != std::string::npos;
}

Result<std::vector<std::string>> misspelt_calls(const policy::Policy& policy) {
  auto unknown = isolated::unknown_syscalls(policy.profile.seccomp_json);
  if (!unknown) return fail(unknown.error().while_doing(policy.path));
  for (std::string& line : *unknown) {
    const std::size_t colon = line.find(": ");
    line = place_in_filter(policy, line.substr(0, colon)) + line.substr(colon);
  }
  return unknown;
}

Status check_new_filter(const policy::Policy& policy, const std::string& cache_dir) {
  const SandboxProfile& profile = policy.profile;
  const std::string name = isolated::compiled_name(profile.seccomp_sha256, profile.nested_user_namespaces);
  const auto stored = [&](const std::string& dir) {
    return !dir.empty() && ::access((dir + "/" + name).c_str(), F_OK) == 0;
  };
  for (const std::string& dir : profile.filter_dirs) {
    if (stored(dir)) return {};
  }
  if (stored(cache_dir) || !has_own_filter(policy)) return {};
  const auto misspelt = misspelt_calls(policy);
  if (!misspelt) return fail(misspelt.error());
  if (!misspelt->empty()) return fail(ErrorCode::invalid_policy, misspelt->front());
  return {};
}

}  // namespace helios::app
