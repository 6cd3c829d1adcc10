// Build tool: puts the shipped policies where programs find them, checks them as strictly as `policy validate` does,
// and compiles their filters, so that no run has to.
//   helios-policyc OUT_DIR POLICY.json…
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "core/policy/policy.h"
#include "core/sys/file.h"
#include "plugins/isolated/seccomp_program.h"

namespace {

using namespace helios;

constexpr std::size_t kMaxFile = 1 << 20;

Status make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(ErrorCode::io, "make " + path, errno);
  // Whatever the builder's umask: a folder others may write is refused at every run.
  if (::chmod(path.c_str(), 0755) != 0) return fail_errno(ErrorCode::io, "chmod " + path, errno);
  return {};
}

Status copy(const std::string& from, const std::string& to) {
  const auto text = sys::read_file(from, kMaxFile);
  if (!text) return fail(text.error());
  ::remove(to.c_str());
  const auto file = sys::open_file(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (!file) return fail(file.error());
  if (::fchmod(file->get(), 0644) != 0) return fail_errno(ErrorCode::io, "chmod " + to, errno);
  return sys::write_all(file->get(), *text);
}

Status compile(const std::string& policy_file, const std::string& out) {
  const auto policy = policy::load_policy(policy_file, {out});
  if (!policy) return fail(policy.error());
  isolated::FilterEnvironment environment;
  environment.nested_user_namespaces = policy->profile.nested_user_namespaces;
  environment.strict_names = true;
  const auto program = isolated::compile_seccomp(policy->profile.seccomp_json, environment);
  if (!program) return fail(program.error().while_doing(policy_file));
  const std::string name = isolated::compiled_name(policy->profile.seccomp_sha256, environment.nested_user_namespaces);
  auto stored = isolated::store_compiled(*program, out + "/compiled/" + name);
  if (!stored) return stored;
  std::printf("%s: %u system calls, %zu instructions\n", policy->name.c_str(), program->allowed_calls,
              program->instructions.size());
  return {};
}

Status build(const std::string& out, const std::vector<std::string>& files) {
  for (const std::string& folder : {out, out + "/compiled"}) {
    if (auto made = make_folder(folder); !made) return made;
  }
  std::vector<std::string> copies;
  for (const std::string& file : files) {
    copies.push_back(out + "/" + file.substr(file.rfind('/') + 1));
    if (auto copied = copy(file, copies.back()); !copied) return copied;
  }
  for (const std::string& file : copies) {
    if (file.find(".schema.") != std::string::npos) continue;
    if (auto compiled = compile(file, out); !compiled) return compiled;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: helios-policyc OUT_DIR POLICY.json...\n", stderr);
    return 2;
  }
  const auto built = build(argv[1], std::vector<std::string>(argv + 2, argv + argc));
  if (built) return 0;
  std::fprintf(stderr, "helios-policyc: %s%s%s\n", built.error().message.c_str(),
               built.error().remedy.empty() ? "" : ": ", built.error().remedy.c_str());
  return 1;
}
