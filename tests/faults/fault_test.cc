// Fault injection: each system call that helios-run and its children make between start and the command's exec fails
// once, one by one. However it ends, it has to end: with one clear line, or with the isolation that was asked for.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/scene.h"

namespace helios::test {
namespace {
using Words = std::vector<std::string>;

/// One call of the recorded run.
struct Call {
  int process{0};
  unsigned long number{0};
  int ordinal{0};
  long result{0};
  unsigned long arg0{0}, arg1{0};
};

struct Kind {
  const char* name;
  int error;  ///< what it fails with; 0: it cannot fail
};

/// The calls that occur, and the error that fits: nothing left (descriptors, memory, disk), not allowed, or broken.
const std::map<unsigned long, Kind>& kinds() {
  static const std::map<unsigned long, Kind> table = {
      {SYS_read, {"read", EIO}},
      {SYS_pread64, {"pread64", EIO}},
      {SYS_write, {"write", ENOSPC}},
      {SYS_pwrite64, {"pwrite64", ENOSPC}},
      {SYS_writev, {"writev", ENOSPC}},
      {SYS_open, {"open", EMFILE}},
      {SYS_openat, {"openat", EMFILE}},
      {SYS_openat2, {"openat2", EMFILE}},
      {SYS_close, {"close", EIO}},
      {SYS_close_range, {"close_range", ENOMEM}},
      {SYS_stat, {"stat", EIO}},
      {SYS_fstat, {"fstat", EIO}},
      {SYS_lstat, {"lstat", EIO}},
      {SYS_newfstatat, {"newfstatat", EIO}},
      {SYS_statfs, {"statfs", EIO}},
      {SYS_fstatfs, {"fstatfs", EIO}},
      {SYS_statx, {"statx", EIO}},
      {SYS_access, {"access", EIO}},
      {SYS_faccessat, {"faccessat", EIO}},
      {439, {"faccessat2", EIO}},
      {SYS_readlink, {"readlink", EIO}},
      {SYS_getdents64, {"getdents64", EIO}},
      {SYS_getxattr, {"getxattr", EIO}},
      {SYS_getcwd, {"getcwd", ENOMEM}},
      {SYS_lseek, {"lseek", EINVAL}},
      {SYS_ftruncate, {"ftruncate", ENOSPC}},
      {SYS_mmap, {"mmap", ENOMEM}},
      {SYS_munmap, {"munmap", ENOMEM}},
      {SYS_mprotect, {"mprotect", ENOMEM}},
      {SYS_brk, {"brk", ENOMEM}},
      {SYS_madvise, {"madvise", ENOMEM}},
      {SYS_mremap, {"mremap", ENOMEM}},
      {SYS_rt_sigaction, {"rt_sigaction", EINVAL}},
      {SYS_rt_sigprocmask, {"rt_sigprocmask", EINVAL}},
      {SYS_ioctl, {"ioctl", EPERM}},
      {SYS_pipe2, {"pipe2", EMFILE}},
      {SYS_dup, {"dup", EMFILE}},
      {SYS_dup3, {"dup3", EMFILE}},
      {SYS_fcntl, {"fcntl", EMFILE}},
      {SYS_socket, {"socket", EMFILE}},
      {SYS_socketpair, {"socketpair", EMFILE}},
      {SYS_connect, {"connect", EPERM}},
      {SYS_sendto, {"sendto", ENOMEM}},
      {SYS_sendmsg, {"sendmsg", ENOMEM}},
      {SYS_recvmsg, {"recvmsg", ENOMEM}},
      {SYS_recvfrom, {"recvfrom", ENOMEM}},
      {SYS_poll, {"poll", ENOMEM}},
      {SYS_ppoll, {"ppoll", ENOMEM}},
      {SYS_clone, {"clone", ENOMEM}},
      {SYS_fork, {"fork", ENOMEM}},
      {SYS_vfork, {"vfork", ENOMEM}},
      {SYS_clone3, {"clone3", ENOMEM}},
      {SYS_execve, {"execve", ENOMEM}},
      {SYS_execveat, {"execveat", ENOMEM}},
      {SYS_wait4, {"wait4", EINTR}},
      {SYS_waitid, {"waitid", EINTR}},
      {SYS_kill, {"kill", EPERM}},
      {SYS_pidfd_send_signal, {"pidfd_send_signal", EPERM}},
      {SYS_mkdir, {"mkdir", ENOSPC}},
      {SYS_mkdirat, {"mkdirat", ENOSPC}},
      {SYS_symlinkat, {"symlinkat", ENOSPC}},
      {SYS_rmdir, {"rmdir", EBUSY}},
      {SYS_unlink, {"unlink", EPERM}},
      {SYS_unlinkat, {"unlinkat", EPERM}},
      {SYS_chdir, {"chdir", EIO}},
      {SYS_fchdir, {"fchdir", EIO}},
      {SYS_fchmod, {"fchmod", EPERM}},
      {SYS_fchownat, {"fchownat", EPERM}},
      {SYS_memfd_create, {"memfd_create", ENOMEM}},
      {SYS_prctl, {"prctl", EPERM}},
      {SYS_capset, {"capset", EPERM}},
      {SYS_setgroups, {"setgroups", EPERM}},
      {SYS_setresuid, {"setresuid", EPERM}},
      {SYS_setresgid, {"setresgid", EPERM}},
      {SYS_setsid, {"setsid", EPERM}},
      {SYS_setpgid, {"setpgid", EPERM}},
      {SYS_prlimit64, {"prlimit64", EPERM}},
      {SYS_sethostname, {"sethostname", EPERM}},
      {SYS_unshare, {"unshare", EPERM}},
      {SYS_setns, {"setns", EPERM}},
      {SYS_mount, {"mount", EPERM}},
      {SYS_umount2, {"umount2", EPERM}},
      {SYS_pivot_root, {"pivot_root", EPERM}},
      {SYS_open_tree, {"open_tree", EMFILE}},
      {SYS_move_mount, {"move_mount", EPERM}},
      {SYS_fsopen, {"fsopen", EPERM}},
      {SYS_fsconfig, {"fsconfig", ENOMEM}},
      {SYS_fsmount, {"fsmount", EPERM}},
      {442, {"mount_setattr", EPERM}},
      {444, {"landlock_create_ruleset", ENOMEM}},
      {445, {"landlock_add_rule", ENOMEM}},
      {446, {"landlock_restrict_self", EPERM}},
      {SYS_seccomp, {"seccomp", ENOMEM}},
      {SYS_signalfd4, {"signalfd4", EMFILE}},
      {SYS_eventfd2, {"eventfd2", EMFILE}},
      {SYS_timer_create, {"timer_create", EAGAIN}},
      {SYS_timer_settime, {"timer_settime", EINVAL}},
      {SYS_timer_delete, {"timer_delete", EINVAL}},
      {SYS_timerfd_create, {"timerfd_create", EMFILE}},
      {SYS_timerfd_settime, {"timerfd_settime", EINVAL}},
      {SYS_getrandom, {"getrandom", EAGAIN}},
      {SYS_uname, {"uname", EFAULT}},
      {SYS_sched_getaffinity, {"sched_getaffinity", EINVAL}},
      {SYS_pause, {"pause", EINTR}},
      {SYS_inotify_init1, {"inotify_init1", EMFILE}},
      {SYS_inotify_add_watch, {"inotify_add_watch", ENOSPC}},
      // These have no way to fail, or the kernel itself makes the process anew.
      {SYS_getpid, {"getpid", 0}},
      {SYS_futex, {"futex", 0}},  // FUTEX_WAKE only: nobody waits, there is one thread
      {SYS_gettid, {"gettid", 0}},
      {SYS_getppid, {"getppid", 0}},
      {SYS_getuid, {"getuid", 0}},
      {SYS_geteuid, {"geteuid", 0}},
      {SYS_getgid, {"getgid", 0}},
      {SYS_getegid, {"getegid", 0}},
      {SYS_umask, {"umask", 0}},
      {SYS_exit_group, {"exit_group", 0}},
      {SYS_exit, {"exit", 0}},
      {SYS_rt_sigreturn, {"rt_sigreturn", 0}},
      {SYS_set_tid_address, {"set_tid_address", 0}},
      {SYS_clock_gettime, {"clock_gettime", 0}},
      {SYS_sched_yield, {"sched_yield", 0}},
      {SYS_restart_syscall, {"restart_syscall", 0}},
      // The C library's start-up, before anything of ours: the loader says so and ends (see is_before_main).
      {SYS_arch_prctl, {"arch_prctl", EINVAL}},
      {SYS_set_robust_list, {"set_robust_list", EINVAL}},
      {SYS_rseq, {"rseq", EINVAL}},
  };
  return table;
}

std::string name_of(const Call& c) {
  const auto kind = kinds().find(c.number);
  return "process " + std::to_string(c.process) + ", " +
         (kind != kinds().end() ? kind->second.name : "call " + std::to_string(c.number)) + " number " +
         std::to_string(c.ordinal);
}

int number_from_environment(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::atoi(value) : otherwise;
}

struct Place {
  std::string runner;
  Identity who;
};
void PrintTo(const Place& place, std::ostream* out) { *out << place.runner << " as " << place.who.name; }

std::vector<Place> places() {
  std::vector<Place> all;
  for (const char* runner : {"isolated", "shell"})
    for (const Identity& who : able_identities()) all.push_back({runner, who});
  return all;
}

class Faults : public testing::TestWithParam<Place> {
 protected:
  void SetUp() override {
    scene_.emplace(GetParam().who);
    scene_->bring_probe("isolation_probe");
    scene_->make_folder(scene_->outside() / "reports");
    record_ = scene_->outside() / "reports" / "calls";
  }

