#include "core/policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/digest/sha256.h"

namespace helios::policy {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class PolicyFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/policyXXXXXX";
    dir = std::filesystem::canonical(::mkdtemp(pattern.data()));
  }
  void TearDown() override { std::filesystem::remove_all(dir); }

  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = dir + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0644);
    return path;
  }
  /// A policy with a filter and what `members` say.
  std::string policy(const std::string& name, const std::string& members) const {
    return write(name + ".json",
                 "{" + members + (members.empty() ? "" : ",") + R"("seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}})");
  }
  Policy good(const std::string& name) const {
    auto loaded = load_policy(name, {dir});
    EXPECT_TRUE(loaded) << loaded.error().message;
    return loaded ? *loaded : Policy{};
  }
  std::string bad(const std::string& name) const {
    const auto loaded = load_policy(name, {dir});
    return loaded ? "loaded"
                  : loaded.error().message + (loaded.error().remedy.empty() ? "" : "; " + loaded.error().remedy);
  }
  std::string bad_text(const std::string& text) const {
    write("p.json", text);
    return bad("p");
  }
  std::string dir;
};

TEST_F(PolicyFiles, AreReadWhole) {
  const std::string path =
      policy("p", R"("why":"a test","limits":{"memory":"512M","cpus":1.5,"wallTime":"90s","processes":64},
    "ceilings":{"memory":"1G","wallTime":null},"network":"host","rootfs":"/srv/root","tmp":"16M","shm":1048576,
    "environment":{"allow":["LANG","LC_*"],"set":{"HOME":"/tmp"}},"nestedUserNamespaces":true,
    "mounts":[{"type":"ro-bind","source":"/usr"},{"type":"tmpfs","target":"/run","size":"1M"},
              {"type":"bind","source":"/absent","target":"/x","optional":true}])");
  const Policy p = good("p");
  EXPECT_EQ(p.name, "p");
  EXPECT_EQ(p.path, path);
  EXPECT_EQ(p.defaults[Limit::memory], 512U << 20);
  EXPECT_EQ(p.defaults[Limit::cpus], 1500U);
  EXPECT_EQ(p.defaults[Limit::wall_time], 90000U);
  EXPECT_EQ(p.defaults[Limit::idle_time], std::nullopt);
  EXPECT_EQ(p.ceilings[Limit::memory], 1U << 30);
  EXPECT_EQ(p.ceilings[Limit::wall_time], std::nullopt) << "null: no bound";
  EXPECT_EQ(p.ceilings[Limit::processes], 64U) << "silent: the default";
  EXPECT_EQ(p.profile.network, Network::host);
  EXPECT_EQ(p.profile.rootfs, "/srv/root");
  EXPECT_EQ(p.profile.tmp_bytes, 16U << 20);
  EXPECT_EQ(p.profile.shm_bytes, 1U << 20);
  EXPECT_TRUE(p.profile.nested_user_namespaces);
  EXPECT_THAT(p.profile.env_allow, ElementsAre("LANG", "LC_*"));
  EXPECT_THAT(p.profile.env_set, ElementsAre(EnvVar{"HOME", "/tmp"}));
  EXPECT_THAT(p.profile.mounts, ElementsAre(Mount{MountKind::ro_bind, "/usr", "/usr", 0, false},
                                            Mount{MountKind::tmpfs, "", "/run", 1 << 20, false},
                                            Mount{MountKind::bind, "/absent", "/x", 0, true}));
  EXPECT_EQ(p.profile.seccomp_json, R"({"defaultAction":"SCMP_ACT_ALLOW"})") << "the bytes as they stand";
  EXPECT_EQ(p.profile.seccomp_sha256, digest::sha256_hex(p.profile.seccomp_json));
  EXPECT_THAT(p.profile.filter_dirs, ElementsAre(dir + "/compiled"));
  std::ifstream in(path);
  EXPECT_EQ(p.sha256, digest::sha256_hex(std::string(std::istreambuf_iterator<char>(in), {})));
  EXPECT_EQ(p.profile.policy_sha256, p.sha256);
}

