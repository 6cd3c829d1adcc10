#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/digest/sha256.h"
#include "core/sys/file.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::isolated {
namespace {

using testing::HasSubstr;
constexpr const char* kProfile =
    R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ptrace"],"action":"SCMP_ACT_ERRNO"}]})";

class StoredFilter : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/filterXXXXXX";
    folder = std::filesystem::canonical(::mkdtemp(pattern.data()));
    profile.seccomp_json = kProfile;
    profile.seccomp_sha256 = digest::sha256_hex(kProfile);
    path = folder + "/" + compiled_name(profile.seccomp_sha256, false);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string bytes() const { return *sys::read_file(path, 1 << 20); }
  void overwrite(const std::string& content) const {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  }

  std::string folder, path;
  SandboxProfile profile;
};

bool same(const SeccompProgram& a, const SeccompProgram& b) {
  return a.sha256_of_profile == b.sha256_of_profile && a.kernel == b.kernel && a.allowed_calls == b.allowed_calls &&
         a.nested_user_namespaces == b.nested_user_namespaces && a.instructions.size() == b.instructions.size() &&
         std::memcmp(a.instructions.data(), b.instructions.data(), a.instructions.size() * sizeof(sock_filter)) == 0;
}

TEST_F(StoredFilter, ComesBackAsItWas) {
  const auto program = compile_seccomp(kProfile, {});
  ASSERT_TRUE(program);
  ASSERT_TRUE(store_compiled(*program, path));
  const auto loaded = load_compiled(path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_TRUE(same(*program, *loaded));
}

TEST_F(StoredFilter, IsRefusedWhenAnyByteIsWrong) {
  ASSERT_TRUE(store_compiled(*compile_seccomp(kProfile, {}), path));
  const std::string good = bytes();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x11);
    overwrite(bad);
    ASSERT_FALSE(load_compiled(path)) << i;
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{10}, good.size() - 1}) {
    overwrite(good.substr(0, length));
    EXPECT_FALSE(load_compiled(path)) << length;
  }
  overwrite(good + "x");
  EXPECT_FALSE(load_compiled(path));
}

TEST_F(StoredFilter, IsRefusedWhenOthersMayWriteItOrItsFolder) {
  ASSERT_TRUE(store_compiled(*compile_seccomp(kProfile, {}), path));
  ASSERT_EQ(::chmod(path.c_str(), 0664), 0);
  ASSERT_FALSE(load_compiled(path));
  EXPECT_THAT(load_compiled(path).error().message, HasSubstr("other users may write it"));
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  EXPECT_THAT(load_compiled(path).error().message, HasSubstr("refuse " + folder + ": other users"));
  profile.filter_dirs = {folder};
  EXPECT_FALSE(filter_for(profile, "")) << "not silently compiled anew";
  ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
  if (::geteuid() != 0) GTEST_SKIP() << "chown needs root";
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  EXPECT_THAT(load_compiled(path).error().message, HasSubstr("belongs to uid 12345"));
}

TEST_F(StoredFilter, IsTakenFromTheFirstFolderThenTheCacheThenCompiled) {
  const std::string cache = folder + "/cache";
  const auto compiled = filter_for(profile, cache);
  ASSERT_TRUE(compiled) << compiled.error().message;
  struct stat st {};
  ASSERT_EQ(::stat(cache.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0700U);
  const std::string cached = cache + "/" + compiled_name(profile.seccomp_sha256, false);
  ASSERT_TRUE(std::filesystem::exists(cached));
  // A program that cannot be told from the profile's by its name: shows where the answer came from.
  SeccompProgram marked = *compiled;
  marked.allowed_calls = 7;
  ASSERT_TRUE(store_compiled(marked, cached));
  EXPECT_EQ(filter_for(profile, cache)->allowed_calls, 7U);
  marked.allowed_calls = 8;
  ASSERT_TRUE(store_compiled(marked, path));
  profile.filter_dirs = {folder + "/absent", folder};
  EXPECT_EQ(filter_for(profile, cache)->allowed_calls, 8U);
  profile.nested_user_namespaces = true;
  EXPECT_GT(filter_for(profile, cache)->allowed_calls, 300U) << "another program, another name";
}

TEST_F(StoredFilter, IsCompiledAnewWhenTheCachesIsDamagedOrOfAnotherProfile) {
  ASSERT_TRUE(filter_for(profile, folder));
  overwrite("rubbish");
  EXPECT_GT(filter_for(profile, folder)->allowed_calls, 300U);
  EXPECT_TRUE(load_compiled(path)) << "and put there again";
  SeccompProgram other = *compile_seccomp(R"({"defaultAction":"SCMP_ACT_ALLOW"})", {});
  ASSERT_TRUE(store_compiled(other, path));
  EXPECT_EQ(filter_for(profile, folder)->sha256_of_profile, profile.seccomp_sha256);
}

TEST_F(StoredFilter, IsNotMadeOfATextThatHasAnotherHash) {
  profile.seccomp_sha256 = std::string(64, 'a');
  EXPECT_FALSE(filter_for(profile, ""));
  profile.seccomp_sha256 = "../../etc/passwd";
  EXPECT_FALSE(filter_for(profile, ""));
}

}  // namespace
}  // namespace helios::isolated
