// helios-run policy, explain and suggest from outside: what they answer, and that bad input gets one clear line, exit
// status 125, and nothing started.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/invocation.h"

namespace helios::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr const char* kFilter = R"("seccomp": {"defaultAction": "SCMP_ACT_ALLOW"})";

class PolicyTools : public testing::Test {
 protected:
  PolicyTools() {
    char name[] = "/tmp/helios-tools-test-XXXXXX";
    dir_ = ::mkdtemp(name);
    fs::create_directory(dir_ / "ws");
  }
  ~PolicyTools() override { fs::remove_all(dir_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name) << text;
    ::chmod((dir_ / name).c_str(), 0644);
    return (dir_ / name).string();
  }
  [[nodiscard]] Finished run(Words words) const {
    words.insert(words.begin(), helios_run_path());
    Invocation i;
    i.argv = std::move(words);
    i.env = {{"PATH", "/usr/bin:/bin"}};
    i.cwd = dir_ / "ws";
    return run_to_end(i);
  }
  static std::string refused(const Finished& f, const std::string& what) {
    EXPECT_EQ(f.exit_code, 125) << what << "\n" << f.describe();
    EXPECT_EQ(f.out, "") << what;
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << what << ": " << f.err;
    return f.err;
  }
  /// What `policy validate` says, and a run says the same and starts nothing.
  [[nodiscard]] std::string bad_policy(const std::string& text) const {
    const std::string file = write("bad.json", text);
    const std::string said = refused(run({"policy", "validate", file}), text);
    EXPECT_EQ(refused(run({"--policy", file, "--", "touch", "started"}), text), said);
    EXPECT_FALSE(fs::exists(dir_ / "ws/started"));
    return said;
  }
  /// A result as helios-run writes one.
  [[nodiscard]] std::string result(const std::string& name, const std::string& members) const {
    return write(name, R"({"exitCode":1,"stdout":"","stderr":"","durationMs":5000,"success":false,"jobId":"j")" +
                           (members.empty() ? "" : "," + members) + "}");
  }

  fs::path dir_;
};

TEST_F(PolicyTools, ABadPolicyGetsOneLineWithItsPlace) {
  EXPECT_THAT(bad_policy("{\n \"limtis\": {}}"), AllOf(HasSubstr("bad.json:2:"), HasSubstr("\"limits\"")));
  EXPECT_THAT(bad_policy(R"({"extends": "bad.json"})"), HasSubstr("extends itself"));
  EXPECT_THAT(bad_policy(R"({"extends": "defalt"})"), HasSubstr("\"default\""));
  EXPECT_THAT(bad_policy("{\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [\n"
                         "{\"names\": [\"execve\", \"opne\"], \"action\": \"SCMP_ACT_ALLOW\"}]}}"),
              AllOf(HasSubstr("bad.json:2:"), HasSubstr("/seccomp/syscalls/0/names"), HasSubstr("'opne'"),
                    HasSubstr("'open'")));
  EXPECT_THAT(
      bad_policy(std::string(R"({"mounts": [{"type": "ro-bind", "source": "/no/such/place"}], )") + kFilter + "}"),
      AllOf(HasSubstr("/mounts/0"), HasSubstr("/no/such/place")));
  EXPECT_THAT(
      bad_policy(std::string(R"({"limits": {"memory": "1G"}, "ceilings": {"memory": "512M"}, )") + kFilter + "}"),
      AllOf(HasSubstr("/ceilings/memory"), HasSubstr("below the default")));
}

TEST_F(PolicyTools, APolicyThatAnotherUserCanWriteIsRefused) {
  const std::string file = write("open.json", std::string("{") + kFilter + "}");
  ::chmod(file.c_str(), 0666);
  EXPECT_THAT(refused(run({"policy", "validate", file}), "mode 0666"), HasSubstr("open.json"));
  EXPECT_THAT(refused(run({"--policy", file, "--", "touch", "started"}), "mode 0666"), HasSubstr("open.json"));
  EXPECT_FALSE(fs::exists(dir_ / "ws/started"));
}

TEST_F(PolicyTools, DockersAndPodmansProfilesLoadUnchanged) {
  for (const char* name : {"podman.json", "docker_like.json"}) {
    fs::copy_file(std::string(HELIOS_TEST_DATA "/seccomp/") + name, dir_ / name);
    ::chmod((dir_ / name).c_str(), 0644);
    const Finished bare = run({"policy", "validate", (dir_ / name).string()});
    EXPECT_EQ(bare.exit_code, 0) << bare.describe();
    const std::string policy = write("with.json", std::string(R"({"extends": "default", "seccomp": ")") + name + "\"}");
    const Finished valid = run({"policy", "validate", policy});
    EXPECT_EQ(valid.exit_code, 0) << valid.describe();
    const Finished shown = run({"policy", "show", policy});
    EXPECT_THAT(shown.out, AllOf(HasSubstr(name), HasSubstr("calls are allowed"))) << shown.describe();
    const Finished planned = run({"--dry-run", "--policy", policy, "--output=json", "--", "true"});
    EXPECT_THAT(planned.out, HasSubstr("allowed-calls")) << planned.describe();
  }
}