TEST_F(PolicyFiles, RefuseASoftMemoryLimitAboveTheHardOne) {
  policy("fits", R"("limits":{"memory":"1G","memoryHigh":"1G"})");
  EXPECT_EQ(good("fits").defaults[Limit::memory_high], 1U << 30);
  policy("above", R"("limits":{"memory":"1G","memoryHigh":"2G"})");
  EXPECT_THAT(bad("above"), AllOf(HasSubstr("/limits/memoryHigh"), HasSubstr("memoryHigh 2G is above memory 1G")));
  policy("by_ceiling", R"("limits":{"memory":"1G"},"ceilings":{"memoryHigh":"2G"})");
  EXPECT_THAT(bad("by_ceiling"), HasSubstr("/ceilings/memoryHigh"));
}

TEST_F(PolicyFiles, AreFoundByNameOrByFile) {
  policy("mine", "");
  EXPECT_EQ(good(dir + "/mine.json").name, "mine");
  EXPECT_THAT(bad("mien"), AllOf(HasSubstr("no policy is called \"mien\""), HasSubstr("did you mean \"mine\"?")));
  EXPECT_THAT(bad("../mine.json"), HasSubstr("No such file"));
  EXPECT_THAT(bad(""), HasSubstr("no policy is called"));
  EXPECT_EQ(load_policy("absent", {dir}).error().code, ErrorCode::not_found);
  EXPECT_THAT(list_policies({dir, "/absent"}), ElementsAre("mine"));
}

TEST_F(PolicyFiles, StandOverWhatTheyExtend) {
  policy(
      "base",
      R"("limits":{"memory":"1G","wallTime":"1h"},"tmp":"8M","environment":{"allow":["LANG"],"set":{"A":"1","B":"2"}},
    "mounts":[{"type":"ro-bind","source":"/usr"},{"type":"ro-bind","source":"/etc"}])");
  write("child.json", R"({"extends":"base","limits":{"memory":"2G","wallTime":null},
    "environment":{"allow":["LANG","TZ"],"set":{"A":"3"}},"mounts":[{"type":"tmpfs","target":"/etc"}]})");
  const Policy p = good("child");
  EXPECT_EQ(p.defaults[Limit::memory], 2ULL << 30);
  EXPECT_EQ(p.ceilings[Limit::memory], 2ULL << 30);
  EXPECT_EQ(p.defaults[Limit::wall_time], std::nullopt);
  EXPECT_EQ(p.profile.tmp_bytes, 8U << 20);
  EXPECT_THAT(p.profile.env_allow, ElementsAre("LANG", "TZ"));
  EXPECT_THAT(p.profile.env_set, ElementsAre(EnvVar{"B", "2"}, EnvVar{"A", "3"}));
  ASSERT_EQ(p.profile.mounts.size(), 2U);
  EXPECT_EQ(p.profile.mounts[1].kind, MountKind::tmpfs);
  EXPECT_EQ(p.profile.seccomp_json, good("base").profile.seccomp_json);
  const std::string before = p.sha256;
  write("base.json", R"({"limits":{"memory":"1G"},"seccomp":{"defaultAction":"SCMP_ACT_LOG"}})");
  EXPECT_NE(good("child").sha256, before) << "the hash covers what is extended";
}

TEST_F(PolicyFiles, TakeAFilterFromAFileOrAnotherPolicy) {
  const std::string docker = write("docker.json", R"({"defaultAction":"SCMP_ACT_ERRNO"})");
  write("a.json", R"({"seccomp":"docker.json"})");
  EXPECT_EQ(good("a").profile.seccomp_json, R"({"defaultAction":"SCMP_ACT_ERRNO"})");
  policy("b", "");
  write("c.json", R"({"limits":{"memory":"1G"},"seccomp":"b"})");
  EXPECT_EQ(good("c").profile.seccomp_json, R"({"defaultAction":"SCMP_ACT_ALLOW"})");
  EXPECT_EQ(good("c").profile.mounts.size(), 0U);
  write("d.json", R"({"seccomp":"absent.json"})");
  EXPECT_THAT(bad("d"), AllOf(StartsWith(dir + "/d.json:1:"), HasSubstr("/seccomp"), HasSubstr("No such file")));
  EXPECT_THAT(bad_text(R"({"limits":{}})"), HasSubstr("no \"seccomp\" section"));
}

