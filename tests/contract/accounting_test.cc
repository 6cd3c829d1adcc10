// The figures are there and sane, and each says where it was read.
#include <unistd.h>

#include <fstream>

#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {
constexpr double kMiB = 1 << 20;

/// tests/contract/cost_test.cc looks closer. An emulated machine's own host adds to what it thinks it has used.
double cpu_tolerance(double ms) { return ms * 0.2 + (emulated() ? 400 : 30); }

TEST_P(Contract, CpuTimeIsMeasured) {
  const Finished f = run_probe({}, {"burn", "500"});
  expect_ended(f, "exited", 0);
  ASSERT_TRUE(f.figure("cpuMs")) << f.describe();
  EXPECT_NEAR(*f.figure("cpuMs"), 500, cpu_tolerance(500));
  EXPECT_GE(f.result.value("durationMs", 0), 450);
}

TEST_P(Contract, PeakMemoryIsMeasured) {
  const Finished f = run_probe({}, {"alloc", "50"});
  expect_ended(f, "exited", 0);
  ASSERT_TRUE(f.figure("peakMemoryBytes")) << f.describe();
  EXPECT_GE(*f.figure("peakMemoryBytes"), 50 * kMiB);
  EXPECT_LE(*f.figure("peakMemoryBytes"), 66 * kMiB);
}

TEST_P(Contract, PeakProcessesAreMeasured) {
  const Finished f = run_probe({"--pids", "16"}, {"fork-until-refused", "0"});
  expect_ended(f, "exited", 0);
  if (const auto peak = f.figure("peakProcesses")) {  // absent where the kernel has no pids.peak
    EXPECT_NEAR(*peak, 16, 3) << f.describe();
  }
}

TEST_P(Contract, EveryFigureHasASource) {
  const Finished f = run_probe({}, {"burn", "20"});
  expect_ended(f, "exited", 0);
  ASSERT_TRUE(f.result["resources"].contains("sources")) << f.describe();
  for (const char* key : {"cpuMs", "peakMemoryBytes"})
    EXPECT_NE(f.result["resources"]["sources"].value(key, ""), "") << key << f.describe();
}

TEST_P(Contract, OurOwnCostIsToldApart) {
  const Finished f = run_probe({}, {"exit", "0"});
  expect_ended(f, "exited", 0);
  EXPECT_TRUE(f.figure("setupMs")) << f.describe();
  EXPECT_TRUE(f.figure("teardownMs")) << f.describe();
}

TEST_P(Contract, TheTimelineShowsTheRun) {
  const std::string path = "/tmp/helios-test-timeline-" + std::to_string(::getpid());
  const Finished f = run_probe({"--timeline", path, "--timeline-interval", "20ms"}, {"burn", "400"});
  expect_ended(f, "exited", 0);
  std::ifstream file(path);
  std::vector<nlohmann::json> samples;
  for (std::string line; std::getline(file, line);) samples.push_back(nlohmann::json::parse(line));
  ::unlink(path.c_str());
  ASSERT_GE(samples.size(), 4U) << f.describe();
  for (std::size_t i = 1; i < samples.size(); ++i) {
    EXPECT_GT(samples[i].at("ms"), samples[i - 1].at("ms"));
    EXPECT_GE(samples[i].at("cpuMs"), samples[i - 1].at("cpuMs"));
  }
  EXPECT_LT(samples.front().at("cpuMs"), 200);
  EXPECT_NEAR(samples.back().at("cpuMs").get<double>(), 400, cpu_tolerance(400));
  EXPECT_EQ(samples[samples.size() / 2].value("processes", -1), 1);
}

TEST_P(Contract, TheResultNamesItsSandboxAndHost) {
  const Finished f = run_probe({}, {"exit", "0"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.result["sandbox"].value("runner", ""), runner());
  EXPECT_EQ(f.result["sandbox"].value("policy", ""), "default");
  EXPECT_EQ(f.result["sandbox"].value("policySha256", "").size(), 64U);
  EXPECT_NE(f.result["host"].value("kernel", ""), "");
  if (isolated()) {
    for (const char* layer : {"user", "mount", "pid", "net", "ipc", "uts", "cgroup", "seccomp"})
      EXPECT_NE(f.result["sandbox"]["isolation"].dump().find(std::string("\"") + layer + "\""), std::string::npos)
          << layer << f.describe();
  }
}

}  // namespace
}  // namespace helios::test
