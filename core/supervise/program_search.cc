#include "core/supervise/program_search.h"

#include <cerrno>
#include <cstring>

namespace helios::supervise {

std::string_view value_of(const std::vector<EnvVar>& env, std::string_view name, std::string_view fallback) {
  for (const EnvVar& v : env) {
    if (v.name == name) return v.value;
  }
  return fallback;
}

std::vector<std::string> program_candidates(const std::string& file, std::string_view path) {
  if (file.find('/') != std::string::npos || file.empty()) return {file};
  std::vector<std::string> out;
  for (std::size_t at = 0;;) {
    const std::size_t end = path.find(':', at);
    const std::string_view dir = path.substr(at, end == std::string_view::npos ? end : end - at);
    out.push_back(dir.empty() ? "./" + file : std::string(dir) + "/" + file);
    if (end == std::string_view::npos) return out;
    at = end + 1;
  }
}

std::vector<char*> c_pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> env_strings(const std::vector<EnvVar>& env) {
  std::vector<std::string> out;
  out.reserve(env.size());
  for (const EnvVar& v : env) out.push_back(v.name + "=" + v.value);
  return out;
}

std::vector<EnvVar> merge_env(std::vector<EnvVar> base, const std::vector<EnvVar>& over) {
  for (const EnvVar& v : over) {
    bool found = false;
    for (EnvVar& b : base) {
      if (b.name != v.name) continue;
      b.value = v.value;
      found = true;
    }
    if (!found) base.push_back(v);
  }
  return base;
}

int not_started_code(int exec_errno) { return exec_errno == ENOENT || exec_errno == ENOTDIR ? 127 : 126; }

std::string not_started_detail(const std::string& program, int exec_errno, std::string_view path) {
  if (program.empty()) return "the command's program is an empty string";
  if (not_started_code(exec_errno) == 126) return program + ": cannot be executed: " + std::strerror(exec_errno);
  if (program.find('/') != std::string::npos) return program + ": not found (or its interpreter is not)";
  return program + ": not found in PATH (" + std::string(path) + ")";
}

}  // namespace helios::supervise
