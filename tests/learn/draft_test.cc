// Drafts and fitting limits, without running anything.
#include "core/policy/draft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/policy/fit.h"
#include "core/spec/worker_result_json.h"
#include "core/spec/worker_result_reader.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::policy {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kMiB = 1 << 20;

std::uint32_t answer(const isolated::SeccompProgram& program, const std::string& call, std::uint64_t first = 0) {
  seccomp_data data{};
  data.nr = isolated::syscall_number(call);
  data.arch = 0xc000003e;  // AUDIT_ARCH_X86_64
  data.args[0] = first;
  return isolated::evaluate(program, data) & SECCOMP_RET_ACTION_FULL;
}

Execution used(std::vector<Use> uses, double memory = 0) {
  Execution x;
  x.used = std::move(uses);
  if (memory > 0) x.usage.set(Figure::peak_memory_bytes, memory, "test");
  return x;
}

ExecutionRequest request_for(const std::string& program) {
  ExecutionRequest r;
  r.argv = {program};
  r.profile.mounts = {{MountKind::ro_bind, "/usr", "/usr", 0, false},
                      {MountKind::ro_bind, "/etc/fonts", "/etc/fonts", 0, true},
                      {MountKind::ro_bind, "/etc/localtime", "/etc/localtime", 0, true}};
  return r;
}

TEST(Fit, HasAMarginAndSteps) {
  EXPECT_EQ(fitting_limit(Limit::memory, 200.0 * kMiB), 256 * kMiB) << "250 in steps of 16";
  EXPECT_EQ(fitting_limit(Limit::memory, 1), 32 * kMiB);
  EXPECT_EQ(fitting_limit(Limit::processes, 126), 160U);
  EXPECT_EQ(fitting_limit(Limit::wall_time, 60'000), 180'000U);
  EXPECT_EQ(next_limit(Limit::memory, 256 * kMiB), 512 * kMiB);
  EXPECT_EQ(next_limit(Limit::processes, 10), 24U);
  for (const LimitInfo& known : kLimits) {
    EXPECT_GE(fitting_limit(known.limit, 0), known.min) << known.key;
    EXPECT_LE(fitting_limit(known.limit, 1), known.max) << known.key;
  }
  EXPECT_LE(fitting_limit(Limit::memory, 1e300), kMaxBytes);
}

#if defined(__x86_64__)
TEST(LearningProfile, RefusesNothingThatAShippedPolicyAllows) {
  const auto learning = isolated::compile_seccomp(learning_profile(), {});
  ASSERT_TRUE(learning);
  for (const char* name : {"default", "render", "compute", "strict"}) {
    const auto policy = load_policy(name, {HELIOS_SOURCE_DIR "/policies"});
    ASSERT_TRUE(policy) << policy.error().message;
    const auto profile = nlohmann::json::parse(policy->profile.seccomp_json);
    for (const auto& rule : profile["syscalls"]) {
      if (rule["action"] != "SCMP_ACT_ALLOW" || rule.contains("args")) continue;
      for (const auto& call : rule["names"]) {
        if (isolated::syscall_number(call) < 0) continue;
        EXPECT_NE(answer(*learning, call), SECCOMP_RET_ERRNO) << call << " in " << name;
      }
    }
  }
}

TEST(LearningProfile, LetsTheBaseThroughRecordsTheRestAndRefusesWhatIsDangerous) {
  const auto program = isolated::compile_seccomp(learning_profile(), {.strict_names = true});
  ASSERT_TRUE(program) << program.error().message;
  for (const char* call : {"read", "execve", "futex", "exit_group"})
    EXPECT_EQ(answer(*program, call), SECCOMP_RET_ALLOW) << call;
  for (const char* call : {"openat", "mkdir", "mbind", "clone"})
    EXPECT_EQ(answer(*program, call), SECCOMP_RET_LOG) << call;
  for (const char* call : {"mount", "ptrace", "bpf", "keyctl", "unshare", "clone3", "io_uring_setup"}) {
    EXPECT_EQ(answer(*program, call), SECCOMP_RET_ERRNO) << call;
  }
  EXPECT_EQ(answer(*program, "socket", 40), SECCOMP_RET_ERRNO) << "AF_VSOCK";
  EXPECT_EQ(answer(*program, "clone", 0x10000000), SECCOMP_RET_ERRNO) << "CLONE_NEWUSER";
  const auto asking = isolated::with_learning_notification(*program);
  EXPECT_EQ(answer(asking, "read"), SECCOMP_RET_ALLOW);
  for (const char* call : {"openat", "mount", "clone3"})
    EXPECT_EQ(answer(asking, call), SECCOMP_RET_USER_NOTIF) << call;
}

TEST(Draft, AllowsWhatWasSeenAndNoMore) {
  Draft draft = draft_of(request_for("/usr/bin/tool"), used({{"syscall", "mkdir", "", 1},
                                                             {"syscall", "socket", "", 1},
                                                             {"socket", "1", "AF_UNIX", 1},
                                                             {"personality", "0", "", 1},
                                                             {"syscall", "openat (x32)", "", 1}}));
  const auto json = nlohmann::json::parse(to_json(draft));
  const auto program = isolated::compile_seccomp(json["seccomp"].dump(), {.strict_names = true});
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(program->allowed_calls, allowed_calls(draft));
  EXPECT_EQ(answer(*program, "mkdir"), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(*program, "rmdir"), SECCOMP_RET_ERRNO);
  EXPECT_EQ(answer(*program, "socket", 1), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(*program, "socket", 2), SECCOMP_RET_ERRNO);
  EXPECT_EQ(answer(*program, "personality", 0), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(*program, "personality", 0x40000), SECCOMP_RET_ERRNO);
  EXPECT_EQ(answer(*program, "recvmsg"), SECCOMP_RET_ALLOW) << "came with the socket";
  EXPECT_EQ(answer(*program, "epoll_wait"), SECCOMP_RET_ERRNO);
}
#endif

TEST(Draft, KeepsTheMountsThatWereUsed) {
  const Draft draft = draft_of(request_for("tool"), used({{"link", "/etc/fonts/conf.d/10.conf", "", 1}}));
  const std::string json = to_json(draft);
  EXPECT_THAT(json, HasSubstr("/etc/fonts"));
  EXPECT_THAT(json, HasSubstr("\"/usr\""));
  EXPECT_THAT(json, Not(HasSubstr("/etc/localtime")));
}

class DraftFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/draftXXXXXX";
    dir_ = std::filesystem::canonical(::mkdtemp(pattern.data()));
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string write(const std::string& text) const {
    const std::string path = dir_ + "/draft.json";
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0644);
    return path;
  }
  std::string dir_;
};

