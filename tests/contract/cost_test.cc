// What a run is said to have cost is the truth: a program of known cost is run (tests/probes/cost_probe.c), and its
// figures are held against what it spent. Halving or doubling any of them fails a test here.
//
// Nothing waits for a moment: the probe says by a file that it has spent everything, and is then ended.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {

constexpr double kMiB = 1 << 20;
constexpr long kTmpfsMagic = 0x01021994;

/// Each processor keeps up to 64 pages that are charged before they are used, and as many that are not yet counted in
/// memory.stat (MEMCG_CHARGE_BATCH). The kernel's own records of a page (page table entry, tree node, buffer head) are
/// charged, too: 113 bytes of 4096 at most. The probe, its stack and process 1 are less than 1.5 MiB.
double memory_tolerance(double bytes) {
  return 1.5 * kMiB + bytes / 32 + 64 * 4096 * static_cast<double>(sysconf(_SC_NPROCESSORS_CONF));
}

/// The probe burns by the same clock that the kernel charges, but starting and ending processes costs, too. On an
/// emulated machine nobody knows how much: there the bound is what the processors had to give.
void expect_cpu(const Finished& f, const char* key, double ms) {
  ASSERT_TRUE(f.figure(key)) << f.describe();
  EXPECT_GE(*f.figure(key), ms * 0.98) << f.describe();
  const double all_time = f.result.value("durationMs", 0.0) + f.figure("teardownMs").value_or(0);
  const double most = emulated() ? all_time * static_cast<double>(sysconf(_SC_NPROCESSORS_CONF)) : ms * 1.1 + 80;
  EXPECT_LE(*f.figure(key), most) << f.describe();
}

void expect_memory(const Finished& f, const char* key, double bytes, double more = 0) {
  ASSERT_TRUE(f.figure(key)) << key << f.describe();
  EXPECT_NEAR(*f.figure(key), bytes, memory_tolerance(bytes) + more) << key << f.describe();
}

class Cost : public Contract {
 protected:
  void SetUp() override {
    Contract::SetUp();
    scene().bring_probe("cost_probe");
  }

  [[nodiscard]] Invocation cost_probe(std::vector<std::string> flags, std::vector<std::string> action) {
    action.insert(action.begin(), "./cost_probe");
    return scene().command(runner(), std::move(flags), action);
  }
  [[nodiscard]] Finished run(std::vector<std::string> flags, std::vector<std::string> action) {
    return run_to_end(cost_probe(std::move(flags), std::move(action)));
  }

  /// Runs until the probe has spent everything, then ends it by `end`.
  template <class End>
  [[nodiscard]] Finished run_until_spent(std::vector<std::string> action, End end) {
    action.emplace_back("ready");
    Running running(cost_probe({}, std::move(action)));
    EXPECT_TRUE(scene().appears("ready"));
    end(running);
    return running.wait();
  }
  [[nodiscard]] Finished cancelled_when_spent(std::vector<std::string> action) {
    return run_until_spent(std::move(action), [](Running& running) { running.signal(SIGTERM); });
  }

  /// A file of the workspace that is on the disk and not in the cache.
  void bring_file_to_read(int mib) {
    const std::string path = scene().in_workspace("to-read");
    scene().write(path, std::string(static_cast<std::size_t>(mib) << 20, 'r'));
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(fsync(fd), 0);
    EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
  }

  [[nodiscard]] bool workspace_is_tmpfs() {
    struct statfs fs {};
    return statfs(scene().workspace().c_str(), &fs) == 0 && fs.f_type == kTmpfsMagic;
  }
};

/// What is started while it lives runs on one processor: throttled time is summed over them.
class OneProcessor {
 public:
  OneProcessor() {
    EXPECT_EQ(sched_getaffinity(0, sizeof before_, &before_), 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0 && cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &before_)) CPU_SET(cpu, &one);
    EXPECT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  }
  ~OneProcessor() { sched_setaffinity(0, sizeof before_, &before_); }
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;

 private:
  cpu_set_t before_{};
};

std::string hierarchy_of(const Finished& f) { return f.result["host"].value("cgroup", ""); }

