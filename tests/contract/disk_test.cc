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

TEST_P(Contract, TmpIsNoLargerThanTheDiskLimits) {
  if (!isolated()) return;  // shell has no /tmp of its own
  for (const char* folder : {"/tmp", "/dev/shm"}) {
    const std::vector<std::string> write{"/bin/sh", "-c", std::string("head -c 4194304 /dev/zero >") + folder + "/x"};
    expect_ended(run_command({"--disk-limit", "8M"}, write), "exited", 0);
    const Finished f = run_command({"--disk-limit", "1M"}, write);
    EXPECT_NE(f.exit_code, 0) << folder << f.describe();
    EXPECT_NE(f.text("stderr").find("No space left"), std::string::npos) << folder << f.describe();
    const std::vector<std::string> many{
        "/bin/sh", "-c", std::string("i=0; while [ $i -lt 600 ]; do i=$((i+1)); : >") + folder + "/$i || exit 3; done"};
    expect_ended(run_command({"--disk-files", "1000"}, many), "exited", 0);
    EXPECT_NE(run_command({"--disk-files", "100"}, many).exit_code, 0) << folder;
  }
}

constexpr const char* kWrite16M = "head -c 16777216 /dev/zero >";

TEST_P(Contract, AFolderThatCannotBeListedHidesNoGrowth) {
  for (const char* mode : {"0300", "0700"}) {
    const Finished f = run_command({"--disk-limit", "8M"}, {"/bin/sh", "-c",
                                                            std::string("mkdir -m 0700 d; chmod ") + mode + " d; " +
                                                                kWrite16M + "d/big; chmod 0300 d; sleep 3"});
    std::filesystem::permissions(scene().in_workspace("d"), std::filesystem::perms::owner_all);
    std::filesystem::remove_all(scene().in_workspace("d"));
    expect_ended(f, "disk-limit", 137);
    if (scene().who().is_root() || !f.has_result()) continue;  // who looks into every folder
    const std::string detail = f.result["termination"].value("detail", "");
    EXPECT_TRUE(detail.find("folder 'd': Permission denied") != std::string::npos ||
                detail.find("grew by more") != std::string::npos)
        << detail;
  }
}

TEST_P(Contract, AWorkspaceThatCannotBeListedHidesNoGrowth) {
  for (const char* then : {"sleep 3", "exit 0"}) {
    const Finished f = run_command({"--disk-limit", "8M"},
                                   {"/bin/sh", "-c", std::string("chmod 0300 .; ") + kWrite16M + "big; " + then});
    std::filesystem::permissions(scene().workspace(), std::filesystem::perms::owner_all);
    std::filesystem::remove(scene().in_workspace("big"));
    expect_ended(f, "disk-limit", 137);
  }
}

TEST_P(Contract, NoDepthHidesGrowth) {
  const Finished f = run_command(
      {"--disk-limit", "8M"},
      {"/bin/sh", "-c",
       std::string("i=0; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i+1)); done; ") + kWrite16M + "big; sleep 1"});
  expect_ended(f, "disk-limit", 137);
}

TEST_P(Contract, AWorkspaceThatCannotBeCountedIsRefused) {
  scene().make_folder(scene().in_workspace("d"));
  std::filesystem::permissions(scene().in_workspace("d"), std::filesystem::perms::owner_write);
  const Finished f = run_command({"--disk-limit", "8M"}, {"/bin/true"});
  std::filesystem::permissions(scene().in_workspace("d"), std::filesystem::perms::owner_all);
  if (scene().who().is_root()) return expect_ended(f, "exited", 0);  // who looks into every folder
  EXPECT_EQ(f.exit_code, 125) << f.describe();
  EXPECT_NE(f.err.find("folder 'd': Permission denied"), std::string::npos) << f.err;
}

}  // namespace
}  // namespace helios::test
