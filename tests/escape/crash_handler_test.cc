// A host may handle crashes by a program (kernel.core_pattern with `|`): the kernel starts it as root, outside of every
// sandbox. Only where the machine is the test's own may that setting be touched, in tests/vm.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/support/scene.h"

namespace helios::test {
namespace {
namespace fs = std::filesystem;

constexpr const char* kPattern = "/proc/sys/kernel/core_pattern";

/// Makes crashes start touch(1) on a file named after the program that crashed.
class CrashHandler : public testing::TestWithParam<Identity> {
 protected:
  void SetUp() override {
    std::getline(std::ifstream(kPattern), before_);
    scene_.emplace(GetParam());
    std::ofstream(kPattern) << "|/usr/bin/touch " << scene_->outside().string() << "/%e" << std::flush;
  }
  void TearDown() override {
    std::ofstream(kPattern) << before_ << std::flush;
    scene_.reset();
  }

  /// The probe under a name that tells its crash from others.
  [[nodiscard]] std::string probe_called(const std::string& name) const {
    scene_->bring_probe("chunk_probe");
    fs::rename(scene_->in_workspace("chunk_probe"), scene_->in_workspace(name));
    return "./" + name;
  }
  [[nodiscard]] bool was_handled(const std::string& name) const { return fs::exists(scene_->outside() / name); }
  /// A crash outside of any run: its handler is started after those of all crashes before it.
  void crash_outside(const std::string& name) const {
    Invocation crash = scene_->unconfined({probe_called(name), "abort"});
    crash.argv[0] = scene_->in_workspace(name);
    EXPECT_EQ(run_to_end(crash).exit_code, 128 + SIGABRT);
    EXPECT_TRUE(wait_until([&] { return was_handled(name); })) << "the control: a handler was to be started";
  }

  std::string before_;
  std::optional<Scene> scene_;
};

TEST_P(CrashHandler, IsNotStartedForACommandThatCrashes) {
  for (const std::string runner : {"isolated", "shell"}) {
    const std::string name = "in_" + runner;
    const Finished f = run_to_end(scene_->command(runner, {}, {probe_called(name), "abort"}));
    EXPECT_EQ(f.exit_code, 128 + SIGABRT) << f.describe();
    crash_outside("after_" + runner);
    EXPECT_FALSE(was_handled(name)) << f.describe();
  }
}

TEST_P(CrashHandler, IsNotStartedForAnIsolatedCommandThatAsksForIt) {
  const std::string ask = "ulimit -S -c 0; ulimit -c 0; exec \"$0\" abort";
  const Finished stopped = run_to_end(scene_->command("isolated", {}, {"/bin/sh", "-c", ask, probe_called("asks")}));
  EXPECT_EQ(stopped.exit_code, 128 + SIGABRT) << stopped.describe();
  EXPECT_NE(stopped.text("stderr").find("ulimit"), std::string::npos) << stopped.describe();
  // The control: under `shell`, which isolates nothing, asking is enough.
  const Finished free = run_to_end(scene_->command("shell", {}, {"/bin/sh", "-c", ask, probe_called("asks_in_shell")}));
  EXPECT_EQ(free.exit_code, 128 + SIGABRT) << free.describe();
  EXPECT_TRUE(wait_until([&] { return was_handled("asks_in_shell"); }));
  crash_outside("after");
  EXPECT_FALSE(was_handled("asks")) << stopped.describe();
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CrashHandler);
INSTANTIATE_TEST_SUITE_P(All, CrashHandler, testing::ValuesIn(identities_that_own_the_host()),
                         [](const testing::TestParamInfo<Identity>& of) { return of.param.name; });

}  // namespace
}  // namespace helios::test