/// SIGKILL from outside, for the probe or for what was started before it: process 1, whose name depends on the kernel.
enum class Victim { probe, process_1 };
void kill_from_outside(const Running& run, Victim victim) {
  std::vector<pid_t> found;
  std::string seen;
  for (const ProcessSeen& p : descendants(run.pid())) {
    if ((p.name == "cost_probe") == (victim == Victim::probe)) found.push_back(p.pid);
    seen += p.name + " ";
  }
  ASSERT_FALSE(found.empty()) << "among " << seen;
  kill(*std::min_element(found.begin(), found.end()), SIGKILL);
}

// ---- processor ----

TEST_P(Cost, CpuOfProcessesThatNobodyWaitsForIsCounted) {
  const Finished f = run({}, {"lost", "120"});
  expect_ended(f, "exited", 0);
  expect_cpu(f, "cpuMs", 4 * 120);
}

TEST_P(Cost, UserAndSystemTimeAreToldApart) {
  // The kernel splits by what a clock tick happens to meet, 100 to 1000 of them a second.
  const Finished user = run({}, {"user", "400"});
  expect_ended(user, "exited", 0);
  expect_cpu(user, "cpuMs", 400);
  EXPECT_GT(user.figure("userMs").value_or(0), 400 * 0.8) << user.describe();
  EXPECT_NEAR(user.figure("userMs").value_or(0) + user.figure("systemMs").value_or(0), *user.figure("cpuMs"), 0.2)
      << user.describe();
  const Finished system = run({}, {"system", "400"});
  expect_ended(system, "exited", 0);
  expect_cpu(system, "cpuMs", 400);
  EXPECT_GT(system.figure("systemMs").value_or(0), 400 * 0.8) << system.describe();
}

TEST_P(Cost, ThrottlingIsTheTimeThatTheQuotaTook) {
  // One thread with a twentieth of a processor runs 5 ms of each 100 ms and is throttled for the rest, less what it
  // waits for a processor: on a busy machine one of a few runs has to be undisturbed enough. Half of the truth never
  // is.
  const OneProcessor pinned;
  double share = 0;
  for (int attempt = 0; attempt < 6 && share < 0.7; ++attempt) {
    const Finished f = run({"--cpus", "0.05"}, {"user", "40"});
    expect_ended(f, "exited", 0);
    ASSERT_TRUE(f.figure("throttledMs")) << f.describe();
    const double not_running = f.result.value("durationMs", 0) - f.figure("cpuMs").value_or(0);
    EXPECT_GE(f.result.value("durationMs", 0), 40 / 0.05 - 200) << "the first and the last period are not whole";
    // Ending is under the quota, too, and on v2 the building of the sandbox: a wait that began then is told when it
    // ends.
    // An emulated machine overdraws a quota by so much at a time that such a wait is as long as the rest.
    const double building = emulated() ? f.figure("setupMs").value_or(0) : 0;
    EXPECT_LE(*f.figure("throttledMs"), building + not_running + f.figure("teardownMs").value_or(0) + 200)
        << f.describe();
    share = std::max(share, *f.figure("throttledMs") / not_running);
  }
  EXPECT_GE(share, 0.7);
}

// ---- memory ----

TEST_P(Cost, EachKindOfMemoryIsCountedAndToldApart) {
  constexpr int kHeld = 48;
  bring_file_to_read(kHeld);
  const std::array<const char*, 3> parts{"peakAnonymousBytes", "peakSharedBytes", "peakFileCacheBytes"};
  const char* const on_disk = workspace_is_tmpfs() ? "peakSharedBytes" : "peakFileCacheBytes";
  std::vector<std::pair<const char*, const char*>> kinds{
      {"anonymous", "peakAnonymousBytes"}, {"anonymous-shared", "peakSharedBytes"},
      {"posix", "peakSharedBytes"},        {"sysv", "peakSharedBytes"},
      {"memfd", "peakSharedBytes"},        {"written", on_disk}};
  if (isolated()) kinds.emplace_back("tmp", "peakSharedBytes");  // for shell it is the host's, on whatever that lies
  if (!workspace_is_tmpfs()) kinds.emplace_back("read", on_disk);
  for (const auto& [kind, part] : kinds) {
    SCOPED_TRACE(kind);
    const Finished f = cancelled_when_spent({"hold", kind, std::to_string(kHeld)});
    expect_ended(f, "cancelled", 143);
    // A file being written has more in the kernel than its pages: requests on their way, block maps.
    expect_memory(f, "peakMemoryBytes", kHeld * kMiB, std::string_view(kind) == "written" ? 0.1 * kHeld * kMiB : 0);
    for (const char* one : parts) expect_memory(f, one, std::string_view(one) == part ? kHeld * kMiB : 0);
    std::filesystem::remove(scene().in_workspace("ready"));
  }
}

