// Links that a chunk, an image or another user left where something is to be mounted, or on the way to the workspace:
// they lead nowhere outside.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "core/sys/file.h"
#include "tests/support/scene.h"

namespace helios::test {
namespace {
namespace fs = std::filesystem;
using std::chrono::milliseconds;

class Links : public testing::TestWithParam<Identity> {
 protected:
  void SetUp() override {
    scene_.emplace(GetParam());
    victim_ = scene_->outside() / "victim";
    scene_->make_folder(victim_);
    fs::permissions(victim_, fs::perms::all);
  }
  void TearDown() override {
    EXPECT_TRUE(fs::is_empty(victim_)) << *fs::directory_iterator(victim_);
    EXPECT_EQ(scene_->left_behind(), std::vector<std::string>{});
  }
  std::optional<Scene> scene_;
  fs::path victim_;
};

TEST_P(Links, OfTheLastChunkDoNotSayWhereTheNextOneSeesItsFiles) {
  const auto assets = scene_->outside() / "assets";
  scene_->make_folder(assets);
  scene_->write(assets / "file", "asset");
  scene_->make_folder(scene_->in_workspace("in"));
  const std::vector<std::string> shown{"--ro-bind", assets.string() + ":" + scene_->in_workspace("in/assets").string()};
  const Finished good = run_to_end(scene_->command("isolated", shown, {"/bin/cat", "in/assets/file"}));
  ASSERT_EQ(good.text("stdout"), "asset") << good.describe();
  const Finished swap =
      run_to_end(scene_->command("isolated", {}, {"/bin/sh", "-c", "mv in old && ln -s " + victim_.string() + " in"}));
  ASSERT_EQ(swap.exit_code, 0) << swap.describe();
  const Finished f = run_to_end(scene_->command("isolated", shown, {"/bin/true"}));
  EXPECT_EQ(f.exit_code, 125) << f.describe();
  EXPECT_NE(f.err.find("in/assets"), std::string::npos) << f.err;
  EXPECT_NE(f.err.find("a link stands where"), std::string::npos) << f.err;
}

TEST_P(Links, AtTheVeryPlaceOfAMountAreRefusedToo) {
  const auto assets = scene_->outside() / "assets";
  scene_->make_folder(assets);
  fs::create_directory_symlink(victim_, scene_->in_workspace("in"));
  const Finished f = run_to_end(scene_->command(
      "isolated", {"--ro-bind", assets.string() + ":" + scene_->in_workspace("in").string()}, {"/bin/true"}));
  EXPECT_EQ(f.exit_code, 125) << f.describe();
  EXPECT_NE(f.err.find("a link stands where"), std::string::npos) << f.err;
}

TEST_P(Links, OfTheSandboxAreNotMadeInWhatIsShown) {
  const auto var = scene_->outside() / "var";
  scene_->make_folder(var);
  const std::string workspace = scene_->workspace();
  if (workspace.starts_with("/var/")) fs::create_directories(var / workspace.substr(5));  // its mount point
  const Finished f = run_to_end(scene_->command("isolated", {"--bind", var.string() + ":/var"}, {"/bin/true"}));
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  EXPECT_FALSE(fs::is_symlink(var / "tmp")) << "the sandbox's own /var/tmp";
}

TEST_P(Links, OfAnImageLeadIntoTheImage) {
  const auto image = scene_->outside() / "image";
  for (const char* folder : {"", "bin"}) scene_->make_folder(image / folder);
  fs::copy_file(probe_path("chunk_probe"), image / "bin" / "probe");
  for (const char* name : {"var", "sys", "run", "etc"}) fs::create_directory_symlink(victim_, image / name);
  // Whether such an image can be used is another question.
  (void)run_to_end(scene_->command("isolated", {"--rootfs", image.string()}, {"/bin/probe", "exit", "0"}));
}

TEST_P(Links, OfAnEarlierChunkAreNotFollowedByWhatIsShownToTheNextOne) {
  scene_->write(victim_ / "secret", "planted");
  scene_->make_folder(scene_->in_workspace("out"));
  scene_->make_folder(scene_->in_workspace("out/frames"));
  const std::string out = scene_->in_workspace("out");
  const auto shows = [&](const std::string& option, const std::string& source) {
    return run_to_end(scene_->command("isolated", {option, source + ":/in"}, {"/bin/ls", "/in"}));
  };
  ASSERT_EQ(shows("--ro-bind", out).text("stdout"), "frames\n") << "the control";
  const Finished swap = run_to_end(scene_->command(
      "isolated", {},
      {"/bin/sh", "-c",
       "mv out old && ln -s " + victim_.string() + " out && ln -s " + scene_->outside().string() + " up"}));
  ASSERT_EQ(swap.exit_code, 0) << swap.describe();
  for (const std::string& source : {out, scene_->in_workspace("up/victim").string()}) {
    for (const char* option : {"--ro-bind", "--bind"}) {
      const Finished f = shows(option, source);
      EXPECT_EQ(f.exit_code, 125) << option << f.describe();
      EXPECT_NE(f.err.find("is a symbolic link"), std::string::npos) << f.err;
      EXPECT_NE(f.err.find("name what it leads to: " + victim_.string()), std::string::npos) << f.err;
    }
    const Finished root = run_to_end(scene_->command("isolated", {"--rootfs", source}, {"/bin/true"}));
    EXPECT_EQ(root.exit_code, 125) << root.describe();
    EXPECT_NE(root.err.find("is a symbolic link"), std::string::npos) << root.err;
  }
  fs::remove(victim_ / "secret");
}

TEST_P(Links, OfTheSystemAreFollowed) {
  const Finished f = run_to_end(
      scene_->command("isolated", {"--ro-bind", "/var/run:/in", "--ro-bind", "/bin/sh:/sh"}, {"/sh", "-c", "exit 3"}));
  EXPECT_EQ(f.exit_code, 3) << f.describe();
}

TEST_P(Links, OnTheWayToAResolvedDirectoryAreRefused) {
  const auto real = scene_->outside() / "real";
  scene_->make_folder(real);
  scene_->make_folder(real / "below");
  fs::create_directory_symlink(real, scene_->outside() / "link");
  EXPECT_TRUE(sys::open_real_directory((real / "below").string(), O_PATH)) << "the control";
  const auto by_link = sys::open_real_directory((scene_->outside() / "link" / "below").string(), O_PATH);
  ASSERT_FALSE(by_link);
  EXPECT_EQ(by_link.error().sys_errno, ELOOP);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Links);
INSTANTIATE_TEST_SUITE_P(All, Links, testing::ValuesIn(able_identities()), [](const auto& i) { return i.param.name; });

/// --workspace-ids=chown: only root can.
class HandedOver : public testing::TestWithParam<Identity> {
 protected:
  void SetUp() override {
    scene_.emplace(GetParam());
    chown(scene_->workspace().c_str(), kUser, kUser);
    scene_->bring_probe("chunk_probe");
  }
  [[nodiscard]] Invocation command(const std::vector<std::string>& words) const {
    return scene_->command("isolated", {"--workspace-ids", "chown"}, words);
  }
  /// What in the workspace belongs to the id of some run.
  [[nodiscard]] std::vector<std::string> strangers() const {
    std::vector<std::string> found;
    for (const auto& e : fs::recursive_directory_iterator(scene_->workspace())) {
      struct stat st {};
      if (lstat(e.path().c_str(), &st) == 0 && st.st_uid >= 1900000000) found.push_back(e.path());
    }
    struct stat st {};
    if (lstat(scene_->workspace().c_str(), &st) == 0 && st.st_uid != kUser) found.emplace_back("the workspace");
    return found;
  }
  std::optional<Scene> scene_;
};

TEST_P(HandedOver, TheWholeTreeComesBackHoweverDeepItIs) {
  Invocation deep = command(
      {"/bin/sh", "-c", "i=0; while [ $i -lt 400 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done; touch end"});
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{256, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &few);
  const Finished f = run_to_end(deep);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  EXPECT_EQ(strangers(), std::vector<std::string>{});
}

TEST_P(HandedOver, WhatAKilledRunCouldNotGiveBackGcDoes) {
  Running running(command({"/bin/sh", "-c", "mkdir a; touch a/b ready; exec sleep 60"}));
  ASSERT_TRUE(scene_->appears("ready"));
  running.signal(SIGKILL);
  (void)running.wait();
  EXPECT_NE(strangers(), std::vector<std::string>{}) << "the control: there is something to give back";
  Finished listed, gone;
  // The uid's lock goes with process 1. A run of root's that another test starts meanwhile gives it back, too.
  ASSERT_TRUE(wait_until([&] {
    listed = run_to_end(scene_->helios_run({"gc", "--dry-run", "--output", "text"}));
    return listed.out.find("workspace " + scene_->workspace().string()) != std::string::npos || strangers().empty();
  })) << listed.describe();
  gone = run_to_end(scene_->helios_run({"gc", "--output", "text"}));
  EXPECT_EQ(gone.exit_code, 0) << gone.describe();
  EXPECT_EQ(strangers(), std::vector<std::string>{});
  const Finished again = run_to_end(scene_->helios_run({"gc", "--dry-run", "--output", "text"}));
  EXPECT_EQ(again.out.find(scene_->workspace().string()), std::string::npos) << again.describe();
}

TEST_P(HandedOver, OrTheNextRun) {
  Running running(command({"/bin/sh", "-c", "touch b ready; exec sleep 60"}));
  ASSERT_TRUE(scene_->appears("ready"));
  running.signal(SIGKILL);
  (void)running.wait();
  ASSERT_TRUE(wait_until([&] {  // as above
    return run_to_end(scene_->helios_run({"gc", "--dry-run", "--output", "text"})).out.find("workspace ") !=
               std::string::npos ||
           strangers().empty();
  }));
  const Finished next = run_to_end(command({"/bin/true"}));  // the first one
  EXPECT_EQ(next.exit_code, 0) << next.describe();
  EXPECT_EQ(strangers(), std::vector<std::string>{});
}

/// A process in the pid namespace of `pid`, there until it is reaped here, alive or not. As long as it is, the
/// namespace's process 1 cannot end.
pid_t intrude(pid_t pid) {
  const auto ns = sys::open_file("/proc/" + std::to_string(pid) + "/ns/pid", O_RDONLY);
  const auto mine = sys::open_file("/proc/self/ns/pid", O_RDONLY);
  if (!ns || !mine || setns(ns->get(), CLONE_NEWPID) != 0) return -1;
  const pid_t intruder = fork();
  if (intruder == 0) {
    for (;;) pause();
  }
  return setns(mine->get(), CLONE_NEWPID) == 0 ? intruder : -1;
}

TEST_P(HandedOver, IsNotGivenBackWhileAProcessDoesNotEnd) {
  Invocation what = command({"/bin/sh", "-c", "touch b ready; exec sleep 60"});
  what.deadline = milliseconds(120'000);  // helios-run waits for the end of process 1, 10 s at a time
  Running running(what);
  ASSERT_TRUE(scene_->appears("ready"));
  pid_t inside = 0;
  ASSERT_TRUE(wait_until([&] {
    for (const ProcessSeen& p : descendants(running.pid())) {
      if (p.name == "sleep") inside = p.pid;
    }
    return inside != 0;
  }));
  const pid_t intruder = intrude(inside);
  ASSERT_GT(intruder, 0);
  running.signal(SIGTERM);
  const Finished f = running.wait();
  EXPECT_EQ(f.reason(), "cancelled") << f.describe();
  // From here on the next run of root's gives it back: who looks at the files may come too late.
  EXPECT_NE(
      f.out.find("could not be ended within 10 s (uninterruptible sleep); the workspace is given back by the next"),
      std::string::npos)
      << f.describe();
  EXPECT_EQ(waitpid(intruder, nullptr, 0), intruder);
  EXPECT_TRUE(wait_until([&] { return descendants(getpid()).empty(); }));
  const Finished gone = run_to_end(scene_->helios_run({"gc", "--output", "text"}));
  EXPECT_EQ(gone.exit_code, 0) << gone.describe();
  EXPECT_EQ(strangers(), std::vector<std::string>{})
      << "by gc, or by a run of root's that another test started meanwhile";
}

std::vector<Identity> root_only() {
  std::vector<Identity> all = able_identities();
  std::erase_if(all, [](const Identity& who) { return !who.is_root(); });
  return all;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(HandedOver);
INSTANTIATE_TEST_SUITE_P(All, HandedOver, testing::ValuesIn(root_only()), [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace helios::test
