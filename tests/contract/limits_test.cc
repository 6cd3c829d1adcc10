// Every limit holds, and the verdict names it.
#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {
using std::chrono::milliseconds;
constexpr double kMiB = 1 << 20;

TEST_P(Contract, AnAllocationOf10GiBEndsAsMemoryLimit) {
  const Finished f = run_probe({"--memory", "64M", "--timeout", "15s"}, {"alloc", "10240"});
  expect_ended(f, "memory-limit", 137);
  EXPECT_GE(f.figure("oomKills").value_or(0), 1) << f.describe();
  ASSERT_TRUE(f.figure("peakMemoryBytes")) << f.describe();
  EXPECT_NEAR(*f.figure("peakMemoryBytes"), 64 * kMiB, 8 * kMiB);
  EXPECT_EQ(f.result["termination"].value("retry", ""), "raise-limit");
}

TEST_P(Contract, AnOutOfMemoryGrandchildIsToldAlthoughMainExits0) {
  const Finished f = run_probe({"--memory", "64M", "--timeout", "15s"}, {"alloc-grandchild", "10240"});
  expect_ended(f, "memory-limit", 137);
  EXPECT_GE(f.figure("oomKills").value_or(0), 1) << f.describe();
}

TEST_P(Contract, MemoryBelowTheLimitIsFine) {
  expect_ended(run_probe({"--memory", "256M"}, {"alloc", "64"}), "exited", 0);
}

// A quarter of the 64 MiB that the kernel lets a user have in pipes: tests that run meanwhile take of it, too.
TEST_P(Contract, MemoryOfEveryKindCounts) {
  for (const char* kind : {"memfd", "shared", "processes", "pipes"}) {
    const Finished f = run_probe({"--memory", "16M", "--timeout", "15s", "--pids", "64"}, {"hold", kind, "256"});
    expect_ended(f, "memory-limit", 137);
    EXPECT_LE(f.figure("peakMemoryBytes").value_or(1e12), 20 * kMiB) << kind << f.describe();
  }
}

// What a host with cgroup v2 does with a soft limit, and what one without says. The run goes just above it: the further
// above with nothing to reclaim, the longer each of its allocations waits, up to 2 s.
TEST_P(Contract, ASoftMemoryLimitSlowsTheRunOrIsRefused) {
  const Finished f = run_probe({"--memory", "128M", "--memory-high", "32M", "--timeout", "60s"}, {"alloc", "33"});
  if (f.exit_code == 125) {
    EXPECT_TRUE(host_has_cgroup_v1()) << f.describe();
    EXPECT_EQ(f.out, "");
    EXPECT_NE(f.err.find("limit memoryHigh"), std::string::npos) << f.err;
    EXPECT_NE(f.err.find("cgroup v1"), std::string::npos) << f.err;
    EXPECT_NE(f.err.find("--allow-degraded=memoryHigh"), std::string::npos) << f.err;
    const Finished without =
        run_probe({"--memory-high", "32M", "--allow-degraded", "memoryHigh", "--timeout", "15s"}, {"alloc", "33"});
    expect_ended(without, "exited", 0);
    EXPECT_FALSE(without.receipt("memoryHigh")->contains("effective")) << "nothing holds it";
    EXPECT_EQ(without.receipt("memoryHigh")->value("by", ""), "degraded");
    return;
  }
  expect_ended(f, "exited", 0);
  ASSERT_TRUE(f.receipt("memoryHigh")) << f.describe();
  EXPECT_EQ(f.receipt("memoryHigh")->value("effective", 0.0), 32 * kMiB);
  EXPECT_EQ(f.receipt("memoryHigh")->value("by", ""), "cgroup-v2:memory.high");
  EXPECT_GT(f.figure("memoryHighHits").value_or(0), 0) << f.describe();
  EXPECT_EQ(f.result["resources"]["sources"].value("memoryHighHits", ""), "cgroup-v2:memory.events");
  EXPECT_EQ(f.figure("oomKills").value_or(-1), 0) << f.describe();
  bool told = false;
  for (const auto& e : f.result["termination"].value("evidence", nlohmann::json::array()))
    told = told || (e["source"] == "cgroup-v2:memory.events" && e["field"] == "high");
  EXPECT_TRUE(told) << f.describe();
  EXPECT_NE(f.result.value("bottleneck", "").find("slowed at memoryHigh"), std::string::npos) << f.describe();
  // The control: the same without it is not slowed.
  const Finished free = run_probe({"--memory", "128M", "--timeout", "60s"}, {"alloc", "33"});
  expect_ended(free, "exited", 0);
  EXPECT_EQ(free.figure("memoryHighHits").value_or(-1), 0) << free.describe();
}

