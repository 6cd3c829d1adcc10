#include "tests/support/invocation.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "tests/support/host_snapshot.h"

namespace helios::test {
namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::string variable_or(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

[[noreturn]] void give_up(const char* doing) {
  std::perror(doing);
  std::abort();
}

int memory_file(const char* name) {
  const int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0) give_up("memfd_create");
  return fd;
}

std::string contents(int fd) {
  struct stat s {};
  if (fstat(fd, &s) != 0) return {};
  std::string text(static_cast<std::size_t>(s.st_size), '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

// A FILE's worth of text, then its end. "" is an end at once.
int input_of(const std::string& text) {
  const int fd = memory_file("stdin");
  if (pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) give_up("stdin");
  return fd;
}

struct Terminal {
  int ours{-1};
  std::string name;
};
Terminal open_terminal() {
  Terminal t;
  t.ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (t.ours < 0 || grantpt(t.ours) != 0 || unlockpt(t.ours) != 0) give_up("pseudo terminal");
  t.name = ptsname(t.ours);
  return t;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

void inherit_signals(const Invocation& what) {
  for (int number : what.ignored_signals) ::signal(number, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (int number : what.blocked_signals) sigaddset(&set, number);
  sigprocmask(SIG_SETMASK, &set, nullptr);
}

void become(const Invocation& what) {
  if (geteuid() != 0 || what.uid == 0) return;
  if (setgroups(0, nullptr) != 0 || setresgid(what.gid, what.gid, what.gid) != 0 ||
      setresuid(what.uid, what.uid, what.uid) != 0)
    give_up("become the user");
}

void take_streams(const Invocation& what, int in, int out, int err, const std::string& terminal) {
  if (what.terminal) {
    setsid();
    in = open(terminal.c_str(), O_RDWR);
    if (in < 0 || ioctl(in, TIOCSCTTY, 0) != 0) give_up("controlling terminal");
  }
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  if (what.closed_stdout) close(1);
}

void keep_only(const std::vector<int>& leaked) {
  for (int fd = 3; fd < 1024; ++fd) {
    const bool stays = std::find(leaked.begin(), leaked.end(), fd) != leaked.end();
    fcntl(fd, F_SETFD, stays ? 0 : FD_CLOEXEC);
  }
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

std::string cut(const std::string& text, std::size_t limit = 1500) {
  return text.size() <= limit ? text : text.substr(0, limit) + "… (" + std::to_string(text.size()) + " bytes)";
}

}  // namespace

std::string helios_run_path() { return variable_or("HELIOS_RUN", HELIOS_RUN_DEFAULT); }
std::string probe_path(std::string_view name) {
  return variable_or("HELIOS_PROBES", HELIOS_PROBES_DEFAULT) + "/" + std::string(name);
}

std::string Finished::reason() const {
  return has_result() ? result.value("/termination/reason"_json_pointer, std::string("(none)")) : "(no result)";
}

std::string Finished::text(const char* stream) const {
  return has_result() && result.contains(stream) && result[stream].is_string() ? result[stream].get<std::string>() : "";
}

std::optional<double> Finished::figure(const char* key) const {
  if (!has_result() || !result.contains("resources")) return {};
  const auto it = result["resources"].find(key);
  if (it == result["resources"].end() || !it->is_number()) return {};
  return it->get<double>();
}

std::optional<nlohmann::json> Finished::receipt(std::string_view limit) const {
  if (!has_result() || !result.contains("limits")) return {};
  for (const nlohmann::json& line : result["limits"])
    if (line.value("limit", "") == limit) return line;
  return {};
}

std::string Finished::describe() const {
  std::ostringstream text;
  text << "exit " << exit_code << (timed_out ? " (KILLED AT ITS DEADLINE)" : "") << " after " << elapsed.count()
       << " ms\nstdout: " << cut(out) << "\nstderr: " << cut(err);
  return text.str();
}

Running::Running(const Invocation& what) : started_(Clock::now()), deadline_(started_ + patiently(what.deadline)) {
  out_ = memory_file("stdout");
  err_ = memory_file("stderr");
  in_ = input_of(what.stdin_text);
  Terminal terminal;
  if (what.terminal) terminal = open_terminal();
  terminal_ = terminal.ours;
  std::vector<std::string> argv = what.argv, env;
  for (const auto& [name, value] : what.env) env.push_back(name + "=" + value);
  std::vector<char*> argv_list = pointers(argv), env_list = pointers(env);

  pid_ = fork();
  if (pid_ < 0) give_up("fork");
  if (pid_ == 0) {
    lseek(in_, 0, SEEK_SET);
    take_streams(what, in_, out_, err_, terminal.name);
    keep_only(what.leaked_fds);
    become(what);
    if (chdir(what.cwd.c_str()) != 0) give_up("chdir");
    inherit_signals(what);
    execve(argv_list[0], argv_list.data(), env_list.data());
    give_up(argv_list[0]);
  }
  note_run(pid_);
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ < 0) give_up("pidfd_open");
}

Running::~Running() {
  if (pid_ > 0) {
    signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (int fd : {pidfd_, out_, err_, in_, terminal_})
    if (fd >= 0) close(fd);
}

void Running::signal(int number) const { syscall(SYS_pidfd_send_signal, pidfd_, number, nullptr, 0); }

bool Running::has_ended() const {
  pollfd p{pidfd_, POLLIN, 0};
  return poll(&p, 1, 0) > 0;
}

Finished Running::wait() {
  Finished done;
  pollfd p{pidfd_, POLLIN, 0};
  int ready = 0;
  do {
    const auto left = duration_cast<milliseconds>(deadline_ - Clock::now()).count();
    ready = poll(&p, 1, static_cast<int>(std::max<long>(left, 0)));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    done.timed_out = true;
    signal(SIGKILL);
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  done.elapsed = duration_cast<milliseconds>(Clock::now() - started_);
  done.exit_code = exit_code_of(status);
  done.out = contents(out_);
  done.err = contents(err_);
  done.result = nlohmann::json::parse(done.out, nullptr, false);
  if (!done.result.is_object()) done.result = nullptr;
  return done;
}

Finished run_to_end(const Invocation& what) {
  Running running(what);
  return running.wait();
}

milliseconds patiently(milliseconds bound) {
  static const int slowness = std::max(1, std::atoi(variable_or("HELIOS_TEST_SLOWNESS", "1").c_str()));
  return bound * slowness;
}

bool wait_until(const std::function<bool()>& holds, milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!holds()) {
    if (Clock::now() >= end) return holds();
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

}  // namespace helios::test
