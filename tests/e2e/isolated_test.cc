// What `isolated` promises beyond the contract of every runner: its root, its network, its naming of refusals.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>

#include "core/sys/unique_fd.h"
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
  EXPECT_EQ(denied["number"], SYS_unshare) << denied;
  EXPECT_EQ(denied["errno"], "EPERM") << denied;
  EXPECT_GE(denied["count"], 1) << denied;
  EXPECT_NE(denied.value("args", "").find("0x10000000"), std::string::npos) << "CLONE_NEWUSER: " << denied;
  EXPECT_NE(denied.value("process", "").find("unshare"), std::string::npos) << denied;
}

TEST(Isolated, RunsUnderTheProfilesOfDockerAndPodmanAsTheyAre) {
  for (const std::string profile : {"docker", "podman"}) {
    const Scene scene(root());
    std::ifstream in(std::string(HELIOS_SOURCE_DIR) + "/tests/data/seccomp/" + profile + ".json");
    scene.write(scene.outside() / "profile.json", std::string{std::istreambuf_iterator<char>(in), {}});
    scene.write(scene.outside() / "policy.json", R"({"extends": "default", "seccomp": "profile.json"})");
    const Finished f = Running(scene.command("isolated", {"--policy", scene.outside() / "policy.json"},
                                             {"/bin/sh", "-c", "unshare -U true; seq 3 | sort -rn | head -1"}))
                           .wait();
    ASSERT_TRUE(f.has_result()) << f.describe();
    EXPECT_EQ(f.text("stdout"), "3\n") << profile << f.describe();
    ASSERT_TRUE(f.result.contains("denied")) << profile << f.describe();
    EXPECT_EQ(f.result["denied"][0]["syscall"], "unshare") << profile << f.describe();
  }
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

// Nobody inside has the id that an image's folders belong to, and mount points have to be made in them all the same.
TEST(Isolated, AnImageThatHasItsOwnFoldersKeepsThem) {
  const Scene scene(root());
  const auto image = scene.outside() / "image";
  for (const auto* folder : {"", "bin", "dev", "proc", "run", "sys", "tmp", "var", "var/tmp", "sys/kept"}) {
    scene.make_folder(image / folder);
  }
  std::filesystem::copy_file(probe_path("chunk_probe"), image / "bin/probe");
  for (const char* there : {"/sys/kept", "/sys/fs/cgroup/memory.max", "/dev/null", "/proc/self"}) {
    const Finished f =
        Running(scene.command("isolated", {"--rootfs", image.string()}, {"/bin/probe", "exists", there})).wait();
    EXPECT_EQ(f.exit_code, 0) << there << f.describe();
  }
  EXPECT_TRUE(std::filesystem::is_empty(image / "sys/kept"));
  EXPECT_FALSE(std::filesystem::exists(image / "sys/fs")) << "the image is not written";
}

TEST(Isolated, AnOciBundleIsItsRootfsAndNothingElseOfItCounts) {
  const Scene scene(root());
  const auto bundle = scene.outside() / "bundle";
  for (const char* folder : {"", "rootfs", "rootfs/bin"}) scene.make_folder(bundle / folder);
  std::filesystem::copy_file(probe_path("chunk_probe"), bundle / "rootfs/bin/probe");
  // Asks for all a bundle may ask for: root, capabilities, the host's files, no limits.
  scene.write(bundle / "config.json", R"({"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["/bin/sh"],
    "capabilities":{"bounding":["CAP_SYS_ADMIN"],"effective":["CAP_SYS_ADMIN"]},"noNewPrivileges":false},
    "root":{"path":"/","readonly":false},"mounts":[{"destination":"/host","type":"bind","source":"/"}],"linux":{}})");
  const Finished f = Running(scene.command("isolated", {"--rootfs", bundle.string()}, {"/bin/probe", "state"})).wait();
  ASSERT_EQ(f.exit_code, 0) << f.describe();
  EXPECT_NE(f.text("stdout").find("CapEff:\t0000000000000000"), std::string::npos) << f.describe();
  EXPECT_NE(f.text("stdout").find("NoNewPrivs:\t1"), std::string::npos) << f.describe();
  const Finished plan = Running(scene.command("dry-run", {"--rootfs", bundle.string()}, {"/bin/probe"})).wait();
  EXPECT_NE(plan.out.find("overlay over " + (bundle / "rootfs").string()), std::string::npos) << plan.describe();
  for (const char* missing : {"/host", "/config.json"}) {
    const Finished look =
        Running(scene.command("isolated", {"--rootfs", bundle.string()}, {"/bin/probe", "exists", missing})).wait();
    EXPECT_EQ(look.exit_code, 1) << missing << look.describe();
  }
}

