// Precedence, ceilings, environment: build_request asks nobody, so these tests need nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/executor/build_request.h"
#include "core/executor/environment.h"
#include "core/loader_variables.h"

namespace helios {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BuildRequest : public testing::Test {
 protected:
  BuildRequest() {
    spec_.id = "job";
    chunk_.id = 7;
    chunk_.command = "tool --in 'a b' $HOME";
    chunk_.output_file = "out.mov";
    policy_.name = "default";
    policy_.profile.policy_name = "default";
    around_.env = {{"PATH", "/bin"}, {"API_TOKEN", "hunter2"}};
    around_.cwd = "/w";
  }
  [[nodiscard]] Job job() const { return {&spec_, &chunk_, {}, "/w"}; }
  [[nodiscard]] Result<ExecutionRequest> build() const {
    return build_request(job(), policy_, options_, around_, {"/w", "/w", "/w/out.mov"});
  }
  [[nodiscard]] std::optional<std::uint64_t> memory() const {
    auto r = build();
    return r ? r->limits[Limit::memory] : std::nullopt;
  }

  JobSpec spec_;
  Chunk chunk_;
  policy::Policy policy_;
  RunOptions options_;
  Surroundings around_;
};

constexpr std::uint64_t kMiB = 1 << 20;

TEST_F(BuildRequest, TakesTheStrongestLimitThatWasGiven) {
  EXPECT_EQ(memory(), std::nullopt);
  policy_.defaults[Limit::memory] = 100 * kMiB;
  EXPECT_EQ(memory(), 100 * kMiB);
  spec_.overrides.resources[Limit::memory] = 200 * kMiB;
  EXPECT_EQ(memory(), 200 * kMiB);
  chunk_.overrides.resources[Limit::memory] = 50 * kMiB;
  EXPECT_EQ(memory(), 50 * kMiB);
  options_.limits[Limit::memory] = 300 * kMiB;
  EXPECT_EQ(memory(), 300 * kMiB);
}

TEST_F(BuildRequest, RefusesASpecAboveTheCeilingAndNamesBothValues) {
  policy_.ceilings[Limit::memory] = 1024 * kMiB;
  spec_.overrides.resources[Limit::memory] = 2048 * kMiB;
  auto r = build();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, ErrorCode::invalid_spec);
  EXPECT_THAT(r.error().message, HasSubstr("memory 2G"));
  EXPECT_THAT(r.error().message, HasSubstr("ceiling 1G"));
  EXPECT_THAT(r.error().remedy, HasSubstr("--memory 2G"));
}

TEST_F(BuildRequest, AllowsASpecToAskForExactlyTheCeiling) {
  policy_.ceilings[Limit::memory] = 1024 * kMiB;
  chunk_.overrides.resources[Limit::memory] = 1024 * kMiB;
  EXPECT_EQ(memory(), 1024 * kMiB);
}

TEST_F(BuildRequest, LetsAFlagExceedTheCeilingAsFlagsAreTrusted) {
  policy_.ceilings[Limit::memory] = 1024 * kMiB;
  spec_.overrides.resources[Limit::memory] = 4096 * kMiB;
  options_.limits[Limit::memory] = 2048 * kMiB;
  EXPECT_EQ(memory(), 2048 * kMiB);
}

TEST_F(BuildRequest, HoldsTheCeilingWhereNobodyNamedAValue) {
  policy_.ceilings[Limit::memory] = 1024 * kMiB;
  EXPECT_EQ(memory(), 1024 * kMiB);
}

