// Limits on what a run may add to its workspace. Held by watching: see docs/policies.md.
#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {

TEST_P(Contract, GrowthOfTheWorkspaceBeyondTheLimitEndsTheRun) {
  const Finished f = run_command({"--disk-limit", "8M", "--timeout", "60s"},
                                 {"/bin/sh", "-c", "while :; do head -c 4194304 /dev/zero >>big; done"});
  expect_ended(f, "disk-limit", 137);
  const auto receipt = f.receipt("diskBytes");
  ASSERT_TRUE(receipt) << f.describe();
  EXPECT_EQ((*receipt)["effective"], 8 << 20);
}

TEST_P(Contract, MoreFilesThanTheLimitEndTheRun) {
  const Finished f =
      run_command({"--disk-files", "50", "--timeout", "60s"},
                  {"/bin/sh", "-c", "i=0; while :; do i=$((i+1)); : >f$i; [ $((i % 500)) = 0 ] && sleep 0.2; done"});
  expect_ended(f, "disk-limit", 137);
}

TEST_P(Contract, GrowthWithinTheLimitIsAllowedAndWhatWasThereDoesNotCount) {
  scene().write(scene().in_workspace("before"), std::string(6 << 20, 'x'));
  const Finished f =
      run_command({"--disk-limit", "8M"}, {"/bin/sh", "-c", "head -c 4194304 /dev/zero >more; sleep 0.4"});
  expect_ended(f, "exited", 0);
}

}  // namespace
}  // namespace helios::test
