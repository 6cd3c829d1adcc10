/// System calls for the two tiny static programs (helios-init, helios-guardian) that have no C library: a dynamic or
/// static libc would cost 0.5 to 1 ms at every launch. Names are those of the kernel; results are -errno.
#pragma once

#if !defined(__x86_64__)
#error "helios-run is built for x86-64 Linux; a port adds its system call sequence here"
#endif

#include <asm/unistd.h>
#include <linux/types.h>

#include <cstddef>
#include <cstdint>

namespace helios::raw {

inline long syscall6(long n, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  long ret;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(ret)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return ret;
}

template <class... Args>
inline long call(long n, Args... args) {
  static_assert(sizeof...(Args) <= 6);
  return syscall6(n, (long)(args)...);  // NOLINT: pointers and integers alike, as the kernel takes them
}

/// clone(2) or clone3(2), by number and first two arguments; the child, on the stack those name, calls `fn(arg)`, which
/// must not return. With CLONE_VM | CLONE_VFORK the caller sleeps until the child has exec'ed or exited.
inline long clone_call(long number, long first, long second, void (*fn)(void*), void* arg) {
  long ret;
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  register void (*r12)(void*) __asm__("r12") = fn;
  register void* r13 __asm__("r13") = arg;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n"
      "1:"
      : "=a"(ret)
      : "a"(number), "D"(first), "S"(second), "d"(0L), "r"(r10), "r"(r8), "r"(r12), "r"(r13)
      : "rcx", "r11", "memory");
  return ret;
}

inline std::size_t length(const char* s) {
  std::size_t n = 0;
  while (s[n] != '\0') ++n;
  return n;
}

inline bool equal(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

}  // namespace helios::raw
