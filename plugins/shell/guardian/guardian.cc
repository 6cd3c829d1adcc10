/// helios-guardian: ends a `shell` run whose helios-run has died.
///
/// Started before the command, in a session of its own and outside the run's groups. Blocks on a pipe that only the
/// runner holds. At its end of file it kills everything in the groups named by its arguments and removes them; a
/// runner that ends in order kills the guardian first. Usage: helios-guardian GROUP_DIRECTORY...; the pipe is fd 3.

#include "core/cgroup/leaf.h"
#include "core/freestanding/memory.h"
#include "core/freestanding/syscalls.h"

namespace helios::guardian {
namespace {

using raw::call;

constexpr int kPipe = 3;
constexpr int kReadOnly = 0, kWriteOnly = 1, kCloexec = 02000000;
constexpr long kSigKill = 9;
constexpr int kPathBytes = 4096;

/// "DIR/NAME" in `out`; false if it does not fit.
bool join(char* out, const char* dir, const char* name) {
  const unsigned long a = raw::length(dir), b = raw::length(name);
  if (a + b + 2 > kPathBytes) return false;
  memcpy(out, dir, a);
  out[a] = '/';
  memcpy(out + a + 1, name, b + 1);
  return true;
}

long open_in(const char* dir, const char* name, int flags) {
  char path[kPathBytes];
  if (!join(path, dir, name)) return -1;
  return call(__NR_openat, -100, path, flags | kCloexec, 0);
}

/// Kills each process that DIR/cgroup.procs names. Returns how many there were.
int kill_members(const char* dir) {
  const long fd = open_in(dir, "cgroup.procs", kReadOnly);
  if (fd < 0) return 0;
  char text[4096];
  int killed = 0;
  long pid = 0;
  for (;;) {
    const long n = call(__NR_read, fd, text, sizeof text);
    if (n <= 0) break;
    for (long i = 0; i < n; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else if (pid > 0) {
        call(__NR_kill, pid, kSigKill);
        ++killed;
        pid = 0;
      }
    }
  }
  call(__NR_close, fd);
  return killed;
}

void nap(long ms) {
  struct {
    long s, ns;
  } t{ms / 1000, (ms % 1000) * 1000000};
  call(__NR_nanosleep, &t, 0);
}

void end_group(const char* dir) {
  const long kill = open_in(dir, "cgroup.kill", kWriteOnly);  // v2: the whole subtree, forks in progress too
  if (kill >= 0) call(__NR_write, kill, "1", 1);
  // Without it: on v1 the processes are in the group itself, on v2 in its leaf, and the group lists none of them.
  char leaf[kPathBytes];
  const bool has_leaf = join(leaf, dir, cgroup::kLeaf);
  for (int i = 0; i < 2000; ++i) {
    if (kill_members(dir) + (has_leaf ? kill_members(leaf) : 0) == 0) return;
    nap(i < 100 ? 1 : 10);
  }
}

void remove_group(const char* dir) {
  char leaf[kPathBytes];
  const bool has_leaf = join(leaf, dir, cgroup::kLeaf);
  for (int i = 0; i < 200; ++i) {
    if (has_leaf) call(__NR_rmdir, leaf);
    const long r = call(__NR_rmdir, dir);
    if (r == 0 || r == -2 /* ENOENT */) return;
    nap(10);
  }
}

}  // namespace

extern "C" [[noreturn]] __attribute__((used)) void helios_guardian_main(long argc, char** argv) {
  char byte;
  long n;
  do {
    n = call(__NR_read, kPipe, &byte, 1);
  } while (n == -4 /* EINTR */ || n > 0);
  for (long i = 1; i < argc; ++i) end_group(argv[i]);
  for (long i = 1; i < argc; ++i) remove_group(argv[i]);
  for (;;) call(__NR_exit_group, 0);
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov (%rsp), %rdi\n"
    "  lea 8(%rsp), %rsi\n"
    "  and $-16, %rsp\n"
    "  call helios_guardian_main\n"
    "  hlt\n");

}  // namespace helios::guardian
