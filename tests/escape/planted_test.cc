// What a chunk, or a neighbour before it, plants where helios-run itself reads and writes: the output file, the
// result, the log folder, the workspace. helios-run is the more privileged one, so nothing may be followed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/support/scene.h"

namespace helios::test {
namespace {
namespace fs = std::filesystem;
using std::chrono::milliseconds;

struct Case {
  Identity who;
  std::string runner;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.runner << " as " << c.who.name; }

class Planted : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    scene_.emplace(GetParam().who);
    scene_->bring_probe("chunk_probe");
    victim_ = scene_->outside() / "victim";
    scene_->write(victim_, kContent, 0600);
    lstat(victim_.c_str(), &before_);
  }
  void TearDown() override {
    struct stat now {};
    ASSERT_EQ(lstat(victim_.c_str(), &now), 0) << "the file outside is gone";
    std::ostringstream text;
    text << std::ifstream(victim_).rdbuf();
    EXPECT_EQ(text.str(), kContent) << "the file outside was written";
    EXPECT_EQ(now.st_uid, before_.st_uid) << "the file outside has another owner";
    EXPECT_EQ(now.st_gid, before_.st_gid);
    EXPECT_EQ(now.st_mode, before_.st_mode) << "the file outside has another mode";
    EXPECT_EQ(scene_->left_behind(), std::vector<std::string>{});
  }

  [[nodiscard]] Finished run(std::vector<std::string> flags, std::vector<std::string> action) {
    action.insert(action.begin(), "./chunk_probe");
    return run_to_end(scene_->command(GetParam().runner, std::move(flags), action));
  }
  [[nodiscard]] Finished run_spec(const std::string& output, const std::string& command,
                                  std::vector<std::string> flags = {}) {
    const nlohmann::json spec{
        {"chunks", {{{"id", 0}, {"startFrame", 0}, {"frameCount", 1}, {"outputFile", output}, {"command", command}}}}};
    scene_->write(scene_->in_workspace("spec.json"), spec.dump());
    std::vector<std::string> all{"--sandbox",   GetParam().runner,   "--spec",  scene_->in_workspace("spec.json"),
                                 "--workspace", scene_->workspace(), "--chunk", "0"};
    all.insert(all.end(), flags.begin(), flags.end());
    return run_to_end(scene_->helios_run(std::move(all)));
  }

  void plant(const std::string& kind, const fs::path& at) const {
    fs::create_directories(at.parent_path());
    fs::remove_all(at);
    int bad = 0;
    if (kind == "symlink") bad = symlink(victim_.c_str(), at.c_str());
    if (kind == "hardlink") bad = link(victim_.c_str(), at.c_str());
    if (kind == "fifo") bad = mkfifo(at.c_str(), 0666);
    if (kind == "device") bad = mknod(at.c_str(), S_IFCHR | 0666, makedev(1, 5));
    ASSERT_EQ(bad, 0) << kind << ": " << strerror(errno);
  }
  [[nodiscard]] static std::vector<std::string> kinds() {
    std::vector<std::string> all{"symlink", "hardlink", "fifo"};
    if (geteuid() == 0) all.emplace_back("device");
    return all;
  }

  static constexpr const char* kContent = "content of a file outside\n";
  std::optional<Scene> scene_;
  fs::path victim_;
  struct stat before_ {};
};

// Judge0 CVE-2024-28185: the host's side opens, hashes or hands over what the chunk made of its output.
TEST_P(Planted, ALinkAsOutputIsNotFollowed) {
  const Finished f = run_spec("out.bin", "./chunk_probe place symlink out.bin " + victim_.string());
  ASSERT_TRUE(f.has_result()) << f.describe();
  EXPECT_EQ(f.result["output"].value("exists", true), false) << f.describe();
  EXPECT_EQ(f.out.find("content of a file"), std::string::npos);
}

TEST_P(Planted, ALinkInTheOutputsFolderIsNotFollowed) {
  const fs::path elsewhere = scene_->outside() / "elsewhere";
  scene_->make_folder(elsewhere);
  scene_->write(elsewhere / "out.bin", "outside");
  fs::create_directory_symlink(elsewhere, scene_->in_workspace("dir"));
  const Finished f = run_spec("dir/out.bin", "./chunk_probe exit 0");
  EXPECT_TRUE(f.exit_code == 125 || (f.has_result() && !f.result["output"].value("exists", true))) << f.describe();
}

TEST_P(Planted, NothingPlantedAtTheOutputCountsOrHangs) {
  for (const char* kind : {"symlink", "fifo", "device"}) {
    if (std::string(kind) == "device" && geteuid() != 0) continue;
    plant(kind, scene_->in_workspace("out.bin"));
    const Finished f = run_spec("out.bin", "./chunk_probe exit 0", {"--require-output"});
    EXPECT_LT(f.elapsed, patiently(milliseconds(5000))) << kind;
    EXPECT_TRUE(f.exit_code == 1 || f.exit_code == 125) << kind << f.describe();
    if (f.has_result()) {
      EXPECT_EQ(f.result["output"].value("exists", true), false) << kind;
    }
  }
}

