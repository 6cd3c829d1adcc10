// Weaknesses of Helios' own worker that no other suite looks at; docs/render.md names the test of each.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "tests/support/scene.h"

namespace helios::test {
namespace {
using std::chrono::seconds;

/// "VmHWM:  1234 kB" of a process, in bytes; 0 once it is gone.
std::uint64_t peak_memory_of(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::stoull(line.substr(6)) * 1024;
  return 0;
}

TEST(WorkersWeakness, AFloodOfOutputCostsNoMemory) {
  constexpr std::uint64_t kFlood = 600ULL << 20;
  Scene scene(able_identities().at(0));
  Invocation what = scene.command("isolated", {"--output-limit", "1G", "--timeout", "100s"},
                                  {"head", "-c", std::to_string(kFlood), "/dev/zero"});
  what.deadline = seconds(110);
  Running run(what);
  std::uint64_t peak = 0;
  while (!run.has_ended()) {
    peak = std::max(peak, peak_memory_of(run.pid()));
    usleep(20'000);
  }
  const Finished f = run.wait();
  ASSERT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(f.result["capture"].value("stdoutBytes", 0ULL), kFlood);
  EXPECT_GT(peak, 0U);
  EXPECT_LT(peak, 128ULL << 20) << "the result keeps 8 MiB; written as JSON each of these bytes takes six";
}

TEST(WorkersWeakness, AFileThatIsNoSpecIsNotQuoted) {
  Scene scene(able_identities().at(0));
  scene.write(scene.outside() / "passwords", "root:x:0:0:root-of-all:/root:/bin/bash\nsecond:line\n");
  for (const std::string& file : {std::string(scene.outside() / "passwords"), std::string("/etc/passwd")}) {
    const Finished f = run_to_end(scene.helios_run({"--spec", file, "--chunk", "0"}));
    EXPECT_EQ(f.exit_code, 125) << f.describe();
    EXPECT_EQ(f.out, "");
    EXPECT_EQ(f.err.find("x:0:0"), std::string::npos) << f.err;
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << f.err;
  }
}

}  // namespace
}  // namespace helios::test