TEST_F(BuildRequest, RefusesASoftMemoryLimitAboveTheHardOneWhoeverAsksForIt) {
  policy_.defaults[Limit::memory] = 100 * kMiB;
  options_.limits[Limit::memory_high] = 100 * kMiB;
  EXPECT_TRUE(build()) << "equal is fine";
  options_.limits[Limit::memory_high] = 200 * kMiB;
  auto by_flag = build();
  ASSERT_FALSE(by_flag);
  EXPECT_THAT(by_flag.error().message, HasSubstr("memoryHigh 200M is above memory 100M"));
  EXPECT_THAT(by_flag.error().remedy, HasSubstr("--memory-high"));
  options_.limits = {};
  chunk_.overrides.resources[Limit::memory_high] = 200 * kMiB;
  EXPECT_FALSE(build());
  policy_.defaults[Limit::memory] = std::nullopt;
  EXPECT_TRUE(build()) << "without a hard one there is nothing to be above of";
}

TEST_F(BuildRequest, LowersAPolicysSoftMemoryLimitToTheHardOneThatASpecAsksFor) {
  policy_.defaults[Limit::memory] = 100 * kMiB;
  policy_.defaults[Limit::memory_high] = 80 * kMiB;
  EXPECT_EQ(build()->limits[Limit::memory_high], 80 * kMiB);
  spec_.overrides.resources[Limit::memory] = 50 * kMiB;
  EXPECT_EQ(build()->limits[Limit::memory_high], 50 * kMiB);
}

TEST_F(BuildRequest, SplitsTheCommandWithoutAShell) {
  auto r = build();
  ASSERT_TRUE(r);
  EXPECT_THAT(r->argv, ElementsAre("tool", "--in", "a b", "$HOME"));
}

TEST_F(BuildRequest, GivesAShellTheCommandInOnePiece) {
  chunk_.overrides.shell = true;
  EXPECT_THAT(build()->argv, ElementsAre("/bin/sh", "-c", chunk_.command));
  options_.shell = false;  // --shell=false wins over the spec
  EXPECT_EQ(build()->argv.front(), "tool");
}

TEST_F(BuildRequest, LetsTheChunkDecideAboutTheShell) {
  spec_.overrides.shell = true;
  chunk_.overrides.shell = false;
  EXPECT_EQ(build()->argv.front(), "tool");
}

TEST_F(BuildRequest, WantsAPlainShellCommandAsOneWord) {
  options_.shell = true;
  EXPECT_THAT(*command_of({nullptr, nullptr, {"echo $X | cat"}, ""}, options_),
              ElementsAre("/bin/sh", "-c", "echo $X | cat"));
  EXPECT_FALSE(command_of({nullptr, nullptr, {"echo", "a"}, ""}, options_));
  EXPECT_FALSE(command_of({nullptr, nullptr, {}, ""}, {}));
}

TEST_F(BuildRequest, RefusesACommandThatNamesNoProgram) {
  chunk_.command = "\\";
  EXPECT_FALSE(build());
}

TEST_F(BuildRequest, PassesTheCallersWholeEnvironmentAndAddsToIt) {
  spec_.overrides.env = {{"A", "job"}, {"B", "job"}, {"C", "job"}};
  chunk_.overrides.env = {{"B", "chunk"}};
  options_.pass_env = {"PATH", "MISSING"};
  options_.env = {{"C", "flag"}};
  auto r = build();
  ASSERT_TRUE(r);
  EXPECT_EQ(r->caller_env, around_.env);
  EXPECT_THAT(r->extra_env,
              ElementsAre(EnvVar{"A", "job"}, EnvVar{"B", "chunk"}, EnvVar{"C", "flag"}, EnvVar{"PATH", "/bin"}));
}

TEST_F(BuildRequest, RefusesLoaderVariablesFromASpecOnly) {
  std::vector<std::string> names{"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT"};
  names.insert(names.end(), kLoaderVariables.begin(), kLoaderVariables.end());
  for (const std::string& name : names) {
    chunk_.overrides.env = {{name, "x"}};
    auto r = build();
    ASSERT_FALSE(r) << name;
    EXPECT_THAT(r.error().message, HasSubstr(name));
  }
  chunk_.overrides.env.clear();
  options_.env = {{"LD_LIBRARY_PATH", "/opt/lib"}};
  EXPECT_TRUE(build());
}

