/// nice: runs the command when nobody else wants the processor (SCHED_IDLE). Isolates nothing, and holds one limit: the
/// wall time. Each other one blocks the run unless the caller allowed it to be missing (--allow-degraded): a runner
/// never runs with less than it was asked for and keeps quiet about it.
#include <helios/plugin.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace {

using namespace helios;
using Clock = std::chrono::steady_clock;

int spawn(const ExecutionRequest& r, int out, int err, pid_t& pid) {
  std::vector<std::string> words = r.argv;
  for (const auto& v : r.caller_env) words.push_back(v.name + "=" + v.value);
  std::vector<char*> pointers;
  for (auto& w : words) pointers.push_back(w.data());
  pointers.insert(pointers.begin() + static_cast<std::ptrdiff_t>(r.argv.size()), nullptr);
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", 0 /* O_RDONLY */, 0);
  posix_spawn_file_actions_adddup2(&files, out, 1);
  posix_spawn_file_actions_adddup2(&files, err, 2);
  posix_spawn_file_actions_addchdir_np(&files, r.workdir.c_str());
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&how, &none);  // helios-run has blocked the signals it waits for
  posix_spawnattr_setschedpolicy(&how, SCHED_IDLE);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSCHEDULER);
  const int failed = posix_spawnp(&pid, pointers[0], &files, &how, pointers.data(), &pointers[r.argv.size() + 1]);
  posix_spawnattr_destroy(&how);
  posix_spawn_file_actions_destroy(&files);
  return failed;
}

void hand_over(int memory, Stream stream, Host& host) {
  char bytes[65536];
  for (off_t at = 0; const ssize_t n = ::pread(memory, bytes, sizeof bytes, at); at += n) {
    if (n < 0) break;
    host.output(stream, {bytes, static_cast<std::size_t>(n)});
  }
  ::close(memory);
}

class Nice final : public Runner {
  Result<std::vector<Finding>> probe(Host&) noexcept override {
    return std::vector<Finding>{{"isolation", Severity::degraded, "none", "use --sandbox=isolated"}};
  }

  Result<Plan> plan(const ExecutionRequest& r, Host&) noexcept override {
    Plan p{r, {{"priority", "policy", "SCHED_IDLE"}}, {}, nullptr};
    for (const auto& arg : r.argv) p.items.push_back({"argv", std::to_string(p.items.size() - 1), arg});
    for (const auto& v : r.extra_env) {  // wins over the caller's
      std::erase_if(p.request.caller_env, [&](const EnvVar& old) { return old.name == v.name; });
      p.request.caller_env.push_back(v);
    }
    for (const auto& limit : kLimits) {
      if (!r.limits[limit.limit] || limit.limit == Limit::wall_time) continue;
      const bool allowed = std::ranges::count(r.allow_degraded, limit.key) != 0;
      p.missing.push_back({std::string(limit.key), allowed ? Severity::degraded : Severity::blocking,
                           "nice does not hold this limit", "--allow-degraded=" + std::string(limit.key)});
    }
    return p;
  }

  Result<Execution> run(const Plan& p, Host& host) noexcept override {
    Execution e;
    e.cgroup = "none";
    for (const auto& f : p.missing) {
      if (f.severity == Severity::blocking) return fail(ErrorCode::unsupported, f.feature + ": " + f.detail, f.remedy);
      e.notes.push_back(f.feature + " is not limited");
    }
    const auto wall = p.request.limits[Limit::wall_time];
    if (wall) e.limits.push_back({Limit::wall_time, *wall, wall, "timer"});
    const int out = ::memfd_create("stdout", MFD_CLOEXEC), err = ::memfd_create("stderr", MFD_CLOEXEC);
    const auto start = Clock::now();
    pid_t pid = -1;
    if (const int failed = spawn(p.request, out, err, pid); failed != 0) {
      e.termination.reason = Reason::not_started;
      e.termination.exit_code = failed == ENOENT ? 127 : 126;
      e.termination.detail = std::strerror(failed);
    } else {
      e.termination = wait_for(pid, host.cancel_fd(), wall);
      e.usage.set(Figure::duration_ms, std::chrono::duration<double, std::milli>(Clock::now() - start).count(),
                  "clock");
    }
    hand_over(out, Stream::out, host);
    hand_over(err, Stream::err, host);
    return e;
  }

  static Termination wait_for(pid_t pid, int cancel_fd, std::optional<std::uint64_t> wall_ms) {
    Termination t;
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    pollfd fds[] = {{pidfd, POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    const int timeout = wall_ms ? static_cast<int>(std::min<std::uint64_t>(*wall_ms, INT32_MAX)) : -1;
    if (::poll(fds, 2, timeout) == 0) t.reason = Reason::wall_time_limit;
    unsigned char asked = 0;
    if (fds[1].revents != 0 && ::read(cancel_fd, &asked, 1) == 1) t.reason = Reason::cancelled;
    if (t.reason != Reason::exited) ::kill(pid, SIGKILL);
    siginfo_t ended;
    ::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT);
    ::kill(-pid, SIGKILL);  // the command's end is the end of what it started, as far as it stayed in the group
    ::waitpid(pid, nullptr, 0);
    ::close(pidfd);
    t.cancel_signal = asked;
    t.signal = ended.si_code == CLD_EXITED ? 0 : ended.si_status;
    t.exit_code = t.signal == 0 ? ended.si_status : 128 + (asked != 0 ? asked : t.signal);
    if (t.signal != 0 && t.reason == Reason::exited) t.reason = Reason::signaled;
    return t;
  }
};

}  // namespace

HELIOS_RUNNER_PLUGIN(Nice, "nice", "1.0.0", "runs the command when nobody else wants the processor",
                     HELIOS_INHERITS_ENVIRONMENT | HELIOS_CONFINES_NOTHING)