TEST_P(Contract, RefusedForksAreCountedAndAreTheReasonOfAFailure) {
  const Finished f = run_probe({"--pids", "32", "--timeout", "15s"}, {"fork-until-refused", "1"});
  expect_ended(f, "process-limit", 137);
  EXPECT_GT(f.figure("processLimitHits").value_or(0), 0) << f.describe();
  EXPECT_EQ(f.text("stdout"), "made 31: Resource temporarily unavailable\n") << "the command gets exactly its 32";
}

TEST_P(Contract, RefusedForksAreNoReasonIfTheCommandSucceeds) {
  const Finished f = run_probe({"--pids", "32", "--timeout", "15s"}, {"fork-until-refused", "0"});
  expect_ended(f, "exited", 0);
  EXPECT_GT(f.figure("processLimitHits").value_or(0), 0) << f.describe();
}

TEST_P(Contract, AForkBombEndsInTime) {
  const Finished f = run_probe({"--pids", "32", "--timeout", "1s", "--grace", "200ms"}, {"fork-bomb"});
  // Forks were refused and the command hung: the limit on processes is what the reader has to know. The wall time is
  // what ended it; both are the truth.
  EXPECT_TRUE(f.reason() == "process-limit" || f.reason() == "wall-time-limit") << f.describe();
  EXPECT_EQ(f.exit_code, 137) << f.describe();
  EXPECT_GT(f.figure("processLimitHits").value_or(0), 0) << f.describe();
  EXPECT_LT(f.elapsed, patiently(milliseconds(6000)));
}

// Reading them is bounded to 20 ms, so that it delays no end: a busy machine does not get through each time, an
// emulated one never may.
TEST_P(Contract, LastWordsNameTheProcessesThatALimitEnded) {
  std::size_t sleeps = 0;
  Finished f;
  for (int attempt = 0; attempt < 5 && sleeps < 2; ++attempt) {
    f = run_command({"--timeout", "1s"}, {"sh", "-c", "sleep 60 & sleep 60"});
    expect_ended(f, "wall-time-limit", 137);
    sleeps = 0;
    for (const auto& p : f.result.value("/lastWords/processes"_json_pointer, nlohmann::json::array())) {
      if (p.at("command") != "sleep 60") continue;
      ++sleeps;
      EXPECT_GT(p.at("pid"), 1) << f.describe();
      EXPECT_GT(p.at("parent"), 0) << f.describe();
      EXPECT_GT(p.at("memoryBytes"), 0) << f.describe();
      EXPECT_EQ(p.at("state"), "S") << f.describe();
      if (scene().who().is_root()) {  // others may not read it of a process in a sandbox
        EXPECT_NE(p.value("waitChannel", ""), "") << f.describe();
      }
    }
    if (emulated()) break;
  }
  EXPECT_TRUE(sleeps == 2 || (emulated() && sleeps < 2)) << sleeps << " of 2\n" << f.describe();
}

TEST_P(Contract, SecretsAreInNoLastWords) {
  const std::vector<std::string> command{"/bin/sh", "-c", "sleep 30; true", "--token=hunter2-hunter2"};
  // Whether they were read in time differs from run to run, as above.
  const auto words_of = [&](std::vector<std::string> flags, const char* wanted) {
    flags.insert(flags.end(), {"--timeout", "500ms", "--grace", "0ms"});
    std::string out;
    for (int attempt = 0; attempt < 5 && out.find(wanted) == std::string::npos; ++attempt) {
      const Finished f = run_command(flags, command);
      expect_ended(f, "wall-time-limit", 137);
      out = f.out;
      if (emulated()) break;
    }
    return out;
  };
  const std::string shown = words_of({}, "--token="),
                    hidden = words_of({"--env", "API_TOKEN=hunter2-hunter2"}, "--token=");
  EXPECT_EQ(hidden.find("hunter2"), std::string::npos) << hidden;
  if (emulated()) return;
  EXPECT_NE(shown.find("--token=hunter2-hunter2"), std::string::npos) << "the control: " << shown;
  EXPECT_NE(hidden.find("--token=<hidden>"), std::string::npos) << hidden;
}

TEST_P(Contract, OnlyALimitLeavesLastWords) {
  EXPECT_FALSE(run_command({}, {"sh", "-c", "exit 3"}).result.contains("lastWords"));
}

TEST_P(Contract, CpuTimeEndsABurner) {
  const Finished f = run_probe({"--cpu-time", "300ms", "--timeout", "15s"}, {"burn-for-ever"});
  expect_ended(f, "cpu-time-limit", 137);
  ASSERT_TRUE(f.figure("cpuMs")) << f.describe();
  EXPECT_GE(*f.figure("cpuMs"), 280);
  EXPECT_LT(*f.figure("cpuMs"), 900);
}

