// helios-run doctor, doctor --self-test and gc, from outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/support/scene.h"

namespace helios::test {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

Identity able() { return able_identities().front(); }

std::map<std::string, std::string> severities(const Finished& f) {
  std::map<std::string, std::string> found;
  for (const auto& finding : f.result.value("findings", nlohmann::json::array()))
    found[finding.value("feature", "")] = finding.value("severity", "");
  return found;
}

TEST(Doctor, SaysThatIsolatedCanRunWhereItRuns) {
  const Scene scene(able());
  const Finished f = run_to_end(scene.helios_run({"doctor"}));
  ASSERT_TRUE(f.has_result()) << f.describe();
  const auto found = severities(f);
  for (const char* feature : {"namespaces", "proc", "overlay", "mount-api", "seccomp", "landlock", "memfd",
                              "id-mapped-mounts", "state", "cgroup"})
    EXPECT_EQ(found.count(feature), 1U) << feature << "\n" << f.describe();
  if (scene.who().groups == Groups::of_its_own) {
    EXPECT_EQ(f.exit_code, 0) << f.describe();
    EXPECT_TRUE(f.result.value("usable", false));
  }
}

TEST(Doctor, TakesNoParentThatItWouldNotLookAt) {
  const Scene scene(able());
  const Finished f = run_to_end(scene.helios_run({"doctor", "--cgroup-parent", "/elsewhere"}));
  EXPECT_EQ(f.exit_code, 125) << f.describe();
  EXPECT_THAT(f.err, HasSubstr("--cgroup-parent"));
  Invocation by_variable = scene.helios_run({"doctor"});
  by_variable.env.emplace_back("HELIOS_CGROUP_PARENT", "/elsewhere");
  EXPECT_TRUE(run_to_end(by_variable).has_result()) << "the variable is there for runs";
  const Finished other = run_to_end(scene.helios_run({"plugins", "--cgroup-parent", "/elsewhere"}));
  EXPECT_EQ(other.exit_code, 125) << other.describe();
}

// As in a container: parts of /proc are hidden, so the kernel refuses a new one.
TEST(Doctor, NamesAHiddenProcWithItsRemedy) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to hide a part of /proc in a mount namespace";
  const Scene scene(able());
  Invocation doctor = scene.helios_run({"doctor"});
  Invocation what = doctor;
  what.argv = {"/usr/bin/unshare", "-m", "/bin/sh", "-c", "mount -t tmpfs none /proc/sys && exec \"$@\"", "sh"};
  what.argv.insert(what.argv.end(), doctor.argv.begin(), doctor.argv.end());
  const Finished f = run_to_end(what);
  EXPECT_EQ(f.exit_code, 1) << f.describe();
  EXPECT_EQ(severities(f)["proc"], "blocking") << f.describe();
  EXPECT_FALSE(f.result.value("usable", true));
  EXPECT_THAT(f.out, HasSubstr("unmask"));
}

std::map<std::string, int> verdicts(const Finished& f) {
  std::map<std::string, int> count;
  for (const auto& attack : f.result.value("attacks", nlohmann::json::array())) ++count[attack.value("verdict", "")];
  return count;
}

TEST(SelfTest, StopsEverythingUnderTheDefaultPolicy) {
  const Scene scene(able());
  const Finished f = run_to_end(scene.helios_run({"doctor", "--self-test"}));
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  auto count = verdicts(f);
  EXPECT_GE(count["stopped"], 60) << f.describe();
  EXPECT_EQ(count["not-stopped"] + count["not-tried"], 0) << f.describe();
  EXPECT_THAT(scene.left_behind(), testing::IsEmpty());
}

TEST(SelfTest, SeesWhatGetsThroughWithoutASandbox) {
  const Scene scene(able());
  const Finished f = run_to_end(scene.helios_run({"doctor", "--self-test", "--sandbox", "shell"}));
  EXPECT_EQ(f.exit_code, 1) << f.describe();
  EXPECT_GE(verdicts(f)["not-stopped"], 10) << f.describe();
  EXPECT_FALSE(f.result.value("holds", true));
  EXPECT_THAT(scene.left_behind(), testing::IsEmpty());
}

TEST(SelfTest, SaysWhatThePolicyAllows) {
  const Scene scene(able());
  scene.write(scene.outside() / "open.json", R"({"extends": "default", "network": "host"})");
  const Finished f = run_to_end(scene.helios_run({"doctor", "--self-test", "--policy", scene.outside() / "open.json"}));
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  EXPECT_GE(verdicts(f)["allowed"], 1) << f.describe();
}

