#include <gtest/gtest.h>

#include "core/cgroup/hierarchy.h"

namespace helios::cgroup {
namespace {

constexpr std::string_view kHybrid =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro,relatime shared:1 master:2 - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(ParseMountinfo, FindsBothVersionsAndTheirControllers) {
  const auto mounts = parse_mountinfo(kHybrid);
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_EQ(mounts[0].version, Version::v1);
  EXPECT_TRUE(mounts[0].has("cpu"));
  EXPECT_TRUE(mounts[0].has("cpuacct"));
  EXPECT_FALSE(mounts[0].has("memory"));
  EXPECT_EQ(mounts[1].root, "/docker/abc");
  EXPECT_EQ(mounts[2].version, Version::v2);
  EXPECT_EQ(mounts[2].mount_point, "/sys/fs/cgroup/uni fied");
  EXPECT_TRUE(mounts[2].controllers.empty());
}

TEST(ParseMountinfo, PassesOverLinesThatAreCut) {
  EXPECT_TRUE(parse_mountinfo("").empty());
  EXPECT_TRUE(parse_mountinfo("32 31 0:29 / /sys/fs/cgroup\n1 2 3 - cgroup\n - \n").empty());
}

TEST(ParseOwnGroups, ReadsV1AndV2Lines) {
  const auto own = parse_own_groups("9:name=systemd:/\n3:cpu,cpuacct:/a:b/c\n0::/user.slice\n");
  ASSERT_EQ(own.size(), 3U);
  EXPECT_EQ(own[1].path, "/a:b/c");
  EXPECT_EQ(own[1].controllers, (std::vector<std::string>{"cpu", "cpuacct"}));
  EXPECT_EQ(own[2].version, Version::v2);
  EXPECT_EQ(own[2].path, "/user.slice");
}

TEST(DirectoryOf, IsTheMountPointWithThePathBelowTheMountsRoot) {
  const Hierarchy whole{Version::v2, {}, "/sys/fs/cgroup", "/"};
  EXPECT_EQ(directory_of(whole, "/"), "/sys/fs/cgroup");
  EXPECT_EQ(directory_of(whole, "/a/b"), "/sys/fs/cgroup/a/b");
  const Hierarchy part{Version::v1, {"memory"}, "/m", "/docker/abc"};
  EXPECT_EQ(directory_of(part, "/docker/abc"), "/m");
  EXPECT_EQ(directory_of(part, "/docker/abc/x"), "/m/x");
  EXPECT_EQ(directory_of(part, "/docker/abcd"), std::nullopt);
  EXPECT_EQ(directory_of(part, "/other"), std::nullopt);
}

TEST(DirectoryOf, IsEmptyForWhatCannotBeReached) {
  const Hierarchy above{Version::v2, {}, "/sys/fs/cgroup", "/.."};
  EXPECT_EQ(directory_of(above, "/"), std::nullopt);
  const Hierarchy whole{Version::v2, {}, "/sys/fs/cgroup", "/"};
  EXPECT_EQ(directory_of(whole, "/../outside"), std::nullopt);
  EXPECT_EQ(directory_of(whole, "/gone (deleted)"), std::nullopt);
}

TEST(OwnDirectory, MatchesTheHierarchyByItsControllers) {
  const auto mounts = parse_mountinfo(kHybrid);
  const auto own = parse_own_groups("8:memory:/docker/abc/x\n2:cpu,cpuacct:/y\n0::/z\n");
  EXPECT_EQ(own_directory(mounts[0], own), "/sys/fs/cgroup/cpu,cpuacct/y");
  EXPECT_EQ(own_directory(mounts[1], own), "/sys/fs/cgroup/memory/x");
  EXPECT_EQ(own_directory(mounts[2], own), "/sys/fs/cgroup/uni fied/z");
  EXPECT_EQ(own_directory(mounts[0], {}), std::nullopt);
}

}  // namespace
}  // namespace helios::cgroup