TEST(Isolated, ALinkNamedRootfsMakesNoBundleAndAPackedImageIsNoRoot) {
  const Scene scene(root());
  const auto image = scene.outside() / "image";
  for (const char* folder : {"", "bin"}) scene.make_folder(image / folder);
  std::filesystem::copy_file(probe_path("chunk_probe"), image / "bin/probe");
  scene.write(image / "config.json", "{}");
  std::filesystem::create_directory_symlink("/", image / "rootfs");
  const Finished tree =
      Running(scene.command("isolated", {"--rootfs", image.string()}, {"/bin/probe", "exit", "7"})).wait();
  EXPECT_EQ(tree.exit_code, 7) << "the tree itself, not the host's root: " << tree.describe();
  scene.write(image / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  const Finished packed = Running(scene.command("isolated", {"--rootfs", image.string()}, {"/bin/probe"})).wait();
  EXPECT_EQ(packed.exit_code, 125) << packed.describe();
  EXPECT_NE(packed.err.find("umoci unpack"), std::string::npos) << packed.err;
}

// Mount points are made in the image's upper layer while the host's files are still there to be reached.
TEST(Isolated, LinksInAnImageLeadIntoTheImage) {
  const Scene scene(root());
  const auto image = scene.outside() / "image", host = scene.outside() / "host";
  for (const auto& folder : {image, image / "bin", host}) scene.make_folder(folder);
  std::filesystem::permissions(host, std::filesystem::perms::all);
  std::filesystem::permissions(scene.outside(), std::filesystem::perms(0755));
  std::filesystem::copy_file(probe_path("chunk_probe"), image / "bin/probe");
  // The limits in force are shown as files below /sys: the link would have them made in a folder of the host.
  std::filesystem::create_directory_symlink(host, image / "sys");
  const Finished f =
      Running(scene.command("isolated", {"--rootfs", image.string()}, {"/bin/probe", "exit", "0"})).wait();
  std::vector<std::string> left;
  for (const auto& e : std::filesystem::recursive_directory_iterator(host)) left.push_back(e.path());
  EXPECT_EQ(left, std::vector<std::string>{}) << "made on the host, by the image's link\n" << f.describe();
  EXPECT_EQ(f.exit_code, 125) << "the image has no such folder: " << f.describe();
  EXPECT_NE(f.err.find("/sys/fs/cgroup"), std::string::npos) << f.err;
}

TEST(Isolated, WorkspaceIdsOwnerRunsAsTheOwnerAndNeverAsRoot) {
  const Scene scene(root());
  if (!scene.who().is_root()) GTEST_SKIP() << "a user runs as itself whatever is asked for";
  const auto run = [&](uid_t uid, gid_t gid) {
    EXPECT_EQ(::chown(scene.workspace().c_str(), uid, gid), 0);
    return run_to_end(scene.command("isolated", {"--workspace-ids", "owner"}, {"/bin/sh", "-c", "id -u; : >made"}));
  };
  struct Refused {
    uid_t uid;
    gid_t gid;
    const char* why;
  };
  for (const Refused& r : {Refused{0, 0, "belongs to root"}, Refused{kUser, 0, "belongs to the group root"}}) {
    const Finished f = run(r.uid, r.gid);
    EXPECT_EQ(f.exit_code, 125) << f.describe();
    EXPECT_NE(f.err.find(r.why), std::string::npos) << f.err;
  }
  const Finished f = run(kUser, kUser);
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  EXPECT_EQ(f.text("stdout"), "1000\n") << "inside it is always the same user";
  struct stat st {};
  ASSERT_EQ(::stat(scene.in_workspace("made").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, kUser);
  EXPECT_EQ(st.st_gid, kUser);
}

// Abstract sockets belong to the network namespace: with the host's, Landlock alone keeps them away.
TEST(Isolated, LandlockHoldsWhereNoNamespaceDoes) {
  constexpr long kAbiWithScopes = 6;
  constexpr unsigned kAskVersion = 1;
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion) < kAbiWithScopes) {
    GTEST_SKIP() << "Landlock has no scopes here";
  }
  const Scene scene(root());
  scene.bring_probe("escape_probe");
  const std::string name = "helios-test-" + std::to_string(::getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, name.size());
  const sys::UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  const std::vector<std::string> attack{"./escape_probe", "abstract-socket", name};
  const Finished bare = Running(scene.command("shell", {}, attack)).wait();
  EXPECT_EQ(bare.exit_code, 0) << "the control: " << bare.describe();
  const Finished f = Running(scene.command("isolated", {"--network", "host"}, attack)).wait();
  EXPECT_EQ(f.exit_code, 1) << f.describe();
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
