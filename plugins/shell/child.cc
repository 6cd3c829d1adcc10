#include "plugins/shell/child.h"

#include <linux/fcntl.h>

#include "core/freestanding/oom_score.h"
#include "core/freestanding/syscalls.h"

namespace helios::shell {
namespace {

using raw::call;

constexpr int kEnoent = 2, kEacces = 13, kEnotdir = 20, kEnodev = 19, kEstale = 116, kEtimedout = 110, kEnoexec = 8,
              kEinval = 22, kEnosys = 38;

[[noreturn]] void quit(int code) {
  for (;;) call(__NR_exit_group, code);
}

[[noreturn]] void give_up(ChildPlan& p, Stage stage, long result, unsigned index = 0) {
  p.stage = stage;
  p.index = index;
  p.error = static_cast<int>(-result);
  quit(127);
}

void must(ChildPlan& p, Stage stage, long result, unsigned index = 0) {
  if (result < 0) give_up(p, stage, result, index);
}

void fresh_signals(ChildPlan& p) {
  struct {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
  } action{};
  constexpr long kSigKill = 9, kSigStop = 19;
  for (long s = 1; s <= 64; ++s) {
    if (s != kSigKill && s != kSigStop) must(p, Stage::signals, call(__NR_rt_sigaction, s, &action, 0, 8));
  }
  const unsigned long none = 0;
  must(p, Stage::signals, call(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8));
}

/// As execvp: a text file without "#!" runs under /bin/sh.
long execute(const ChildPlan& p, const char* path) {
  const long r = call(__NR_execve, path, p.argv, p.envp);
  if (r != -kEnoexec) return r;
  p.shell_argv[0] = const_cast<char*>("/bin/sh");
  p.shell_argv[1] = const_cast<char*>(path);
  unsigned i = 1;
  for (; p.argv[0] != nullptr && p.argv[i] != nullptr; ++i) p.shell_argv[i + 1] = p.argv[i];
  p.shell_argv[i + 1] = nullptr;
  return call(__NR_execve, "/bin/sh", p.shell_argv, p.envp);
}

bool keeps_looking(long r) {
  return r == -kEnoent || r == -kEnotdir || r == -kEnodev || r == -kEstale || r == -kEtimedout || r == -kEacces;
}

}  // namespace

void child_main(void* plan) {
  auto& p = *static_cast<ChildPlan*>(plan);
  // First, so that nothing of the command goes uncounted. On v2 clone3 has done it.
  for (unsigned i = 0; i < p.task_fd_count; ++i)
    must(p, Stage::join_groups, call(__NR_write, p.task_fds[i], "0", 1), i);
  must(p, Stage::oom_score, raw::spare_no_more());
  must(p, Stage::process_group, call(__NR_setpgid, 0, 0));
  for (int i = 0; i < 3; ++i) must(p, Stage::stdio, call(__NR_dup3, p.stdio[i], i, 0), static_cast<unsigned>(i));
  // What a host program left open does not get through. Linux before 5.11 cannot.
  const long closed = call(__NR_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
  if (closed != -kEnosys && closed != -kEinval) must(p, Stage::stdio, closed, 3);
  must(p, Stage::working_directory, call(__NR_chdir, p.workdir));
  call(__NR_umask, 022);
  for (unsigned i = 0; i < p.rlimit_count; ++i) {
    must(p, Stage::rlimits, call(__NR_prlimit64, 0, p.rlimits[i].resource, p.rlimits[i].value, 0), i);
  }
  fresh_signals(p);
  long result = -kEnoent;
  for (unsigned i = 0; p.candidates[i] != nullptr; ++i) {
    const long r = execute(p, p.candidates[i]);
    if (!keeps_looking(r)) give_up(p, Stage::exec, r);
    if (r == -kEacces || i == 0) result = r;
  }
  give_up(p, Stage::exec, result);
}

void guardian_main(void* plan) {
  auto& p = *static_cast<GuardianPlan*>(plan);
  // Every step counts: a guardian without its pipe would end the run at once, one in our session would die with us.
  long r = call(__NR_setsid);
  if (r >= 0) r = call(__NR_dup3, p.pipe_fd, 3, 0);
  if (r >= 0) r = call(__NR_dup3, p.program_fd, 4, static_cast<int>(02000000));
  if (r >= 0) r = call(__NR_close_range, 5, ~0U, 0);
  for (int i = 0; i < 3; ++i) call(__NR_close, i);
  char* const none[] = {nullptr};
  if (r >= 0) r = call(__NR_execveat, 4, "", p.argv, none, AT_EMPTY_PATH);
  p.error = static_cast<int>(-r);
  quit(127);
}

}  // namespace helios::shell
