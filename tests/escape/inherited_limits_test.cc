// Whoever starts helios-run may be allowed real-time priorities (audio groups, LimitRTPRIO=), or be spared when memory
// runs out. Giving oneself that takes a machine of the test's own, in tests/vm.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>

#include "tests/support/scene.h"

namespace helios::test {
namespace {

class InheritedLimits : public testing::TestWithParam<Identity> {};

TEST_P(InheritedLimits, GiveNoHigherPriority) {
  rlimit before{}, nice_before{};
  ASSERT_EQ(getrlimit(RLIMIT_RTPRIO, &before), 0);
  ASSERT_EQ(getrlimit(RLIMIT_NICE, &nice_before), 0);
  const rlimit high{50, 50}, nicer{30, 30};
  ASSERT_EQ(setrlimit(RLIMIT_RTPRIO, &high), 0);
  ASSERT_EQ(setrlimit(RLIMIT_NICE, &nicer), 0);
  {
    const Scene scene(GetParam());
    scene.bring_probe("chunk_probe");
    scene.bring_probe("escape_probe");
    Invocation outside = scene.unconfined({scene.in_workspace("chunk_probe"), "state"});
    EXPECT_NE(run_to_end(outside).out.find("rtprio: 50 50\nnice: 30 30\n"), std::string::npos) << "the control";
    for (const char* runner : {"isolated", "shell"}) {
      const Finished f = run_to_end(scene.command(runner, {}, {"./chunk_probe", "state"}));
      EXPECT_NE(f.text("stdout").find("rtprio: 0 0\nnice: 0 0\n"), std::string::npos) << f.describe();
    }
    EXPECT_EQ(run_to_end(scene.command("isolated", {}, {"./escape_probe", "raise-priority"})).exit_code, 1);
  }
  setrlimit(RLIMIT_RTPRIO, &before);
  setrlimit(RLIMIT_NICE, &nice_before);
}

TEST_P(InheritedLimits, SpareNoRunWhenMemoryRunsOut) {
  const char* file = "/proc/self/oom_score_adj";
  std::string before;
  std::getline(std::ifstream(file) >> std::ws, before);
  std::ofstream(file) << "-500" << std::flush;
  {
    const Scene scene(GetParam());
    const Invocation outside = scene.unconfined({"/bin/cat", file});
    EXPECT_EQ(run_to_end(outside).out, "-500\n") << "the control";
    for (const char* runner : {"isolated", "shell"}) {
      const Finished f = run_to_end(scene.command(runner, {}, {"/bin/cat", file}));
      EXPECT_EQ(f.text("stdout"), "0\n") << f.describe();
    }
  }
  std::ofstream(file) << before << std::flush;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(InheritedLimits);
INSTANTIATE_TEST_SUITE_P(All, InheritedLimits, testing::ValuesIn(identities_that_own_the_host()),
                         [](const testing::TestParamInfo<Identity>& of) { return of.param.name; });

}  // namespace
}  // namespace helios::test