class Garbage : public testing::Test {
 protected:
  Garbage() : scene_(able()), results_(scene_.outside() / "results") { scene_.make_folder(results_); }

  /// A run that was killed with no chance to clear up: its groups and the draft of its result stay.
  void leave_a_killed_run() {
    scene_.bring_probe("chunk_probe");
    Running run(scene_.command("isolated", {"--memory", "64M", "--result", results_ / "r.json"},
                               {"./chunk_probe", "sleep", "60000", "ready"}));
    EXPECT_TRUE(scene_.appears("ready"));
    run.signal(SIGKILL);
    (void)run.wait();
  }

  Finished gc(std::vector<std::string> more = {}) {
    more.insert(more.begin(), "gc");
    more.push_back(results_);
    return run_to_end(scene_.helios_run(more));
  }

  static std::map<std::string, int> kinds(const Finished& f) {
    std::map<std::string, int> count;
    for (const auto& thing : f.result.value("found", nlohmann::json::array())) ++count[thing.value("kind", "")];
    return count;
  }

  Scene scene_;
  fs::path results_;
};

TEST_F(Garbage, GoesAndNothingElse) {
  leave_a_killed_run();
  const auto write = [&](const char* name, const char* text) { scene_.write(results_ / name, text); };
  write(".mine.999999999.tmp", "notes of mine");  // not a result
  write(".r.json.1.tmp", "");                     // of a process that lives
  write("r.json.999999999.tmp", "");              // another name
  const Finished listed = gc({"--dry-run"});
  EXPECT_EQ(listed.exit_code, 0) << listed.describe();
  EXPECT_GE(kinds(listed)["cgroup"], 1) << listed.describe();
  EXPECT_EQ(kinds(listed)["result-draft"], 1) << listed.describe();
  const Finished removed = gc();
  EXPECT_EQ(removed.exit_code, 0) << removed.describe();
  EXPECT_EQ(kinds(removed), kinds(listed));
  EXPECT_THAT(scene_.groups().leftovers(), testing::IsEmpty());
  std::vector<std::string> kept;
  for (const auto& entry : fs::directory_iterator(results_)) kept.push_back(entry.path().filename());
  EXPECT_THAT(kept, testing::UnorderedElementsAre(".mine.999999999.tmp", ".r.json.1.tmp", "r.json.999999999.tmp"));
  const Finished again = gc();
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(kinds(again), testing::IsEmpty()) << again.describe();
}

// As in a container that shares the folder: its process numbers mean nothing here.
TEST_F(Garbage, LeavesTheDraftOfARunInAnotherPidNamespace) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to choose a process number in a pid namespace";
  const Invocation run = scene_.command("shell", {"--result", results_ / "r.json"},
                                        {"/bin/sh", "-c", "touch ready; while ! test -e go; do sleep 0.05; done"});
  Invocation inside = run;
  inside.argv = {"/usr/bin/unshare",
                 "--pid",
                 "--fork",
                 "--mount-proc",
                 "--kill-child",
                 "/bin/sh",
                 "-c",
                 "echo 29999 > /proc/sys/kernel/ns_last_pid; \"$@\"; exit $?",
                 "sh"};
  inside.argv.insert(inside.argv.end(), run.argv.begin(), run.argv.end());
  const fs::path draft = results_ / ".r.json.30000.tmp";
  if (kill(30000, 0) == 0) GTEST_SKIP() << "a process here has that number";
  Running running(inside);
  ASSERT_TRUE(scene_.appears("ready")) << running.wait().describe();
  ASSERT_TRUE(fs::exists(draft)) << "the control: the name tells of a process that is not here";
  const Finished f = gc();
  EXPECT_THAT(kinds(f), testing::Not(testing::Contains(testing::Key("result-draft")))) << f.describe();
  EXPECT_TRUE(fs::exists(draft));
  scene_.write(scene_.in_workspace("go"), "");
  const Finished ended = running.wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.describe();
  EXPECT_TRUE(fs::exists(results_ / "r.json"));
}

TEST_F(Garbage, SaysWhichFolderItCouldNotLookInto) {
  const Finished f = run_to_end(scene_.helios_run({"gc", "/nonexistent"}));
  EXPECT_EQ(f.exit_code, 125) << f.describe();
  EXPECT_THAT(f.err, HasSubstr("/nonexistent"));
}

}  // namespace
}  // namespace helios::test