TEST_F(DraftFile, ReadBackItMergesToTheUnionAndTheMaximum) {
  const Draft first =
      draft_of(request_for("a"), used({{"syscall", "mkdir", "", 1}, {"socket", "1", "", 1}}, 300.0 * kMiB));
  const Draft second =
      draft_of(request_for("b"), used({{"syscall", "rmdir", "", 1}, {"socket", "2", "", 1}}, 10.0 * kMiB));
  const auto read = read_draft(write(to_json(first)), {});
  ASSERT_TRUE(read) << read.error().message;
  const Draft both = merged(*read, second);
  EXPECT_EQ(both.runs, 2U);
  EXPECT_THAT(both.commands, testing::ElementsAre("a", "b"));
  EXPECT_THAT(both.calls, testing::IsSupersetOf({"mkdir", "rmdir"}));
  EXPECT_THAT(both.sockets, testing::ElementsAre(1U, 2U));
  const auto json = nlohmann::json::parse(to_json(both));
  EXPECT_EQ(json["limits"]["memory"], "384M") << "300 + 25 % in steps of 16, not shrunk by the smaller run";
}

TEST_F(DraftFile, ARuleThatSomebodyWroteIntoItStays) {
  auto json = nlohmann::json::parse(to_json(draft_of(request_for("a"), used({}))));
  json["seccomp"]["syscalls"].push_back(nlohmann::json::parse(
      R"({"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":21505,"op":"SCMP_CMP_EQ"}]})"));
  const auto read = read_draft(write(json.dump(1)), {});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(to_json(*read), HasSubstr("21505"));
}

TEST_F(DraftFile, IsAValidPolicy) {
  const auto policy = load_policy(write(to_json(draft_of(request_for("a"), used({}, 5.0 * kMiB)))), {});
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->defaults[Limit::memory], 32 * kMiB);
  EXPECT_EQ(policy->ceilings[Limit::memory], 32 * kMiB) << "a spec may not ask for more than was learned";
}

TEST(ResultReader, ReadsWhatTheWriterWrites) {
  WorkerResult result;
  result.exit_code = 137;
  result.err.text = "gone\n";
  result.duration_ms = 12;
  result.job_id = "j";
  result.chunk_id = 4;
  result.policy = "strict";
  result.execution.termination = {Reason::memory_limit, 137, 9, 0, "why", {{"memory.events", "oom_kill", 1}}};
  result.execution.usage.set(Figure::peak_memory_bytes, 4096, "cgroup");
  result.execution.limits = {{Limit::memory, 8192, 8192, "cgroup"}};
  result.execution.denied = {{"ptrace", 101, 3, "EPERM", "0x1", "x (pid 2)"}};
  const auto read = spec::read_worker_result(spec::to_json(result), "r.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->execution.termination, result.execution.termination);
  EXPECT_EQ(read->execution.limits, result.execution.limits);
  EXPECT_EQ(read->execution.denied, result.execution.denied);
  EXPECT_EQ(read->execution.usage.get(Figure::peak_memory_bytes), 4096);
  EXPECT_EQ(read->chunk_id, 4U);
  EXPECT_EQ(read->policy, "strict");
  EXPECT_EQ(read->err.text, "gone\n");
}

}  // namespace
}  // namespace helios::policy