TEST_F(BuildRequest, CarriesMountsAndNetworkOfTheFlagsAfterThePolicys) {
  policy_.profile.mounts = {{MountKind::ro_bind, "/a", "/a", 0, true}};
  options_.mounts = {{MountKind::bind, "/b", "/c", 0, false}};
  options_.network = Network::host;
  options_.rootfs = "/srv/root";
  auto r = build();
  ASSERT_TRUE(r);
  EXPECT_THAT(r->profile.mounts, ElementsAre(policy_.profile.mounts[0], options_.mounts[0]));
  EXPECT_EQ(r->profile.network, Network::host);
  EXPECT_EQ(r->profile.rootfs, "/srv/root");
}

TEST_F(BuildRequest, NamesPlainCommandsByTheirContent) {
  const Job a{nullptr, nullptr, {"echo", "a"}, ""}, ab{nullptr, nullptr, {"echo a"}, ""};
  const Places places{"/w", "/w", ""};
  const auto one = build_request(a, policy_, {}, around_, places),
             same = build_request(a, policy_, {}, around_, places);
  EXPECT_EQ(one->job_id, same->job_id);
  EXPECT_NE(one->job_id, build_request(ab, policy_, {}, around_, places)->job_id);
}

TEST(Secrets, AreRecognisedByName) {
  for (const char* name : {"API_TOKEN", "aws_secret_access_key", "DB_PASSWORD", "SSH_KEY", "GITHUB_AUTH"}) {
    EXPECT_TRUE(looks_secret(name)) << name;
  }
  for (const char* name : {"PATH", "HOME", "LANG", "DISPLAY"}) EXPECT_FALSE(looks_secret(name)) << name;
}

TEST(Secrets, StandInNoPlan) {
  Plan plan;
  plan.request.caller_env = {{"API_TOKEN", "hunter2-hunter2"}, {"LANG", "C"}};
  plan.request.extra_env = {{"DB_PASSWORD", "abc"}};
  plan.items = {{"environment", "DB_PASSWORD", "abc"}, {"env", "LANG", "C"}, {"argv", "1", "--token=hunter2-hunter2"}};
  plan.request.argv = {"curl", "--token=hunter2-hunter2"};
  hide_secrets(plan);
  EXPECT_EQ(plan.request.argv[1], "--token=<hidden>");
  EXPECT_EQ(plan.items[0].value, "<hidden>");
  EXPECT_EQ(plan.items[1].value, "C");
  EXPECT_EQ(plan.items[2].value, "--token=<hidden>");
  EXPECT_EQ(plan.request.caller_env[0].value, "<hidden>");
  EXPECT_EQ(plan.request.extra_env[0].value, "<hidden>");
}

TEST(Secrets, StandInNoWordsOfOurs) {
  ExecutionRequest request;
  request.extra_env = {{"API_TOKEN", "hunter2-hunter2"}, {"API_KEY", "hunter2"}, {"PRIVATE", "line one\nline two"}};
  Execution execution;
  execution.termination = {Reason::memory_limit, 137, 9, 0, "sh -c hunter2", {}};
  execution.last_processes.resize(4);
  execution.last_processes[0].command = "curl -H hunter2-hunter2 x";
  execution.last_processes[1].command = "curl -H hunter2-hun";  // cut off
  execution.last_processes[2].command = "echo line one?line two";
  execution.last_processes[3].command = "curl -H hunter2-hunter2";  // its end is a beginning of it
  execution.notes = {"API_KEY=hunter2"};
  hide_secrets(execution, request);
  EXPECT_EQ(execution.termination.detail, "sh -c <hidden>");
  EXPECT_EQ(execution.last_processes[0].command, "curl -H <hidden> x");
  EXPECT_EQ(execution.last_processes[1].command, "curl -H <hidden>");
  EXPECT_EQ(execution.last_processes[2].command, "echo <hidden>");
  EXPECT_EQ(execution.last_processes[3].command, "curl -H <hidden>");
  EXPECT_EQ(execution.notes[0], "API_KEY=<hidden>");
}

}  // namespace
}  // namespace helios
