#include "core/cgroup/cgroup_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

namespace helios::cgroup {
namespace {

TEST(KeyedNumber, TakesWholeKeysOnly) {
  constexpr std::string_view kText = "oom 7\noom_kill 3\nmax 12\n";
  EXPECT_EQ(keyed_number(kText, "oom_kill"), 3U);
  EXPECT_EQ(keyed_number(kText, "oom"), 7U);
  EXPECT_EQ(keyed_number(kText, "max"), 12U);
  EXPECT_EQ(keyed_number(kText, "ma"), std::nullopt);
  EXPECT_EQ(keyed_number("", "max"), std::nullopt);
  EXPECT_EQ(keyed_number("max", "max"), std::nullopt);
}

TEST(ParseNumber, IsEmptyForMaxAndWords) {
  EXPECT_EQ(parse_number("18446744073709551615\n"), 18446744073709551615ULL);
  EXPECT_EQ(parse_number("50000 100000"), 50000U);
  EXPECT_EQ(parse_number("max\n"), std::nullopt);
  EXPECT_EQ(parse_number("-1"), std::nullopt);
  EXPECT_EQ(parse_number("12kB"), std::nullopt);
  EXPECT_EQ(parse_number(""), std::nullopt);
}

TEST(HasWord, DoesNotFindParts) {
  EXPECT_TRUE(has_word("cpuset cpu io memory\n", "cpu"));
  EXPECT_TRUE(has_word("cpuset cpu io memory\n", "memory"));
  EXPECT_FALSE(has_word("cpuset io\n", "cpu"));
  EXPECT_FALSE(has_word("", "cpu"));
}

// On a v1 host /sys/fs/cgroup is a tmpfs: an ordinary directory must never pass for a control group.
TEST(OpenGroup, RefusesWhatIsNoCgroupFileSystem) {
  char path[] = "/tmp/helios-cgroup-test-XXXXXX";
  ASSERT_NE(::mkdtemp(path), nullptr);
  const auto group = open_group(path);
  ASSERT_FALSE(group);
  EXPECT_NE(group.error().message.find("is not on a cgroup file system"), std::string::npos);
  ::rmdir(path);
}

TEST(WriteControl, DoesNotCreateFiles) {
  char path[] = "/tmp/helios-cgroup-test-XXXXXX";
  ASSERT_NE(::mkdtemp(path), nullptr);
  sys::UniqueFd fd(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto written = write_control(fd.get(), path, "memory.max", "1");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().sys_errno, ENOENT);
  EXPECT_EQ(::rmdir(path), 0) << "a file was made";
}

}  // namespace
}  // namespace helios::cgroup