  // Its own temporary files belong to the run, so a result file is asked for too.
  [[nodiscard]] Invocation run_under(Words injector) const {
    Words command{"./isolation_probe"};
    if (GetParam().runner == "shell") command.emplace_back("plain");
    Invocation what =
        scene_->command(GetParam().runner,
                        {"--memory", "64M", "--pids", "20", "--open-files", "100", "--result", result_file()}, command);
    injector.insert(injector.begin(), probe_path("fault_injector"));
    injector.emplace_back("--");
    what.argv.insert(what.argv.begin(), injector.begin(), injector.end());
    what.deadline = std::chrono::milliseconds(30'000);
    return what;
  }
  [[nodiscard]] std::string result_file() const { return scene_->outside() / "reports" / "result.json"; }

  [[nodiscard]] std::vector<Call> read_calls() const {
    std::vector<Call> calls;
    std::ifstream file(record_);
    std::string pid;
    std::getline(file, pid);
    for (Call c; file >> std::dec >> c.process >> c.number >> c.ordinal >> c.result >> std::hex >> c.arg0 >> c.arg1;)
      calls.push_back(c);
    return calls;
  }

  std::optional<Scene> scene_;
  std::string record_;
};

/// "PID", then "reached" if the call was made. What helios-run left bears its pid, which is not the injector's.
bool was_reached(const std::string& report) {
  std::ifstream file(report);
  pid_t pid = 0;
  std::string reached;
  file >> pid >> reached;
  note_run(pid);
  return reached == "reached";
}

/// Where main begins: it looks at descriptors 0, 1 and 2 first.
std::size_t begin_of_main(const std::vector<Call>& calls) {
  for (std::size_t i = 0; i < calls.size(); ++i)
    if (calls[i].process == 0 && calls[i].number == SYS_fcntl && calls[i].arg0 == 0 && calls[i].arg1 == 1) return i;
  return calls.size();
}

/// What must be as in the recorded run: the receipts, the layers, and what the command itself saw.
nlohmann::json isolation_of(const nlohmann::json& result) {
  nlohmann::json seen;
  seen["limits"] = result.value("limits", nlohmann::json());
  seen["layers"] = result.value("/sandbox/isolation"_json_pointer, nlohmann::json());
  seen["policy"] = result.value("/sandbox/policySha256"_json_pointer, nlohmann::json());
  seen["inside"] = result.value("stdout", nlohmann::json());
  seen["cgroup"] = result.value("/host/cgroup"_json_pointer, nlohmann::json());
  return seen;
}

/// The line is more than an errno: it names what was being done.
std::optional<std::string> problem_of_line(const std::string& err, int error) {
  if (err.empty()) return "nothing on stderr";
  if (std::count(err.begin(), err.end(), '\n') != 1 || err.back() != '\n') return "stderr is not exactly one line";
  if (!err.starts_with("helios-run: ")) return "the line does not come from helios-run";
  for (const char* bug : {"a bug of helios-run", "bad_alloc", "terminate", "std::", "basic_string"})
    if (err.find(bug) != std::string::npos) return "the line tells of a bug";
  std::string rest = err.substr(12);
  const std::string reason = std::strerror(error);
  if (const auto at = rest.find(reason); at != std::string::npos) rest.erase(at, reason.size());
  if (std::count(rest.begin(), rest.end(), ' ') < 2) return "the line names no step";
  return std::nullopt;
}

constexpr auto kNotFound = std::string::npos;

class Judge {
 public:
  Judge(const nlohmann::json& baseline, bool before_main) : baseline_(baseline), before_main_(before_main) {}

