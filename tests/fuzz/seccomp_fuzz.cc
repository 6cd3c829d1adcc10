// Any bytes as a seccomp profile, and any bytes as a program: what compiles is sound and keeps our own promises.
#include <linux/audit.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "plugins/isolated/bpf.h"
#include "plugins/isolated/seccomp_program.h"

namespace {

using namespace helios::isolated;

void hold(bool promise) {
  if (!promise) std::abort();
}

bool lets_through(std::uint32_t action) { return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG; }

seccomp_data call(const char* name, std::uint64_t first = 0, std::uint64_t second = 0) {
  seccomp_data data{};
  data.nr = syscall_number(name);
  data.arch = AUDIT_ARCH_X86_64;
  data.args[0] = first;
  data.args[1] = second;
  return data;
}

void check_profile(std::string_view text) {
  const auto program = compile_seccomp(text, {});
  if (!program) return;
  hold(check_program(program->instructions).has_value());
  hold(lets_through(evaluate(*program, call("execve", UINT64_MAX, UINT64_MAX))));
  hold(!lets_through(evaluate(*program, call("chmod", 0, 04755))));
  hold(!lets_through(evaluate(*program, call("socket", (std::uint64_t{1} << 32) | 40))));
  hold(!lets_through(evaluate(*program, call("clone", 0x10000000))));
  hold(evaluate(*program, call("clone3")) == (SECCOMP_RET_ERRNO | ENOSYS));
  seccomp_data x32 = call("read");
  x32.nr |= 0x40000000;
  hold(evaluate(*program, x32) == (SECCOMP_RET_ERRNO | ENOSYS));
  seccomp_data i386 = call("read");
  i386.arch = AUDIT_ARCH_I386;
  hold(evaluate(*program, i386) == (SECCOMP_RET_ERRNO | EPERM));
}

void check_raw_program(std::string_view bytes) {
  std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
  if (!program.empty()) std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  if (check_program(program)) static_cast<void>(run_program(program, call("read", 1, 2)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_profile(text);
  check_raw_program(text);
  return 0;
}