TEST_F(PolicyFiles, SayInOneLineWhatIsWrongAndWhere) {
  const std::string at = dir + "/p.json:";
  EXPECT_THAT(bad_text("{\n  \"limits\": {\n    \"memroy\": 1\n  }\n}"),
              AllOf(StartsWith(at + "3:15: /limits/memroy: "), HasSubstr("such as \"memory\"")));
  EXPECT_THAT(bad_text("{\"limit\":{}}"), AllOf(StartsWith(at + "1:10: /limit: "), HasSubstr("\"limits\"")));
  EXPECT_THAT(bad_text("{\"limits\":{\"memory\":\"lots\"}}"),
              AllOf(StartsWith(at + "1:21: /limits/memory: "), HasSubstr("\"lots\"")));
  EXPECT_THAT(bad_text("{\"limits\":{\"memory\":true}}"), HasSubstr("found true"));
  EXPECT_THAT(bad_text("{\"limits\":{\"processes\":-1}}"), HasSubstr("/limits/processes"));
  EXPECT_THAT(bad_text("{\"network\":\"some\"}"),
              HasSubstr("/network: expected \"none\" or \"host\", found string \"some\""));
  EXPECT_THAT(bad_text("{\"network\":1,\"network\":2}"), HasSubstr("found number 1"));
  EXPECT_THAT(bad_text("{\"tmp\":\"1M\",\"tmp\":\"2M\"}"), HasSubstr("\"tmp\" again"));
  EXPECT_THAT(bad_text("{\"tmp\":0}"), HasSubstr("/tmp: expected a size"));
  EXPECT_THAT(bad_text("{\"mounts\":[{\"type\":\"rbind\"}]}"), HasSubstr("/mounts/0/type: expected \"ro-bind\""));
  EXPECT_THAT(bad_text("{\"mounts\":[{\"source\":\"/usr\"}]}"), HasSubstr("without a \"type\""));
  EXPECT_THAT(bad_text("{\"mounts\":[{\"type\":\"bind\"}]}"), HasSubstr("expected a \"source\""));
  EXPECT_THAT(bad_text("{\"mounts\":[{\"type\":\"bind\",\"source\":\"usr\"}]}"),
              HasSubstr("/mounts/0/source: expected an absolute path"));
  EXPECT_THAT(bad_text("{\"mounts\":[{\"type\":\"bind\",\"source\":\"/usr/../etc\"}]}"), HasSubstr("without \"..\""));
  EXPECT_THAT(bad_text("{\"mounts\":[{\"type\":\"bind\",\"source\":\"/\"}]}"), HasSubstr("below /"));
  EXPECT_THAT(
      bad_text("{\"mounts\":[{\"type\":\"bind\",\"source\":\"/usr\"},{\"type\":\"tmpfs\",\"target\":\"/usr\"}]}"),
      HasSubstr("one mount for each target"));
  EXPECT_THAT(bad_text("{\"environment\":{\"allow\":[\"A*B\"]}}"), HasSubstr("/environment/allow/0"));
  EXPECT_THAT(bad_text("{\"environment\":{\"set\":{\"A=\":\"x\"}}}"), HasSubstr("a variable's name"));
  EXPECT_THAT(bad_text("{\"environment\":{\"set\":{\"A\":1}}}"),
              HasSubstr("/environment/set/A: expected a string, found number 1"));
  EXPECT_THAT(bad_text("{\"rootfs\":\"root\"}"), HasSubstr("/rootfs"));
  EXPECT_THAT(bad_text("{\"seccomp\":7}"), HasSubstr("/seccomp: expected a seccomp profile"));
  EXPECT_THAT(bad_text("{\"seccomp\":{\"a\":1,\"a\":2}}"), HasSubstr("\"a\" again"));
  EXPECT_THAT(bad_text("{"), StartsWith(at + "1:2: "));
  EXPECT_THAT(bad_text("{} x"), StartsWith(at + "1:4: "));
  EXPECT_THAT(bad_text(""), StartsWith(at + "1:1: "));
  EXPECT_THAT(bad_text("{\"why\":\"a\\u0000b\"}"), HasSubstr("NUL"));
  for (const char* text : {"{", "{\"limits\":[]}", "{\"why\":\"\n\"}"})
    EXPECT_EQ(bad_text(text).find('\n'), std::string::npos);
}

