// helios-run under a real systemd, started from a unit that nobody delegated (a plain service, a login session, a
// scope): what it asks systemd for holds, and the unit it was started from is left alone. Runs in the virtual machines
// of tests/vm only.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/support/scene.h"

namespace helios::test {
namespace {

/// Where this test is: /system.slice/vm.service, or /user.slice/user-1000.slice/session-1.scope
std::string own_group() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  std::getline(file, line);
  return line.starts_with("0::/") ? line.substr(3) : "";
}

/// The line `key` of a file of our own group; systemd watches `oom_kill` of memory.events.
std::string own_figure(const char* file, std::string_view key) {
  std::ifstream lines("/sys/fs/cgroup" + own_group() + "/" + file);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(std::string(key) + " ")) return line.substr(key.size() + 1);
  return "(no " + std::string(key) + ")";
}

class Systemd : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists("/run/systemd/system")) << "systemd does not run here";
    ASSERT_FALSE(able_identities().empty());
    scene_.emplace(able_identities().front());
    scene_->bring_probe("chunk_probe");
  }
  void TearDown() override {
    if (!scene_) return;
    EXPECT_EQ(scene_->left_behind(), std::vector<std::string>{});
  }

  [[nodiscard]] Invocation limited(const std::vector<std::string>& command) const {
    Invocation what =
        scene_->command(GetParam(), {"--memory", "64M", "--cpus", "0.5", "--pids", "20", "--timeout", "100s"}, command);
    what.deadline = std::chrono::milliseconds(150'000);
    return what;
  }
  /// The same from a scope that is not delegated: to root it is no place, to a user it looks like one.
  [[nodiscard]] Invocation in_plain_scope(Invocation what) const {
    std::vector<std::string> argv{"/usr/bin/systemd-run", "--scope", "--quiet"};
    if (!scene_->who().is_root()) argv.emplace_back("--user");
    argv.emplace_back("--");
    argv.insert(argv.end(), what.argv.begin(), what.argv.end());
    what.argv = std::move(argv);
    what.env.emplace_back("XDG_RUNTIME_DIR", "/run/user/" + std::to_string(scene_->who().uid));
    return what;
  }
  /// `systemctl ARGUMENTS…`, of the user's manager if that is whose helios-run is asked for.
  [[nodiscard]] Finished systemctl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "/usr/bin/systemctl");
    Invocation what = scene_->unconfined(arguments);
    what.env.emplace_back("XDG_RUNTIME_DIR", "/run/user/" + std::to_string(scene_->who().uid));
    what.deadline = std::chrono::milliseconds(60'000);
    return run_to_end(what);
  }
  /// Our own unit goes on, and systemd has seen nothing die of memory in it.
  void expect_own_unit_is_well() const {
    EXPECT_EQ(own_figure("memory.events", "oom_kill"), "0");
    const std::string unit = std::filesystem::path(own_group()).filename();
    const Finished state = systemctl({"show", "--property=ActiveState,Result,Id", unit});
    EXPECT_NE(state.out.find("Id=" + unit + "\n"), std::string::npos) << state.describe();
    EXPECT_NE(state.out.find("Result=success\n"), std::string::npos) << state.describe();
    EXPECT_TRUE(state.out.find("ActiveState=act") != std::string::npos) << "active or activating" << state.describe();
  }

  void expect_limits_outlive_a_reload(const Invocation& what);

  std::optional<Scene> scene_;
};

void expect_receipt(const Finished& f, const char* limit, double effective, const std::string& by) {
  const auto receipt = f.receipt(limit);
  ASSERT_TRUE(receipt) << limit << f.describe();
  EXPECT_EQ(receipt->value("effective", -1.0), effective) << limit;
  EXPECT_EQ(receipt->value("by", ""), by) << limit;
}

TEST_P(Systemd, AnOutOfMemoryEndsTheRunAndNotTheUnit) {
  const std::string before = own_group();
  ASSERT_FALSE(before.empty());
  const Finished f = run_to_end(limited({"./chunk_probe", "alloc", "10240"}));
  ASSERT_TRUE(f.has_result()) << f.describe();
  EXPECT_EQ(f.reason(), "memory-limit") << f.describe();
  EXPECT_EQ(f.exit_code, 137) << f.describe();
  EXPECT_GE(f.figure("oomKills").value_or(0), 1) << f.describe();
  constexpr double kLimit = 64 << 20;
  expect_receipt(f, "memory", kLimit, "cgroup-v2:memory.max");
  expect_receipt(f, "cpus", 500, "cgroup-v2:cpu.max");
  const auto processes = f.receipt("processes");
  ASSERT_TRUE(processes) << f.describe();
  EXPECT_EQ(processes->value("by", ""), "cgroup-v2:pids.max");
  EXPECT_EQ(own_group(), before) << "helios-run moves itself and nobody else";
  expect_own_unit_is_well();
  const Finished next = run_to_end(limited({"./chunk_probe", "exit", "0"}));
  EXPECT_EQ(next.exit_code, 0) << next.describe();
  expect_own_unit_is_well();
}

const std::vector<std::string> kWaitsAndAllocates{
    "sh", "-c", "touch ready; until [ -e go ]; do sleep 0.2; done; exec ./chunk_probe alloc 10240"};

// What is made in a unit without delegation loses its limits here, and nobody tells: the limit files just vanish.
void Systemd::expect_limits_outlive_a_reload(const Invocation& what) {
  Running running(what);
  ASSERT_TRUE(scene_->appears("ready"));
  const bool root = scene_->who().is_root();
  const Finished reload = systemctl({root ? "--system" : "--user", "daemon-reload"});
  EXPECT_EQ(reload.exit_code, 0) << reload.describe();
  scene_->write(scene_->in_workspace("go"), "");
  const Finished f = running.wait();
  EXPECT_EQ(f.reason(), "memory-limit") << f.describe();
  EXPECT_EQ(f.exit_code, 137) << f.describe();
  expect_own_unit_is_well();
}

TEST_P(Systemd, LimitsOutliveADaemonReload) { expect_limits_outlive_a_reload(limited(kWaitsAndAllocates)); }

TEST_P(Systemd, AScopeThatNobodyDelegatedIsNotBuiltIn) {
  expect_limits_outlive_a_reload(in_plain_scope(limited(kWaitsAndAllocates)));
}

INSTANTIATE_TEST_SUITE_P(Runners, Systemd, testing::Values("isolated", "shell"),
                         [](const testing::TestParamInfo<const char*>& runner) { return std::string(runner.param); });

}  // namespace
}  // namespace helios::test