TEST_P(Cost, ThePartsAreSeenInARunThatEndsByItself) {
  // Longer where touching the memory alone may take 400 ms: a sample comes every 150.
  const Finished f = run({}, {"spend", "48", emulated() ? "1500" : "400"});
  expect_ended(f, "exited", 0);
  expect_memory(f, "peakMemoryBytes", 48 * kMiB);
  expect_memory(f, "peakAnonymousBytes", 48 * kMiB);
  EXPECT_NE(f.result["resources"]["sources"].value("peakAnonymousBytes", "").find("memory.stat (sampled)"),
            std::string::npos)
      << f.describe();
}

TEST_P(Cost, OurOwnMemoryIsNotTheCommands) {
  expect_memory(cancelled_when_spent({"tasks", "0", "0"}), "peakMemoryBytes", 0);
}

// ---- processes ----

TEST_P(Cost, PeakProcessesCountsThreadsAndNotOurs) {
  const Finished f = cancelled_when_spent({"tasks", "9", "4"});
  expect_ended(f, "cancelled", 143);
  EXPECT_EQ(f.figure("peakProcesses"), 1 + 9 + 4) << f.describe();
}

// ---- files ----

TEST_P(Cost, ReadingAndWritingPastTheCacheIsCountedWhereItCanBe) {
  if (workspace_is_tmpfs()) GTEST_SKIP() << "needs a TMPDIR on a disk: a tmpfs has no direct input and output";
  bring_file_to_read(8);
  const Finished f = run({}, {"disk", "8", "20"});
  expect_ended(f, "exited", 0);
  const auto read = f.figure("ioReadBytes");
  const auto written = f.figure("ioWriteBytes");
  EXPECT_EQ(read.has_value(), written.has_value()) << f.describe();
  // v1 counts nothing that could be used; a user's groups have no io controller unless the administrator gave it.
  if (hierarchy_of(f) == "v1") {
    EXPECT_FALSE(read) << f.describe();
  }
  if (hierarchy_of(f) == "v2" && scene().who().is_root()) {
    ASSERT_TRUE(read) << f.describe();
  }
  if (!read || !written) return;
  // On top: the probe itself is read from the disk if it is not in the cache, and the file system writes its own
  // records.
  EXPECT_GE(*read, 8 * kMiB);
  EXPECT_LE(*read, 10 * kMiB);
  EXPECT_GE(*written, 20 * kMiB);
  EXPECT_LE(*written, 22 * kMiB);
}

// ---- runs that do not end by themselves ----

TEST_P(Cost, ARunThatIsCancelledIsAccountedInFull) {
  const Finished f = cancelled_when_spent({"spend", "32", "200"});
  expect_ended(f, "cancelled", 143);
  expect_cpu(f, "cpuMs", 200);
  expect_memory(f, "peakMemoryBytes", 32 * kMiB);
}

TEST_P(Cost, ARunThatOthersKillIsAccountedInFull) {
  const Finished f =
      run_until_spent({"spend", "32", "200"}, [](Running& running) { kill_from_outside(running, Victim::probe); });
  expect_ended(f, "signaled", 137);
  expect_cpu(f, "cpuMs", 200);
  expect_memory(f, "peakMemoryBytes", 32 * kMiB);
}

TEST_P(Cost, ARunWhoseProcess1OthersKillIsAccountedInFull) {
  if (!isolated()) return;  // there is none
  const Finished f =
      run_until_spent({"spend", "32", "200"}, [](Running& running) { kill_from_outside(running, Victim::process_1); });
  expect_ended(f, "signaled", 137);
  expect_cpu(f, "cpuMs", 200);
  expect_memory(f, "peakMemoryBytes", 32 * kMiB);
}

