// helios-run killed with SIGKILL at any moment leaves no process; what is left of groups and tokens goes with the next
// run. HELIOS_KILL_RUNS says how many.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
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
