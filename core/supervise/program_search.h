/// Where execvp(3) would look for a program: computed before the clone, tried in the child.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "helios/request.h"

namespace helios::supervise {

/// The value of `name` in an environment, or `fallback`.
[[nodiscard]] std::string_view value_of(const std::vector<EnvVar>& env, std::string_view name,
                                        std::string_view fallback);

/// `file` itself if it holds a '/', else one path per entry of PATH. Never empty.
[[nodiscard]] std::vector<std::string> program_candidates(const std::string& file, std::string_view path);

/// A vector of pointers into strings that outlive it, ending in nullptr.
[[nodiscard]] std::vector<char*> c_pointers(const std::vector<std::string>& strings);

/// "NAME=VALUE" strings.
[[nodiscard]] std::vector<std::string> env_strings(const std::vector<EnvVar>& env);

/// Later lists win, name by name; the order of first appearance stays.
[[nodiscard]] std::vector<EnvVar> merge_env(std::vector<EnvVar> base, const std::vector<EnvVar>& over);

/// Found, and with which exit status a failed search ends: 127 not found, 126 not executable.
[[nodiscard]] int not_started_code(int exec_errno);
/// One line for people: "no-such-program: not found in PATH (…)".
[[nodiscard]] std::string not_started_detail(const std::string& program, int exec_errno, std::string_view path);

}  // namespace helios::supervise
