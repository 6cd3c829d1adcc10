// `fault_injector record FILE -- CMD…` writes down every system call of CMD and its children, one line each:
// "PROCESS CALL ORDINAL RESULT ARG0 ARG1", up to and with the first program that a child other than the runner's own
// helpers executes by path: the command. `fault_injector fail PROCESS CALL ORDINAL ERRNO FILE -- CMD…` makes that one
// call fail, once, without it being made, and writes "reached" into FILE. FILE begins with CMD's pid; the exit status
// is CMD's.
//
// As `strace -f --inject=CALL:error=ERRNO:when=ORDINAL` does it, but for one process: strace counts in each process
// from the start and fails the call in all of them, so that what comes late in a child could never be reached alone:
// its parent would have failed before. PROCESS counts from 0 in the order of creation.
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace {

struct Target {
  int process{-1};
  std::uint64_t call{0};
  int ordinal{0};
  int error{0};
};

struct Tracee {
  int number{-1};  // in the order of creation; -1: its creator has not told yet
  std::map<std::uint64_t, int> made;
  std::uint64_t call{0}, arg0{0}, arg1{0};
  std::uint64_t top{0};  // of the heap: what a brk that fails answers
  bool known{false};     // its first stop is behind it
  bool failing{false};
};

[[noreturn]] void give_up(const char* doing) {
  std::perror(doing);
  std::exit(99);
}

class Injector {
 public:
  Injector(bool record, Target target, int report) : record_(record), target_(target), report_(report) {}

  int trace(pid_t root) {
    root_ = root;
    int status = 0;
    if (::waitpid(root, &status, 0) != root || !WIFSTOPPED(status)) give_up("wait for the program");
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (::ptrace(PTRACE_SETOPTIONS, root, 0, options) != 0) give_up("PTRACE_SETOPTIONS");
    Tracee& first = tracees_[root];
    first.number = next_++;
    first.known = true;
    resume(root, 0);
    int result = 99;
    for (;;) {
      const pid_t pid = ::waitpid(-1, &status, __WALL);
      if (pid < 0) return result;  // none is left
      if (WIFSTOPPED(status)) {
        stopped(pid, status);
      } else {
        tracees_.erase(pid);
        if (pid == root) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
    }
  }

 private:
  void resume(pid_t pid, int signal) {
    (void)::ptrace(done_ ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0, static_cast<long>(signal));
  }

  void stopped(pid_t pid, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    Tracee& t = tracees_[pid];
    if (signal == (SIGTRAP | 0x80)) {
      if (!done_ || t.failing) at_call(pid, t);
      return resume(pid, 0);
    }
    if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
      unsigned long child = 0;
      (void)::ptrace(PTRACE_GETEVENTMSG, pid, 0, &child);
      tracees_[static_cast<pid_t>(child)].number = next_++;
      return resume(pid, 0);
    }
    if (event == PTRACE_EVENT_EXEC) return resume(pid, 0);
    if (!t.known && signal == SIGSTOP) {  // how a new tracee begins
      t.known = true;
      return resume(pid, 0);
    }
    resume(pid, signal);
  }

  void at_call(pid_t pid, Tracee& t) {
    __ptrace_syscall_info info{};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0) return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      t.call = info.entry.nr;
      t.arg0 = info.entry.args[0];
      t.arg1 = info.entry.args[1];
      const int ordinal = ++t.made[t.call];
      if (!record_ && t.number == target_.process && t.call == target_.call && ordinal == target_.ordinal) {
        // A close that fails has closed all the same (close(2)).
        if (t.call != SYS_close) set(pid, offsetof(user_regs_struct, orig_rax), ~0UL);
        t.failing = true;
      }
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
      if (t.call == SYS_brk && !t.failing) t.top = static_cast<std::uint64_t>(info.exit.rval);
      if (record_) return write_down(t, info.exit.rval);
      if (!t.failing) return;
      set(pid, offsetof(user_regs_struct, rax),
          t.call == SYS_brk ? t.top : static_cast<unsigned long>(-static_cast<long>(target_.error)));
      t.failing = false;
      done_ = true;
      (void)!::write(report_, "reached\n", 8);
    }
  }

  static void set(pid_t pid, std::size_t offset, unsigned long value) {
    if (::ptrace(PTRACE_POKEUSER, pid, offset, value) != 0) give_up("PTRACE_POKEUSER");
  }

  void write_down(const Tracee& t, std::int64_t result) {
    if (done_) return;
    ::dprintf(report_, "%d %lu %d %ld %lx %lx\n", t.number, static_cast<unsigned long>(t.call), t.made.at(t.call),
              static_cast<long>(result), static_cast<unsigned long>(t.arg0), static_cast<unsigned long>(t.arg1));
    if (t.call == SYS_execve && t.number > 0 && result == 0) done_ = true;  // helpers are executed by descriptor
  }

  bool record_, done_{false};
  Target target_;
  int report_, next_{0};
  pid_t root_{0};
  std::map<pid_t, Tracee> tracees_;
};

}  // namespace

int main(int argc, char** argv) {
  const bool record = argc > 4 && std::strcmp(argv[1], "record") == 0;
  const int words = record ? 3 : 7;
  if (argc < words + 2 || std::strcmp(argv[words], "--") != 0) {
    std::fprintf(stderr,
                 "usage: fault_injector record FILE -- CMD…\n       fault_injector fail PROCESS CALL ORDINAL ERRNO "
                 "FILE -- CMD…\n");
    return 99;
  }
  Target target;
  if (!record)
    target = {std::atoi(argv[2]), std::strtoul(argv[3], nullptr, 10), std::atoi(argv[4]), std::atoi(argv[5])};
  const int report = ::open(argv[words - 1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (report < 0) give_up(argv[words - 1]);
  const pid_t pid = ::fork();
  if (pid < 0) give_up("fork");
  if (pid == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) give_up("PTRACE_TRACEME");
    ::raise(SIGSTOP);
    ::execv(argv[words + 1], argv + words + 1);
    give_up(argv[words + 1]);
  }
  ::dprintf(report, "%d\n", pid);  // first of all: whose groups the caller has to look for
  return Injector(record, target, report).trace(pid);
}
