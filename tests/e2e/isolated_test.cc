// What `isolated` promises beyond the contract of every runner: its root, its network, its naming of refusals.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/support/scene.h"

namespace helios::test {
namespace {

/// As whoever may run anything here: root in CI.
Identity root() { return able_identities().front(); }

TEST(Isolated, ARefusedCallIsNamedWithItsErrnoAndItsCaller) {
  const Scene scene(root());
  const Finished f = Running(scene.command("isolated", {}, {"/bin/sh", "-c", "unshare -U true; exit 0"})).wait();
  ASSERT_TRUE(f.has_result()) << f.describe();
  ASSERT_TRUE(f.result.contains("denied")) << f.describe();
  const auto& denied = f.result["denied"][0];
  EXPECT_EQ(denied["syscall"], "unshare") << denied;
  EXPECT_EQ(denied["errno"], "EPERM") << denied;
  EXPECT_GE(denied["count"], 1) << denied;
}

TEST(Isolated, TheLoopbackIsUpAndNothingElseIsThere) {
  const Scene scene(root());
  const Finished f =
      Running(scene.command("isolated", {}, {"/bin/sh", "-c", "cat /proc/net/dev; cat /proc/net/route"})).wait();
  ASSERT_TRUE(f.has_result()) << f.describe();
  EXPECT_NE(f.text("stdout").find("lo:"), std::string::npos) << f.describe();
  EXPECT_EQ(f.text("stdout").find("eth"), std::string::npos) << f.describe();
  // A server and its client, both inside: what a chunk with a loopback base URL needs.
  scene.bring_probe("chunk_probe");
  const Finished both = Running(scene.command("isolated", {}, {"./chunk_probe", "loopback"})).wait();
  EXPECT_EQ(both.exit_code, 0) << both.describe();
}

TEST(Isolated, NetworkHostIsTheCallersNetworkAndTheResultSaysSo) {
  const Scene scene(root());
  const auto inode = [&](std::vector<std::string> flags) {
    return Running(scene.command("isolated", std::move(flags), {"readlink", "/proc/self/ns/net"})).wait();
  };
  const std::string ours = std::filesystem::read_symlink("/proc/self/ns/net").string() + "\n";
  const Finished own = inode({});
  const Finished host = inode({"--network", "host"});
  EXPECT_NE(own.text("stdout"), ours) << own.describe();
  EXPECT_EQ(host.text("stdout"), ours) << host.describe();
  const auto layers = host.result["sandbox"]["isolation"];
  EXPECT_EQ(std::find(layers.begin(), layers.end(), "net"), layers.end()) << layers;
}

TEST(Isolated, ARootFileSystemOfOnesOwnIsSeenAndStaysUntouched) {
  const Scene scene(root());
  const auto image = scene.outside() / "image";
  for (const char* folder : {"", "bin", "etc"}) scene.make_folder(image / folder);
  std::filesystem::copy_file(probe_path("chunk_probe"), image / "bin" / "probe");
  scene.write(image / "etc" / "passwd", "only:x:0:0::/:/bin/probe\n");
  const Finished seen =
      Running(scene.command("isolated", {"--rootfs", image.string()}, {"/bin/probe", "exit", "7"})).wait();
  EXPECT_EQ(seen.exit_code, 7) << seen.describe();
  const Finished host =
      Running(scene.command("isolated", {"--rootfs", image.string()}, {"/bin/sh", "-c", "exit 0"})).wait();
  EXPECT_EQ(host.exit_code, 127) << host.describe();
  std::vector<std::string> names;
  for (const auto& e : std::filesystem::recursive_directory_iterator(image)) names.push_back(e.path().filename());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"bin", "etc", "passwd", "probe"}));
}

TEST(Isolated, ACommandThatCannotBeExecutedWasConfinedAllTheSame) {
  const Scene scene(root());
  const Finished f = Running(scene.command("isolated", {}, {"no-such-program"})).wait();
  ASSERT_TRUE(f.has_result()) << f.describe();
  EXPECT_EQ(f.reason(), "not-started");
  EXPECT_FALSE(f.result["sandbox"]["isolation"].empty()) << f.describe();
}

}  // namespace
}  // namespace helios::test
