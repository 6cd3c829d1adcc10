// Folders that the caller names and a command may have prepared: links are followed only where no command could plant.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "core/executor/named_folder.h"

namespace helios {
namespace {

class NamedFolderTest : public testing::Test {
 protected:
  NamedFolderTest() {
    char name[] = "/tmp/helios-folder-test-XXXXXX";
    root_ = ::mkdtemp(name);
    for (const char* dir : {"/ws", "/ws/logs", "/ws/deep", "/ws/deep/logs", "/out", "/out/logs"})
      ::mkdir((root_ + dir).c_str(), 0755);
  }
  ~NamedFolderTest() override { (void)!std::system(("rm -rf '" + root_ + "'").c_str()); }

  void link(const std::string& target, const std::string& at) {
    ASSERT_EQ(::symlink(target.c_str(), (root_ + at).c_str()), 0);
  }
  // Where opening led to, from the scene's folder, or the errno.
  [[nodiscard]] std::string opened(const std::string& path, FolderMissing missing = FolderMissing::is_an_error) {
    auto fd = open_named_folder(path.starts_with('/') ? root_ + path : path, {root_ + "/ws"}, missing);
    if (!fd) return std::string(std::strerror(fd.error().sys_errno));
    char text[4096];
    const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(fd->get())).c_str(), text, sizeof text);
    return std::string(text, static_cast<std::size_t>(n)).substr(root_.size());
  }

  std::string root_;
};

const std::string kLoop = std::strerror(ELOOP);

TEST_F(NamedFolderTest, OpensWhatIsThere) {
  EXPECT_EQ(opened("/ws/logs"), "/ws/logs");
  EXPECT_EQ(opened("/ws/./deep//logs/"), "/ws/deep/logs");
  EXPECT_EQ(opened("/ws/../out"), "/out");
  EXPECT_EQ(opened("/ws/missing"), std::strerror(ENOENT));
}

TEST_F(NamedFolderTest, StartsAtTheCurrentDirectoryEvenWithinTheWorkspace) {
  char before[4096];
  ASSERT_NE(::getcwd(before, sizeof before), nullptr);
  ASSERT_EQ(::chdir((root_ + "/ws/deep").c_str()), 0);
  link("../../out", "/ws/deep/planted");
  EXPECT_EQ(opened("."), "/ws/deep");
  EXPECT_EQ(opened("logs"), "/ws/deep/logs");
  EXPECT_EQ(opened("../../out"), "/out");
  EXPECT_EQ(opened("planted/logs"), kLoop);
  ASSERT_EQ(::chdir(before), 0);
}

TEST_F(NamedFolderTest, FollowsNoLinkWithinTheWorkspace) {
  link(root_ + "/out", "/ws/absolute");
  link("../out", "/ws/relative");
  link("deep", "/ws/harmless");
  for (const char* name : {"absolute", "relative", "harmless"}) {
    EXPECT_EQ(opened("/ws/" + std::string(name)), kLoop) << name;
    EXPECT_EQ(opened("/ws/" + std::string(name) + "/logs"), kLoop) << name;
    EXPECT_EQ(opened("/ws/deep/../" + std::string(name) + "/logs"), kLoop) << name;
  }
}

TEST_F(NamedFolderTest, FollowsTheCallersLinksUpToTheWorkspace) {
  link("ws", "/way");
  link(root_ + "/ws/planted", "/way-into");
  link("../out", "/ws/planted");
  EXPECT_EQ(opened("/way/logs"), "/ws/logs");
  EXPECT_EQ(opened("/way/../out"), "/out");
  EXPECT_EQ(opened("/way/planted/logs"), kLoop);
  EXPECT_EQ(opened("/way-into/logs"), kLoop) << "the caller's link leads to one that a command planted";
  EXPECT_EQ(opened("/way"), kLoop) << "never as the last component";
}

TEST_F(NamedFolderTest, EndlessLinksEnd) {
  link("b", "/a");
  link("a", "/b");
  EXPECT_EQ(opened("/a/logs"), kLoop);
}

TEST_F(NamedFolderTest, MakesTheLastComponentOnly) {
  link("nowhere", "/ws/dangling");
  EXPECT_EQ(opened("/ws/new", FolderMissing::is_made), "/ws/new");
  EXPECT_EQ(opened("/ws/new", FolderMissing::is_made), "/ws/new");
  EXPECT_EQ(opened("/ws/a/b", FolderMissing::is_made), std::strerror(ENOENT));
  EXPECT_EQ(opened("/ws/dangling", FolderMissing::is_made), kLoop);
  EXPECT_NE(::access((root_ + "/ws/nowhere").c_str(), F_OK), 0);
}

TEST(WritableTrees, AreTheWorkspaceAndWhatIsBoundToBeWritten) {
  ExecutionRequest request;
  request.workspace = "/ws";
  request.profile.mounts = {
      {MountKind::ro_bind, "/ro", "/ro"}, {MountKind::bind, "/rw", "/x"}, {MountKind::tmpfs, "", "/t"}};
  EXPECT_THAT(writable_trees(request), testing::ElementsAre("/ws", "/rw"));
}

}  // namespace
}  // namespace helios
