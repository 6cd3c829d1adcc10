// What a look at a tree counts, what it leaves out, and what it refuses to leave out.
#include "core/supervise/disk_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/sys/file.h"

namespace helios::supervise {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr uid_t kUser = 12345;

/// As a user whom modes bind. Nothing changes where the tests are started by one.
class AsUser {
 public:
  AsUser() { EXPECT_EQ(::seteuid(before_ == 0 ? kUser : before_), 0); }
  ~AsUser() { EXPECT_EQ(::seteuid(before_), 0); }

 private:
  uid_t before_{::geteuid()};
};

class DiskLookTest : public testing::Test {
 protected:
  DiskLookTest() {
    char name[] = "/tmp/helios-disk-test-XXXXXX";
    root_ = ::mkdtemp(name);
    give(root_);
  }
  ~DiskLookTest() override { (void)!std::system(("chmod -R u+rwx '" + root_ + "'; rm -rf '" + root_ + "'").c_str()); }

  static void give(const fs::path& path) {
    if (::geteuid() != 0) return;
    EXPECT_EQ(::chown(path.c_str(), kUser, kUser), 0);
  }
  void folder(const std::string& name, mode_t mode = 0700) {
    const fs::path path = fs::path(root_) / name;
    ASSERT_EQ(::mkdir(path.c_str(), 0700), 0) << name;
    give(path);
    ASSERT_EQ(::chmod(path.c_str(), mode), 0) << name;
  }
  void file(const std::string& name, std::size_t bytes = 1) {
    std::ofstream(fs::path(root_) / name) << std::string(bytes, 'x');
  }
  [[nodiscard]] std::string refusal() const {
    const AsUser user;
    const auto use = measure_disk(root_);
    return use ? "counted " + std::to_string(use->files) + " files" : use.error().message;
  }

  std::string root_;
};

TEST_F(DiskLookTest, CountsEverythingAndFollowsNoLink) {
  folder("a");
  file("a/file", 1 << 20);
  ASSERT_EQ(::symlink("/usr", (root_ + "/link").c_str()), 0);
  const auto use = measure_disk(root_);
  ASSERT_TRUE(use) << use.error().message;
  EXPECT_EQ(use->files, 3U);
  EXPECT_GE(use->bytes, 1U << 20);
  EXPECT_LT(use->bytes, 2U << 20);
}

TEST_F(DiskLookTest, AFolderThatCannotBeListedOrSearchedIsAnError) {
  for (const mode_t mode : {0300, 0400, 0000}) {
    folder("d\tx", mode);
    EXPECT_THAT(refusal(), HasSubstr("folder 'd?x': Permission denied"));
    ASSERT_EQ(::rmdir((root_ + "/d\tx").c_str()), 0);
    ASSERT_EQ(::chmod(root_.c_str(), mode), 0);
    EXPECT_THAT(refusal(), HasSubstr("Permission denied"));
    ASSERT_EQ(::chmod(root_.c_str(), 0700), 0);
  }
}

TEST_F(DiskLookTest, AFolderOfSomebodyElseIsLeftOutOnlyIfNobodyMayEnterIt) {
  if (::geteuid() != 0) return;  // only root makes folders for others
  folder("theirs");
  file("theirs/inside");
  ASSERT_EQ(::chown((root_ + "/theirs").c_str(), 0, 0), 0);
  EXPECT_EQ(refusal(), "counted 1 files");
  ASSERT_EQ(::chmod((root_ + "/theirs").c_str(), 0733), 0);
  EXPECT_THAT(refusal(), HasSubstr("folder 'theirs': Permission denied"));
}

TEST_F(DiskLookTest, NoDepthHidesAFileAndFewDescriptorsDo) {
  constexpr int kDepth = 1000;
  auto at = sys::open_file(root_, O_PATH | O_DIRECTORY);
  ASSERT_TRUE(at);
  for (int i = 0; i < kDepth; ++i) {
    ASSERT_EQ(::mkdirat(at->get(), "deep", 0700), 0);
    at = sys::open_at(at->get(), "deep", O_PATH | O_DIRECTORY);
    ASSERT_TRUE(at);
  }
  ASSERT_TRUE(sys::open_at(at->get(), "bottom", O_WRONLY | O_CREAT, 0600));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(at->get()) + 8;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto use = measure_disk(root_);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(use) << use.error().message;
  EXPECT_EQ(use->files, static_cast<std::uint64_t>(kDepth) + 1);
}

TEST_F(DiskLookTest, NoDescriptorsLeftIsAnError) {
  folder("a");
  const auto root = sys::open_file(root_, O_PATH | O_DIRECTORY);
  ASSERT_TRUE(root);
  // The control. (And a sanitizer that sees a type for the first time needs a descriptor to look at it.)
  DiskLook with_enough(root->get());
  ASSERT_TRUE(with_enough.go_on(1'000'000'000));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(root->get()) + 3;  // for the top and its listing, but not for "a" beside them
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  DiskLook look(root->get());
  const auto complete = look.go_on(1'000'000'000);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(complete);
  EXPECT_THAT(complete.error().message, HasSubstr("folder 'a': Too many open files"));
}

TEST_F(DiskLookTest, StopsAtWhatIsTooMuch) {
  for (int i = 0; i < 20; ++i) file("f" + std::to_string(i));
  const auto root = sys::open_file(root_, O_PATH | O_DIRECTORY);
  DiskLook look(root->get(), {UINT64_MAX, 5});
  EXPECT_TRUE(look.go_on(1'000'000'000).value());
  EXPECT_EQ(look.use().files, 6U);
}

TEST_F(DiskLookTest, GoesOnWhereItStopped) {
  for (int i = 0; i < 300; ++i) file("f" + std::to_string(i));
  const auto root = sys::open_file(root_, O_PATH | O_DIRECTORY);
  DiskLook look(root->get());
  EXPECT_FALSE(look.go_on(0).value());
  EXPECT_LT(look.use().files, 300U);
  while (!look.go_on(0).value()) {
  }
  EXPECT_EQ(look.use().files, 300U);
}

TEST_F(DiskLookTest, GoesOnWithWhatIsInItsPlaceWhenAFolderIsMoved) {
  folder("a");
  folder("a/b");
  folder("a/b/c");
  for (int i = 0; i < 200; ++i) file("a/b/c/f" + std::to_string(i));
  folder("a/z");  // one of the two is visited after the other
  file("a/z/last");
  folder("y");
  file("y/last");
  const auto root = sys::open_file(root_, O_PATH | O_DIRECTORY);
  DiskLook look(root->get());
  while (look.use().files < 70) ASSERT_FALSE(look.go_on(0).value());  // somewhere in c
  fs::rename(root_ + "/a/b/c", root_ + "/moved");
  while (!look.go_on(0).value()) {
  }
  EXPECT_EQ(look.use().files, 207U) << "a, b, c and what it holds, z, y and the last two";
}

}  // namespace
}  // namespace helios::supervise