TEST_F(PolicyFiles, RefuseACeilingBelowItsDefault) {
  EXPECT_THAT(
      bad_text("{\"limits\":{\"memory\":\"2G\"},\n\"ceilings\":{\"memory\":\"1G\"},\"seccomp\":{}}"),
      AllOf(StartsWith(dir + "/p.json:2:"), HasSubstr("/ceilings/memory: the ceiling 1G is below the default 2G"),
            HasSubstr("/limits/memory")));
  policy("base", R"("limits":{"memory":"1G"},"ceilings":{"memory":"2G"})");
  write("child.json", R"({"extends":"base","limits":{"memory":"3G"}})");
  EXPECT_THAT(bad("child"),
              AllOf(StartsWith(dir + "/base.json:"), HasSubstr("below the default 3G"), HasSubstr("child.json:1:")));
}

TEST_F(PolicyFiles, RefuseToExtendThemselves) {
  write("a.json", R"({"extends":"b"})");
  write("b.json", R"({"extends":"a"})");
  EXPECT_THAT(bad("a"), AllOf(HasSubstr("extends itself"), HasSubstr("/b.json ->"), HasSubstr("/extends")));
  write("c.json", R"({"seccomp":"c"})");
  EXPECT_THAT(bad("c"), HasSubstr("extends itself"));
  write("d.json", R"({"extends":"nowhere"})");
  EXPECT_THAT(bad("d"), AllOf(StartsWith(dir + "/d.json:1:12: /extends: "), HasSubstr("\"nowhere\"")));
}

TEST_F(PolicyFiles, RefuseAMissingSourceThatIsNotOptional) {
  policy("p", R"("mounts":[{"type":"ro-bind","source":"/no/such/tool"}])");
  EXPECT_THAT(bad("p"),
              AllOf(HasSubstr("/mounts/0: the source /no/such/tool does not exist"), HasSubstr("\"optional\": true")));
}

TEST_F(PolicyFiles, AreRefusedWhenAnotherUserCouldWriteThem) {
  const std::string path = policy("p", "");
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  EXPECT_THAT(bad("p"), AllOf(HasSubstr("refuse " + path), HasSubstr("chmod go-w")));
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(dir.c_str(), 0775), 0);
  EXPECT_THAT(bad("p"), HasSubstr("refuse " + dir));
  ASSERT_EQ(::chmod(dir.c_str(), 0755), 0);
  write("child.json", R"({"extends":"p"})");
  ASSERT_EQ(::chmod(path.c_str(), 0664), 0);
  EXPECT_THAT(bad("child"), HasSubstr("refuse " + path)) << "one that is extended as well";
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  std::filesystem::create_symlink(path, dir + "/link.json");
  EXPECT_EQ(good("link").name, "link");
  std::filesystem::create_directory(dir + "/folder.json");
  EXPECT_THAT(bad("folder"), HasSubstr("not a regular file"));
  if (::geteuid() != 0) GTEST_SKIP() << "chown needs root";
  ASSERT_EQ(::chown(path.c_str(), 4321, 0), 0);
  EXPECT_THAT(bad("p"), HasSubstr("belongs to uid 4321"));
}

TEST_F(PolicyFiles, DifferLineByLine) {
  policy("a", R"("limits":{"memory":"1G"},"mounts":[{"type":"ro-bind","source":"/usr"}])");
  policy(
      "b",
      R"("limits":{"memory":"2G"},"network":"host","mounts":[{"type":"ro-bind","source":"/usr"},{"type":"tmpfs","target":"/run"}])");
  EXPECT_THAT(policy_diff(good("a"), good("b")),
              ElementsAre("- limits.memory: 1G", "- ceilings.memory: 1G", "- network: none", "+ limits.memory: 2G",
                          "+ ceilings.memory: 2G", "+ network: host", "+ mounts: tmpfs /run"));
  EXPECT_TRUE(policy_diff(good("a"), good("a")).empty());
}

}  // namespace
}  // namespace helios::policy