  /// Empty: as it should be.
  [[nodiscard]] std::string problem(const Call& c, int error, const Finished& f) const {
    if (f.timed_out) return "it did not end";
    if (f.has_result()) return problem_of_result(c, f);
    if (!f.out.empty()) return "stdout is neither empty nor a result";
    // The loader and the C library speak for themselves and use a status of their own.
    if (before_main_) return f.exit_code != 0 ? "" : "it ended as if all were well";
    if (f.exit_code != 125) return "no result, and the exit status is not 125";
    return problem_of_line(f.err, error).value_or("");
  }

 private:
  [[nodiscard]] std::string problem_of_result(const Call& c, const Finished& f) const {
    if (f.exit_code != f.result.value("exitCode", -1)) return "exit status and result differ";
    // The exec of the command is the command's own: not found, not executable.
    if (c.number == SYS_execve && c.process > 0 && f.reason() == "not-started") return "";
    // Growth that cannot be told ends the run: the limit on it would not be held.
    if (f.reason() == "disk-limit" && f.result["termination"].value("detail", "").find("cannot be told") != kNotFound) {
      return f.exit_code == 137 ? "" : "a run that its limit ended, with another status";
    }
    if (f.reason() != "exited" || f.exit_code != 0) return "a result of a run that did not take place: " + f.reason();
    const nlohmann::json now = isolation_of(f.result);
    if (now != baseline_) return "LESS ISOLATION: " + nlohmann::json::diff(baseline_, now).dump();
    const auto tasks = f.figure("peakProcesses"), memory = f.figure("peakMemoryBytes");
    if ((tasks && *tasks < 1) || (memory && *memory < 1)) return "LESS ISOLATION: nothing ran in the control group";
    return "";
  }

