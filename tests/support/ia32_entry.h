/// The 32-bit entry into the kernel, int 0x80. Not every kernel has it: without IA-32 emulation (ia32_emulation=off,
/// the default in confidential guests) the instruction faults, for everybody and in any filter.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace helios::test {

/// What 32-bit getpid answers: the caller's pid or -errno. Ends the caller with SIGSEGV where there is no such entry.
inline int ia32_getpid() {
#ifdef __x86_64__
  int result = 20;
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return result;
#else
  ::raise(SIGSEGV);
  return -1;
#endif
}

/// Tried in a child, without any filter.
inline bool kernel_has_ia32_entry() {
  const pid_t child = ::fork();
  if (child == 0) {
    (void)::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would tell it at length
    ::_exit(ia32_getpid() == ::getpid() ? 0 : 1);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace helios::test