TEST_P(Cost, ARunThatItsTimeLimitEndsIsAccountedInFull) {
  // The limit is in CPU time, so that a busy machine reaches it no earlier; an emulated one takes longer to touch 32
  // MiB.
  const auto limit = patiently(std::chrono::milliseconds(300)).count();
  const Finished f = run({"--cpu-time", std::to_string(limit) + "ms"}, {"spend", "32", "60000"});
  expect_ended(f, "cpu-time-limit", 137);
  expect_cpu(f, "cpuMs", static_cast<double>(limit));
  // What building the sandbox takes is not the command's, for the limit no more than for the figure.
  EXPECT_LE(f.result["termination"]["evidence"][0].value("value", 1e9) / 1e3, *f.figure("cpuMs") + 1) << f.describe();
  expect_memory(f, "peakMemoryBytes", 32 * kMiB);
  expect_memory(f, "peakAnonymousBytes", 32 * kMiB);
}

TEST_P(Cost, ARunThatTheMemoryLimitEndsIsAccountedInFull) {
  const Finished f = run({"--memory", "48M"}, {"hold", "anonymous", "200"});
  expect_ended(f, "memory-limit", 137);
  expect_memory(f, "peakMemoryBytes", 48 * kMiB);
  EXPECT_GE(f.figure("oomKills").value_or(0), 1) << f.describe();
}

TEST_P(Cost, LastWordsAreTakenBeforeTheMemoryLimitEndsTheRun) {
  const Finished f = run({"--memory", "64M"}, {"climb", "56", "500"});
  expect_ended(f, "memory-limit", 137);
  if (emulated()) GTEST_SKIP() << "reading them is bounded to 20 ms: on an emulated machine it may not get through";
  ASSERT_TRUE(f.result.contains("lastWords")) << f.describe();
  const nlohmann::json& largest = f.result["lastWords"]["processes"][0];
  EXPECT_GE(largest.value("memoryBytes", 0.0), 48 * kMiB) << f.describe();
  EXPECT_EQ(largest.value("command", ""), "./cost_probe climb 56 500") << f.describe();
}

TEST_P(Cost, ARunThatOnlyComesNearItsMemoryLimitHasNoLastWords) {
  const Finished f = run({"--memory", "64M"}, {"spend", "60", "400"});
  expect_ended(f, "exited", 0);
  EXPECT_FALSE(f.result.contains("lastWords")) << f.describe();
  EXPECT_NE(f.result.value("bottleneck", "").find("below the memory limit"), std::string::npos) << f.describe();
}

TEST_P(Cost, AMemoryLimitFullOfPageCacheIsNoBottleneck) {
  if (workspace_is_tmpfs()) GTEST_SKIP() << "needs a TMPDIR on a disk: the pages of a tmpfs are not given back";
  const Finished f = run({"--memory", "64M"}, {"hold", "written", "200"});
  expect_ended(f, "exited", 0);
  EXPECT_GE(f.figure("peakMemoryBytes").value_or(0), 56 * kMiB) << f.describe();
  EXPECT_EQ(f.result.value("bottleneck", "").find("memory limit"), std::string::npos) << f.describe();
}

// ---- absent rather than 0 ----

TEST_P(Cost, TellsWhatThisHierarchyCanTellAndNothingElse) {
  const Finished f = run({}, {"user", "50"});
  expect_ended(f, "exited", 0);
  const nlohmann::json& resources = f.result["resources"];
  const bool v1 = hierarchy_of(f) == "v1";
  for (const char* key :
       {"cpuMs", "userMs", "systemMs", "peakMemoryBytes", "oomKills", "processLimitHits", "setupMs", "teardownMs"})
    EXPECT_TRUE(resources.contains(key)) << key << f.describe();
  // On v1 the processor's group is only made where there is a limit to hold; on a mixed host it depends on the kernel.
  if (hierarchy_of(f) != "mixed") {
    EXPECT_EQ(resources.contains("throttledMs"), !v1) << f.describe();
  }
  EXPECT_EQ(resources.contains("pressure"), !v1) << f.describe();
  for (const auto& [key, value] : resources.items())
    EXPECT_TRUE(!value.is_number() || resources["sources"].contains(key)) << key << f.describe();
  for (const auto& [key, source] : resources["sources"].items())
    EXPECT_FALSE(v1 && source.get<std::string>().starts_with("cgroup-v2")) << key << f.describe();
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Cost);
INSTANTIATE_TEST_SUITE_P(All, Cost, testing::ValuesIn(places()), place_name);

}  // namespace
}  // namespace helios::test