  const nlohmann::json& baseline_;
  bool before_main_;
};

TEST_P(Faults, EveryCallFailsOnce) {
  const Finished recorded = run_to_end(run_under({"record", record_}));
  ASSERT_TRUE(recorded.has_result()) << recorded.describe();
  ASSERT_EQ(recorded.exit_code, 0) << recorded.describe();
  const nlohmann::json baseline = isolation_of(recorded.result);
  // The same twice: what differs by itself proves nothing when it differs.
  const Finished again = run_to_end(run_under({"record", record_}));
  ASSERT_EQ(isolation_of(again.result), baseline) << nlohmann::json::diff(baseline, isolation_of(again.result));

  const std::vector<Call> calls = read_calls();
  const std::size_t main_begins = begin_of_main(calls);
  ASSERT_LT(main_begins, calls.size());
  const int every = std::max(1, number_from_environment("HELIOS_FAULTS_EVERY", 5));
  const int shift = number_from_environment("HELIOS_FAULTS_SHIFT", 0);
  const bool tell = number_from_environment("HELIOS_FAULTS_TELL", 0) != 0;
  int made = 0, unreached = 0, refused = 0, ran = 0, bad = 0;
  std::set<unsigned long> unknown;
  std::set<std::string> told;  // what one call left would be found after each that follows
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Call& c = calls[i];
    const auto kind = kinds().find(c.number);
    if (kind == kinds().end()) unknown.insert(c.number);
    if (kind == kinds().end() || kind->second.error == 0) continue;
    if (c.number == SYS_execve && c.process == 0) continue;  // the test's own: there is no helios-run without it
    if ((static_cast<int>(i) + shift) % every != 0) continue;
    const std::string report = scene_->outside() / "reports" / "reached";
    std::filesystem::remove(report);
    std::filesystem::remove(result_file());
    const Finished f = run_to_end(run_under({"fail", std::to_string(c.process), std::to_string(c.number),
                                             std::to_string(c.ordinal), std::to_string(kind->second.error), report}));
    ++made;
    unreached += was_reached(report) ? 0 : 1;
    (f.has_result() ? ran : refused) += 1;
    std::string problem = Judge(baseline, i < main_begins).problem(c, kind->second.error, f);
    std::error_code none;
    const bool kept = std::filesystem::exists(result_file(), none);
    if (problem.empty() && kept != f.has_result()) problem = "the result file and stdout tell different things";
    for (const auto& entry : std::filesystem::directory_iterator(scene_->outside() / "reports"))
      if (entry.path().filename().string().starts_with(".")) problem += " left " + entry.path().string();
    for (const std::string& left : scene_->left_behind()) {
      if (left.starts_with("tmp: "))
        continue;  // a neighbour's: a run's own temporary file is the draft looked for above
      if (told.insert(left).second) problem += " LEFT " + left;
    }
    if (tell) std::printf("%s: exit %d %s", name_of(c).c_str(), f.exit_code, f.err.empty() ? "\n" : f.err.c_str());
    if (problem.empty()) continue;
    ++bad;
    ADD_FAILURE() << name_of(c) << " (call " << i << " of " << calls.size() << ") fails with "
                  << strerrorname_np(kind->second.error) << ": " << problem << "\n"
                  << f.describe();
  }
  for (const unsigned long number : unknown)
    ADD_FAILURE() << "system call " << number << " is made and stands in no table: say what it fails with";
  // Which calls are made varies a little from run to run: a file more or less, a wait that comes later.
  EXPECT_LE(unreached * 50, made + 49) << unreached << " of " << made << " calls were not made again";
  std::printf("[   FAULTS ] %s as %s: %zu calls, %d made to fail (%d not reached): %d refused, %d ran, %d wrong\n",
              GetParam().runner.c_str(), GetParam().who.name.c_str(), calls.size(), made, unreached, refused, ran, bad);
  std::fflush(stdout);  // in a pipe it would come after what the next place says, or never
}

std::string place_name(const testing::TestParamInfo<Place>& place) {
  return place.param.runner + "_" + place.param.who.name;
}
INSTANTIATE_TEST_SUITE_P(All, Faults, testing::ValuesIn(places()), place_name);

}  // namespace
}  // namespace helios::test