TEST_P(Contract, CpuTimeCountsKilledGrandchildren) {
  const Finished f = run_probe({"--cpu-time", "300ms", "--timeout", "15s"}, {"burn-by-killed-children"});
  expect_ended(f, "cpu-time-limit", 137);
  EXPECT_LT(f.figure("cpuMs").value_or(1e9), 900) << f.describe();
}

TEST_P(Contract, HalfAProcessorIsHeld) {
  const Finished f = run_probe({"--cpus", "0.5", "--timeout", "20s"}, {"burn", "600"});
  expect_ended(f, "exited", 0);
  ASSERT_TRUE(f.figure("cpuMs")) << f.describe();
  EXPECT_GE(f.result.value("durationMs", 0), 1000) << f.describe();
  EXPECT_LT(*f.figure("cpuMs") / f.result.value("durationMs", 1), 0.62) << f.describe();
  // On a host too busy to give even half a processor nothing is throttled.
  ASSERT_TRUE(f.figure("throttledMs")) << f.describe();
  if (*f.figure("cpuMs") / f.result.value("durationMs", 1) > 0.45) {
    EXPECT_GT(*f.figure("throttledMs"), 0) << f.describe();
  }
}

TEST_P(Contract, OpenFilesAndFileSizeHold) {
  const Finished f = run_probe({"--open-files", "128", "--file-size", "1M"}, {"state"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(state_value(f.text("stdout"), "nofile"), "128 128");
  EXPECT_EQ(state_value(f.text("stdout"), "fsize"), "1048576 1048576");
  const Finished grown = run_probe({"--file-size", "1M"}, {"grow-file", "2000000"});
  EXPECT_NE(grown.exit_code, 0) << grown.describe();
  EXPECT_EQ(std::filesystem::file_size(scene().in_workspace("grown")), 1U << 20);
}

TEST_P(Contract, EachLimitHasItsReceipt) {
  const Finished f =
      run_probe({"--memory", "256M", "--cpus", "1.5", "--cpu-time", "30s", "--timeout", "29s", "--pids", "64",
                 "--output-limit", "1M", "--open-files", "256", "--file-size", "64M", "--idle-timeout", "20s"},
                {"exit", "0"});
  expect_ended(f, "exited", 0);
  const std::pair<const char*, double> wanted[] = {
      {"memory", 256 * kMiB}, {"cpus", 1500},     {"cpuTime", 30000},      {"wallTime", 29000}, {"processes", 64},
      {"outputBytes", kMiB},  {"openFiles", 256}, {"fileSize", 64 * kMiB}, {"idleTime", 20000}};
  for (const auto& [limit, value] : wanted) {
    const auto receipt = f.receipt(limit);
    ASSERT_TRUE(receipt) << limit << ": " << f.describe();
    EXPECT_EQ(receipt->value("requested", -1.0), value) << limit;
    EXPECT_NE(receipt->value("by", ""), "") << limit;
    if (std::string_view(limit) == "processes") {
      EXPECT_GE(receipt->value("effective", -1.0), value) << "our helpers are on top";
    } else {
      EXPECT_EQ(receipt->value("effective", -1.0), value) << limit;
    }
  }
}

TEST_P(Contract, APolicysDefaultsCountAsAskedFor) {
  const Finished f = run_probe({}, {"exit", "0"});
  expect_ended(f, "exited", 0);
  for (const char* limit : {"memory", "processes", "wallTime"}) EXPECT_TRUE(f.receipt(limit)) << limit;
}

TEST_P(Contract, NonsenseLimitsAreRefused) {
  const std::vector<std::vector<std::string>> nonsense = {
      {"--memory", "4K"}, {"--memory", "-5"},   {"--memory", "12X"}, {"--memory", "99999999999999999999"},
      {"--timeout", "0"}, {"--timeout", "-1s"}, {"--pids", "0"},     {"--cpus", "nan"},
      {"--cpus", "0"},    {"--no-such-option"}};
  for (const auto& flags : nonsense) {
    const Finished f = run_probe(flags, {"place", "file", "started"});
    EXPECT_EQ(f.exit_code, 125) << flags[0] << " " << flags.back() << "\n" << f.describe();
    EXPECT_EQ(f.out, "") << flags[0];
    EXPECT_NE(f.err, "") << flags[0];
    EXPECT_FALSE(std::filesystem::exists(scene().in_workspace("started")));
  }
}

}  // namespace
}  // namespace helios::test
