// What cannot be held is refused, with the remedy; nothing has been started.
#include <signal.h>
#include <unistd.h>

#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {

class WithoutGroups : public testing::TestWithParam<Place> {};

bool names_a_remedy(const std::string& text) {
  for (const char* remedy : {"Delegate=yes", "--cgroup-parent", "--allow-degraded"})
    if (text.find(remedy) != std::string::npos) return true;
  return false;
}

void expect_refused(const Finished& f) {
  EXPECT_EQ(f.exit_code, 125) << f.describe();
  EXPECT_EQ(f.out, "") << f.describe();
  EXPECT_FALSE(f.timed_out);
}

TEST_P(WithoutGroups, ALimitThatCannotBeHeldIsRefusedWithTheRemedy) {
  Scene scene(GetParam().who);
  scene.bring_probe("chunk_probe");
  const Finished f = run_to_end(scene.command(GetParam().runner, {"--memory", "64M", "--pids", "8"},
                                              {"./chunk_probe", "place", "file", "started"}));
  expect_refused(f);
  EXPECT_TRUE(names_a_remedy(f.err)) << f.err;
  EXPECT_FALSE(std::filesystem::exists(scene.in_workspace("started")));
  EXPECT_EQ(scene.left_behind(), std::vector<std::string>{});
}

TEST_P(WithoutGroups, APolicysDefaultsAreRefusedAsWell) {
  Scene scene(GetParam().who);
  scene.bring_probe("chunk_probe");
  const Finished f = run_to_end(scene.command(GetParam().runner, {}, {"./chunk_probe", "place", "file", "started"}));
  expect_refused(f);
  EXPECT_TRUE(names_a_remedy(f.err)) << f.err;
  EXPECT_FALSE(std::filesystem::exists(scene.in_workspace("started")));
}

TEST_P(WithoutGroups, RunsWhenToldWhatMayBeMissing) {
  Scene scene(GetParam().who);
  scene.bring_probe("chunk_probe");
  const Finished f = run_to_end(scene.command(GetParam().runner, {"--allow-degraded", "memory,swap,processes"},
                                              {"./chunk_probe", "daemon", "ready"}));
  expect_ended(f, "exited", 0);
  if (GetParam().runner == "isolated") {  // the pid namespace ends the tree; `shell` without a group cannot promise it
    EXPECT_EQ(scene.left_behind(), std::vector<std::string>{});
  } else {
    for (const ProcessSeen& p : descendants(getpid())) kill(p.pid, SIGKILL);
    EXPECT_TRUE(wait_until_childless(std::chrono::milliseconds(2000)).empty());
  }
}

std::vector<Place> places_without_groups() {
  std::vector<Place> all;
  for (const Identity& who : identities())
    if (who.groups == Groups::none)
      for (const char* runner : {"shell", "isolated"}) all.push_back({runner, who});
  return all;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(WithoutGroups);
INSTANTIATE_TEST_SUITE_P(All, WithoutGroups, testing::ValuesIn(places_without_groups()), place_name);

TEST_P(Contract, WorkspacesThatMakeNoSenseAreRefused) {
  std::filesystem::create_directory_symlink(scene().workspace(), scene().outside() / "link");
  scene().write(scene().outside() / "file", "");
  for (const std::string& folder : {std::string("/"), std::string("/etc"), std::string("/usr"), std::string("/usr/lib"),
                                    std::string("/proc"), std::string("/dev"), (scene().outside() / "link").string(),
                                    (scene().outside() / "file").string(), (scene().outside() / "missing").string()}) {
    const Finished f =
        run_to_end(scene().helios_run({"--sandbox", runner(), "--workspace", folder, "--", "/bin/sh", "-c", "exit 0"}));
    EXPECT_EQ(f.exit_code, 125) << folder << "\n" << f.describe();
    EXPECT_EQ(f.out, "") << folder;
    EXPECT_NE(f.err.find(folder), std::string::npos) << f.err;
  }
}

TEST_P(Contract, AWorkdirOutsideTheWorkspaceIsRefused) {
  std::filesystem::create_directory_symlink("/", scene().in_workspace("rootlink"));
  for (const std::string& folder : {scene().outside().string(), std::string("/"), std::string("/proc/self/fd/0"),
                                    scene().in_workspace("rootlink").string(), scene().in_workspace("..").string()}) {
    const Finished f = run_probe({"--workdir", folder}, {"exit", "0"});
    EXPECT_EQ(f.exit_code, 125) << folder << "\n" << f.describe();
    EXPECT_EQ(f.out, "") << folder;
  }
}

TEST_P(Contract, AnUnknownRunnerNamesThoseThatExist) {
  const Finished f = run_to_end(scene().helios_run({"--sandbox", "no-such-runner", "--", "true"}));
  expect_refused(f);
  EXPECT_NE(f.err.find("shell"), std::string::npos) << f.err;
  EXPECT_NE(f.err.find("isolated"), std::string::npos) << f.err;
}

TEST_P(Contract, AMissingChunkNamesThoseThatExist) {
  const Finished f = run_spec("out", "true", {"--chunk", "77"});
  EXPECT_EQ(f.exit_code, 125) << f.describe();
  EXPECT_EQ(f.out, "");
}

}  // namespace
}  // namespace helios::test
