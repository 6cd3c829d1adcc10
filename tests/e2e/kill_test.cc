// helios-run killed with SIGKILL at any moment leaves no process; what is left of groups and tokens goes with the next
// run. HELIOS_KILL_RUNS says how many.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/support/scene.h"

namespace helios::test {
namespace {
using std::chrono::milliseconds;

int wanted_kills() {
  const char* value = std::getenv("HELIOS_KILL_RUNS");
  return value != nullptr ? std::atoi(value) : 24;
}

struct Case {
  Identity who;
  std::string runner;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.runner << " as " << c.who.name; }

class Killed : public testing::TestWithParam<Case> {};

std::string names(const std::vector<ProcessSeen>& processes) {
  std::string text;
  for (const ProcessSeen& p : processes) text += std::to_string(p.pid) + " " + p.name + "; ";
  return text;
}

TEST_P(Killed, AtAnyMomentLeavesNoProcess) {
  Scene scene(GetParam().who);
  scene.bring_probe("chunk_probe");
  for (int i = 0; i < wanted_kills(); ++i) {
    const auto moment = std::chrono::microseconds(300 + i * 110'000 / wanted_kills());
    Running running(scene.command(GetParam().runner, {"--grace", "60s"}, {"./chunk_probe", "tree", "ready"}));
    std::this_thread::sleep_for(moment);  // the moment is the case
    running.signal(SIGKILL);
    (void)running.wait();
    ASSERT_EQ(names(wait_until_childless(milliseconds(2000))), "") << "killed after " << moment.count() << " us";
  }
  const Finished f = run_to_end(scene.command(GetParam().runner, {}, {"./chunk_probe", "exit", "0"}));
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  EXPECT_EQ(scene.left_behind(), std::vector<std::string>{}) << "the next run clears what the killed ones left";
}

/// Process 1 of a run whose sandbox is still being built, stopped there; 0: it was not caught in time.
pid_t stop_builder(pid_t helios_run) {
  const std::string children =
      "/proc/" + std::to_string(helios_run) + "/task/" + std::to_string(helios_run) + "/children";
  pid_t builder = 0;
  (void)wait_until(
      [&] {
        std::ifstream list(children);
        for (pid_t pid = 0; list >> pid;) {
          std::string name;
          std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> std::ws, name);
          if (name.find("helios-init") != std::string::npos || name.starts_with("memfd:helios")) builder = pid;
        }
        return builder != 0 && kill(builder, SIGSTOP) == 0;
      },
      milliseconds(2000));
  if (builder == 0) return 0;
  pid_t command = 0;
  const std::string of_builder = std::to_string(builder);
  std::ifstream("/proc/" + of_builder + "/task/" + of_builder + "/children") >> command;
  return command == 0 ? builder : 0;
}

TEST(Cancelled, WhileTheSandboxIsBuiltEndsTheRunAtOnce) {
  const Identity who = able_identities().front();
  for (int attempt = 0; attempt < 50; ++attempt) {
    Scene scene(who);
    std::vector<std::string> many;  // so that building takes a moment
    for (int i = 0; i < 150; ++i) many.insert(many.end(), {"--ro-bind", "/usr:/many/" + std::to_string(i)});
    Running running(scene.command("isolated", many, {"/bin/true"}));
    if (stop_builder(running.pid()) == 0) {
      (void)running.wait();
      continue;
    }
    running.signal(SIGTERM);
    const Finished f = running.wait();
    EXPECT_EQ(f.reason(), "cancelled") << f.describe();
    EXPECT_EQ(f.exit_code, 143) << f.describe();
    EXPECT_LT(f.elapsed, patiently(milliseconds(5000))) << f.describe();
    EXPECT_EQ(scene.left_behind(), std::vector<std::string>{});
    return;
  }
  FAIL() << "process 1 was never caught while it built";
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Identity& who : able_identities())
    for (const char* runner : {"shell", "isolated"}) all.push_back({who, runner});
  return all;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Killed);
INSTANTIATE_TEST_SUITE_P(All, Killed, testing::ValuesIn(cases()),
                         [](const auto& i) { return i.param.runner + "_" + i.param.who.name; });

}  // namespace
}  // namespace helios::test
