#include "core/cgroup/members.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>
#include <thread>

#include "core/cgroup/cgroup_file.h"
#include "core/sys/file.h"

namespace helios::cgroup {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds kPause{300};

void append_pids(const std::string& group, std::vector<pid_t>& pids) {
  const auto file = sys::read_file(group + "/cgroup.procs", 64 << 20);
  if (!file) return;  // removed meanwhile, or a threaded group, whose processes its parent lists
  const std::string_view text(*file);
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    pid_t pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error == std::errc{}) pids.push_back(pid);
    at = next + 1;
  }
}

struct Target {
  pid_t pid;
  sys::UniqueFd pidfd;  // none: the process is gone, or the kernel (before 5.3) has no pidfds
};

std::vector<Target> open_targets(const std::vector<pid_t>& pids) {
  std::vector<Target> targets;
  for (const pid_t pid : pids) {
    if (pid <= 0 || pid == ::getpid()) continue;
    sys::UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!fd && errno == EMFILE) break;  // as many as descriptors allow; the rest in the next round
    targets.push_back({pid, std::move(fd)});
  }
  return targets;
}

void signal_target(const Target& target) {
  if (target.pidfd) {
    (void)::syscall(SYS_pidfd_send_signal, target.pidfd.get(), SIGKILL, nullptr, 0);
  } else {
    (void)::kill(target.pid, SIGKILL);
  }
}

int left_ms(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 100));
}

void await_targets(const std::vector<Target>& targets, Clock::time_point deadline) {
  for (const auto& target : targets) {
    if (!target.pidfd) continue;
    pollfd p{target.pidfd.get(), POLLIN, 0};
    (void)::poll(&p, 1, left_ms(deadline));
  }
}

enum class Signal { none, kill };

bool empty_out(const std::vector<std::string>& roots, Clock::time_point deadline, Signal signal) {
  for (;;) {
    const auto pids = pids_in(roots);
    if (pids.empty()) return true;
    const auto targets = open_targets(pids);
    if (signal == Signal::kill) {
      const auto still = pids_in(roots);
      for (const auto& target : targets) {
        if (std::binary_search(still.begin(), still.end(), target.pid)) signal_target(target);
      }
    }
    if (Clock::now() >= deadline) return false;
    await_targets(targets, deadline);
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

std::vector<pid_t> pids_in(const std::vector<std::string>& roots) {
  std::vector<pid_t> pids;
  for (const auto& root : roots) {
    for (const auto& group : tree_of(root)) append_pids(group, pids);
  }
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

CpuWait cpu_wait(const std::vector<std::string>& roots) {
  CpuWait all;
  for (const pid_t pid : pids_in(roots)) {
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task/";
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(tasks.c_str()), ::closedir);
    while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
      const auto tid = parse_number(entry->d_name);
      if (!tid) continue;
      const auto figures = sys::read_file(tasks + entry->d_name + "/schedstat", 4096);  // "<ran ns> <waited ns> <runs>"
      const std::size_t second = figures ? figures->find(' ') + 1 : 0;
      const std::size_t third = second != 0 ? figures->find(' ', second) + 1 : 0;
      const auto stat = sys::read_file(tasks + entry->d_name + "/stat", 4096);  // "<tid> (<name>) <state> …"
      const std::size_t name_end = stat ? stat->rfind(')') : std::string::npos;
      if (third == 0 || name_end == std::string::npos) continue;
      all.push_back(
          {static_cast<pid_t>(*tid), parse_number(std::string_view(*figures).substr(second)).value_or(0) / 1000,
           parse_number(std::string_view(*figures).substr(third)).value_or(0), stat->compare(name_end, 3, ") R") == 0});
    }
  }
  std::sort(all.begin(), all.end(), [](const ThreadWait& a, const ThreadWait& b) { return a.tid < b.tid; });
  return all;
}

bool kill_members(const std::vector<std::string>& roots, Clock::time_point deadline) {
  return empty_out(roots, deadline, Signal::kill);
}

bool await_members(const std::vector<std::string>& roots, Clock::time_point deadline) {
  return empty_out(roots, deadline, Signal::none);
}

Leftover remove_tree(const std::string& root, Clock::time_point deadline) {
  for (;;) {
    Leftover left;
    if (::rmdir(root.c_str()) == 0 || errno == ENOENT) return {};
    for (const auto& group : tree_of(root)) {
      if (::rmdir(group.c_str()) != 0 && errno != ENOENT) left = {group, errno};
    }
    if (left.path.empty()) return {};
    if (left.sys_errno != EBUSY && left.sys_errno != ENOTEMPTY) return left;
    if (Clock::now() >= deadline) return left;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace helios::cgroup