// The result is written beside and renamed into place: what lay there is replaced, or the run refused; never followed.
TEST_P(Planted, TheResultFileIsNeverWrittenThrough) {
  for (const std::string& kind : kinds()) {
    const fs::path result = scene_->in_workspace("results/r.json");
    scene_->make_folder(result.parent_path());
    plant(kind, result);
    const Finished f = run({"--result", result}, {"both"});
    EXPECT_FALSE(f.timed_out) << kind;
    EXPECT_LT(f.elapsed, patiently(milliseconds(5000))) << kind;
    EXPECT_TRUE(f.exit_code == 0 || f.exit_code == 125) << kind << f.describe();
    fs::remove(result);
  }
}

TEST_P(Planted, TheLogFilesAreNeverWrittenThrough) {
  const fs::path logs = scene_->in_workspace("logs");
  scene_->make_folder(logs);
  (void)run({"--log-dir", logs}, {"both"});
  std::vector<fs::path> names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(logs))
    if (entry.is_regular_file()) names.push_back(entry.path());
  EXPECT_FALSE(names.empty()) << "no log files";
  for (const std::string& kind : kinds())
    for (const fs::path& name : names) {
      plant(kind, name);
      const Finished f = run({"--log-dir", logs}, {"both"});
      EXPECT_FALSE(f.timed_out) << kind << f.describe();
      EXPECT_LT(f.elapsed, patiently(milliseconds(5000))) << kind;
    }
}

// As root it would be written where only root may: the folder itself, and any on the way to it within the workspace.
TEST_P(Planted, AFolderForTheLogsOrTheResultThatIsALinkIsNotEntered) {
  const fs::path elsewhere = scene_->outside() / "elsewhere";
  scene_->make_folder(elsewhere);
  scene_->make_folder(elsewhere / "sub");
  fs::create_directory_symlink(elsewhere, scene_->in_workspace("planted"));
  for (const fs::path& folder :
       {scene_->in_workspace("planted"), scene_->in_workspace("planted/sub"), scene_->in_workspace("planted/new")}) {
    const Finished logged = run({"--log-dir", folder}, {"both"});
    EXPECT_EQ(logged.exit_code, 125) << folder << logged.describe();
    const Finished told = run({"--result", folder / "r.json"}, {"both"});
    EXPECT_EQ(told.exit_code, 125) << folder << told.describe();
  }
  std::vector<std::string> written;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(elsewhere))
    written.push_back(entry.path().filename());
  EXPECT_EQ(written, std::vector<std::string>{"sub"});
}

// The folder of the output exchanged for a link while helios-run waits: looked up from the workspace, without links.
TEST_P(Planted, AnOutputFolderExchangedForALinkIsNotEntered) {
  const fs::path elsewhere = scene_->outside() / "elsewhere";
  scene_->make_folder(elsewhere);
  scene_->write(elsewhere / "out.bin", kContent);
  scene_->make_folder(scene_->in_workspace("dir"));
  const Finished f = run_spec("dir/out.bin", "/bin/sh -c 'rmdir dir && ln -s " + elsewhere.string() + " dir'");
  ASSERT_TRUE(f.has_result()) << f.describe();
  EXPECT_EQ(f.result["output"].value("exists", true), false) << f.describe();
}

TEST_P(Planted, AWorkspaceThatIsALinkIsRefused) {
  const fs::path link = scene_->outside() / "link";
  fs::create_directory_symlink(scene_->workspace(), link);
  const Finished f =
      run_to_end(scene_->helios_run({"--sandbox", GetParam().runner, "--workspace", link, "--", "/bin/true"}));
  EXPECT_EQ(f.exit_code, 125) << f.describe();
}

// Handing the workspace over must not hand over what links in it point to.
TEST_P(Planted, ChownOfTheWorkspaceFollowsNoLinks) {
  if (!GetParam().who.is_root() || GetParam().runner != "isolated") GTEST_SKIP() << "only root hands a workspace over";
  constexpr uid_t somebody_else = 4242;  // a hard link to a file of the owner's own is the owner's file
  ASSERT_EQ(chown(victim_.c_str(), somebody_else, somebody_else), 0);
  lstat(victim_.c_str(), &before_);
  plant("symlink", scene_->in_workspace("a-symlink"));
  plant("hardlink", scene_->in_workspace("a-hardlink"));
  for (const char* name : {"a-symlink", "a-hardlink"}) {
    const Finished f = run_to_end(
        scene_->command("isolated", {"--workspace-ids=chown"}, {"/bin/cat", scene_->in_workspace(name).string()}));
    EXPECT_NE(f.exit_code, 0) << name << f.describe();
    EXPECT_EQ(f.out.find("content of a file"), std::string::npos) << name << f.describe();
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Identity& who : able_identities())
    for (const char* runner : {"shell", "isolated"}) all.push_back({who, runner});
  return all;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Planted);
INSTANTIATE_TEST_SUITE_P(All, Planted, testing::ValuesIn(cases()),
                         [](const auto& i) { return i.param.runner + "_" + i.param.who.name; });

}  // namespace
}  // namespace helios::test
