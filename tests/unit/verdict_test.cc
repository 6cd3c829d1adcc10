// The one reason a run ended, from what was counted. Whole runs: tests/contract.
#include "core/supervise/verdict.h"

#include <gtest/gtest.h>

namespace helios::supervise {
namespace {

constexpr std::uint64_t kLimit = 256 << 20;

ExecutionRequest limited() {
  ExecutionRequest request;
  request.limits[Limit::memory] = kLimit;
  return request;
}

Observation killed() {
  Observation seen;
  seen.ended = Ended{SIGKILL, 0};
  return seen;
}

cgroup::Counters counted(const char* version, std::uint64_t oom, std::uint64_t peak) {
  cgroup::Counters c;
  const bool v2 = std::string_view(version) == "v2";
  c.oom_kills = {1, v2 ? "cgroup-v2:memory.events" : "cgroup-v1:memory.oom_control"};
  c.memory_oom = {oom, v2 ? "cgroup-v2:memory.events" : "cgroup-v1:memory.oom_control (event)"};
  c.peak_memory_bytes = {peak, "a test"};
  return c;
}

Reason reason_of(const cgroup::Counters& c, const ExecutionRequest& r = limited()) {
  return judge(killed(), c, r).reason;
}

// A peak at the limit is no evidence: page cache brings it there and is given back.
TEST(Verdict, AKillIsTheLimitsOnlyIfTheLimitHadNothingLeft) {
  for (const char* version : {"v1", "v2"}) {
    EXPECT_EQ(reason_of(counted(version, 1, kLimit)), Reason::memory_limit) << version;
    EXPECT_EQ(reason_of(counted(version, 0, kLimit)), Reason::host_out_of_memory) << version;
    EXPECT_EQ(reason_of(counted(version, 1, kLimit), {}), Reason::host_out_of_memory) << version << ": no limit";
  }
}

// v1 tells a group of what happened in those above it.
TEST(Verdict, OnV1AGroupAboveThatRanOutIsNotTheRunsLimit) {
  EXPECT_EQ(reason_of(counted("v1", 1, kLimit / 2)), Reason::host_out_of_memory);
  EXPECT_EQ(reason_of(counted("v2", 1, kLimit / 2)), Reason::memory_limit) << "v2 counts each group's own";
}

TEST(Verdict, WithoutThatEvidenceThePeakDecides) {
  cgroup::Counters c = counted("v1", 0, kLimit);
  c.memory_oom = {};
  EXPECT_EQ(reason_of(c), Reason::memory_limit);
  c.peak_memory_bytes.value = kLimit / 2;
  EXPECT_EQ(reason_of(c), Reason::host_out_of_memory);
}

TEST(Verdict, TheEvidenceIsTold) {
  const Termination t = judge(killed(), counted("v2", 2, kLimit), limited());
  ASSERT_EQ(t.evidence.size(), 2U);
  EXPECT_EQ(t.evidence[0].field, "oom_kill");
  EXPECT_EQ(t.evidence[1].field, "oom");
  EXPECT_EQ(t.evidence[1].value, 2);
}

TEST(Verdict, AKillThatTheKernelDidNotCountIsASignal) { EXPECT_EQ(reason_of(cgroup::Counters{}), Reason::signaled); }

// Several at once: what we caused comes before what the kernel counted, and both before how the command ended.
TEST(Verdict, TheFirstCauseWins) {
  for (const Reason cause : {Reason::cancelled, Reason::output_limit, Reason::wall_time_limit, Reason::idle_limit,
                             Reason::cpu_time_limit, Reason::disk_limit}) {
    Observation seen = killed();
    seen.cause = cause;
    EXPECT_EQ(judge(seen, counted("v2", 1, kLimit), limited()).reason, cause);
  }
}

}  // namespace
}  // namespace helios::supervise