TEST_F(PolicyTools, ShowAndDiffReadPoliciesByNameAndByFile) {
  const Finished shown = run({"policy", "show", "strict"});
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_THAT(shown.out, AllOf(HasSubstr("limits.memory: 512M"), HasSubstr("seccomp: (default) EPERM")));
  EXPECT_TRUE(run({"policy", "show", "strict", "--output=json"}).has_result());
  EXPECT_THAT(run({"policy", "diff", "default", "default"}).out, HasSubstr("no difference"));
  const Finished other = run({"policy", "diff", "default", "strict"});
  EXPECT_EQ(other.exit_code, 1) << "as diff(1)";
  EXPECT_THAT(other.out,
              AllOf(HasSubstr("- limits.memory: 1G\n+ limits.memory: 512M"), HasSubstr("- seccomp: accept allow")));
  EXPECT_THAT(refused(run({"policy", "show", "strit"}), "strit"), HasSubstr("\"strict\""));
  EXPECT_THAT(refused(run({"policy", "shw"}), "shw"), HasSubstr("'show'"));
  EXPECT_THAT(refused(run({"policy", "diff", "strict"}), "one"), HasSubstr("two policies"));
}

TEST_F(PolicyTools, ExplainNamesTheRuleAndTheLineThatWouldAllowIt) {
  const std::string denied =
      R"j("denied":[{"syscall":"mbind","count":2,"errno":"EPERM","args":"0x1, 0x2","process":"node (pid 7)"},)j"
      R"j({"syscall":"socket","count":1,"errno":"EAFNOSUPPORT","args":"0x28, 0x1, 0x0"}])j";
  const std::string file =
      result("r.json", R"("termination":{"reason":"exited"},"sandbox":{"policy":"strict"},)" + denied);
  const Finished f = run({"explain", file});
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  EXPECT_THAT(f.out, AllOf(HasSubstr("mbind was refused (EPERM), 2 times, first by node (pid 7)"),
                           HasSubstr("strict.json:"), HasSubstr("/seccomp/defaultAction: no rule names it"),
                           HasSubstr(R"({"names": ["mbind"], "action": "SCMP_ACT_ALLOW"})")));
  EXPECT_THAT(f.out, AllOf(HasSubstr("socket(AF_VSOCK, SOCK_STREAM, 0)"), HasSubstr("whatever the policy says")));
  EXPECT_TRUE(run({"explain", file, "--output=json"}).out.starts_with("[")) << "a list";
}

TEST_F(PolicyTools, ExplainTellsWhichLimitToRaise) {
  const std::string file = result(
      "r.json",
      R"("termination":{"reason":"memory-limit","detail":"256 MiB reached"},"sandbox":{"policy":"default"},)"
      R"("limits":[{"limit":"memory","requested":268435456,"effective":268435456,"by":"cgroup-v2:memory.max"}])");
  EXPECT_THAT(run({"explain", file}).out,
              AllOf(HasSubstr("256M was in force"), HasSubstr("--memory 512M"), HasSubstr("/limits/memory")));
}

TEST_F(PolicyTools, SuggestFitsWhatSucceededAndRaisesWhatEndedARun) {
  fs::create_directory(dir_ / "results");
  write("results/0.json", R"({"exitCode":0,"stdout":"","stderr":"","durationMs":60000,"success":true,"jobId":"j",)"
                          R"("chunkId":0,"termination":{"reason":"exited"},)"
                          R"("resources":{"cpuMs":90000,"peakMemoryBytes":209715200,"peakProcesses":40}})");
  write("results/1.json", R"({"exitCode":137,"stdout":"","stderr":"","durationMs":9,"success":false,"jobId":"j",)"
                          R"("chunkId":1,"termination":{"reason":"memory-limit"},"resources":{"peakMemoryBytes":1},)"
                          R"("limits":[{"limit":"memory","requested":268435456,"by":"cgroup"}]})");
  const Finished f = run({"suggest", (dir_ / "results").string()});
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  // 200 MiB + 25 % = 250 MiB, in steps of 16; 40 + 25 % = 50, in steps of 8; 60 s x 3; 90 s x 3.
  EXPECT_THAT(
      f.out,
      HasSubstr(R"(chunk 0:        {"resources":{"memory":"256M","cpuTime":"270s","wallTime":"3m","processes":56}})"));
  EXPECT_THAT(f.out, HasSubstr(R"(chunk 1:        {"resources":{"memory":"512M"}})"));
  EXPECT_THAT(f.out, HasSubstr(R"({"limits":{"memory":"512M")"));
  EXPECT_EQ(run({"suggest", (dir_ / "results").string()}).out, f.out) << "the same input gives the same answer";
}

TEST_F(PolicyTools, BadResultsGetOneLine) {
  EXPECT_THAT(refused(run({"explain", "nosuch.json"}), "missing"), HasSubstr("nosuch.json"));
  EXPECT_THAT(refused(run({"explain"}), "none"), HasSubstr("wants a result"));
  EXPECT_THAT(refused(run({"explain", write("x.json", "{\"exitCode\":")}), "cut"), HasSubstr("is not JSON"));
  EXPECT_THAT(refused(run({"explain", write("x.json", R"({"exitCode":0})")}), "Helios' own"),
              HasSubstr("/termination"));
  EXPECT_THAT(refused(run({"explain", write("x.json", R"({"exitCode":"0"})")}), "type"), HasSubstr("/exitCode"));
  EXPECT_THAT(refused(run({"explain", result("x.json", R"("termination":{"reason":"bored"})")}), "reason"),
              HasSubstr("\"bored\""));
  EXPECT_THAT(refused(run({"suggest", (dir_ / "ws").string()}), "empty folder"), HasSubstr("there is no result"));
  EXPECT_THAT(refused(run({"policy", "learn"}), "nothing to run"), HasSubstr("nothing to run"));
  EXPECT_THAT(refused(run({"policy", "learn", "--merge", "strict", "--sandbox=shell", "--", "true"}), "shell"),
              HasSubstr("does not record"));
}

}  // namespace
}  // namespace helios::test
