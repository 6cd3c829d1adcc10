/// What the cgroup tests share: a place for groups, and processes of known cost started inside them.
///
/// HELIOS_CGROUP_PROBE=1     use the place that probing finds (in a virtual machine of our own); otherwise the tests
///                           make a parent of their own, /helios-test-PID, and remove it.
/// HELIOS_CGROUP_PARENT=P    use that parent
/// HELIOS_TESTS_MUST_RUN=1   a host without a place for groups fails the tests instead of skipping them
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <set>

#include "core/cgroup/cgroup.h"
#include "core/cgroup/hierarchy.h"

namespace helios::cgroup {

inline bool must_run() {
  const char* set = std::getenv("HELIOS_TESTS_MUST_RUN");
  return set != nullptr && std::strcmp(set, "1") == 0;
}

/// Starts `body` as a process inside `group`, the way a runner does: CLONE_INTO_CGROUP on v2, "0" into `tasks` on v1.
inline pid_t start_in(const RunGroup& group, const std::function<int()>& body) {
  clone_args args{};
  args.exit_signal = SIGCHLD;
  if (group.clone_into_fd() >= 0) {
    args.flags = CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(group.clone_into_fd());
  }
  const auto joins = group.join_fds();
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  if (pid != 0) return pid;
  for (const int fd : joins) {
    if (::write(fd, "0", 1) != 1) ::_exit(120);
  }
  ::_exit(body());
}

struct Ended {
  int status{-1};
  rusage usage{};
  [[nodiscard]] bool exited_with(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
  [[nodiscard]] bool killed() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }
};

inline Ended await(pid_t pid) {
  Ended ended;
  while (::wait4(pid, &ended.status, 0, &ended.usage) < 0 && errno == EINTR) {
  }
  return ended;
}

inline int touch_memory(std::size_t bytes) {
  void* area = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return 1;
  std::memset(area, 7, bytes);
  return 0;
}

inline std::uint64_t cpu_ms_of_self() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1000 + static_cast<std::uint64_t>(t.tv_nsec) / 1000000;
}

inline int burn_cpu(std::uint64_t ms) {
  while (cpu_ms_of_self() < ms) {
  }
  return 0;
}

/// Until the process has been killed (or a minute is over, so that a failed test leaves nothing).
inline int sleep_long() {
  ::alarm(60);
  for (;;) ::pause();
}

/// On v1 a child joins by itself, a moment after it was started.
inline void await_population(const RunGroup& group, std::uint64_t count) {
  for (int i = 0; i < 1000 && group.population() != count; ++i) ::usleep(5000);
}

class CgroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* parent = std::getenv("HELIOS_CGROUP_PARENT");
    const bool probe = std::getenv("HELIOS_CGROUP_PROBE") != nullptr;
    if (parent != nullptr) options_.cgroup_parent = parent;
    if (parent == nullptr && !probe) {
      options_.cgroup_parent = "/helios-test-" + std::to_string(::getpid());
      own_parent_ = true;
    }
    auto found = Placement::find(options_);
    if (!found) {
      if (must_run()) FAIL() << found.error().message;
      GTEST_SKIP() << "no place for control groups: " << found.error().message;
    }
    place_ = std::make_unique<Placement>(std::move(*found));
  }

  void TearDown() override {
    if (!own_parent_ || !place_) return;
    std::set<std::string> parents;
    for (std::size_t i = 0; i < kControllerCount; ++i) parents.insert(place_->seat(static_cast<Controller>(i)).parent);
    for (const auto& parent : parents) {
      if (parent.empty() || ::access(parent.c_str(), F_OK) != 0) continue;
      EXPECT_EQ(::rmdir(parent.c_str()), 0) << parent << ": something was left behind";
    }
  }

  Result<RunGroup> make(const GroupLimits& limits, const std::vector<std::string>& allowed = {}) {
    return RunGroup::create(*place_, owner_token(), limits, allowed);
  }

  bool need(Controller c) {
    if (place_->has(c)) return true;
    EXPECT_FALSE(must_run() && std::getenv("HELIOS_CGROUP_MAY_LACK") == nullptr) << place_->describe();
    return false;
  }

  PlacementOptions options_;
  std::unique_ptr<Placement> place_;
  bool own_parent_{false};
};

#define NEED(controller) \
  if (!need(controller)) GTEST_SKIP() << place_->describe()

}  // namespace helios::cgroup
