// Hostile runs in a row, eight at a time: the host is as it was before. HELIOS_HOSTILE_RUNS says how many.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/scene.h"

namespace helios::test {
namespace {
using Words = std::vector<std::string>;

struct Hostile {
  const char* runner;
  Words flags;
  Words command;
  std::vector<std::string> reasons;  ///< any of these
};

const std::vector<Hostile>& hostile_runs() {
  static const std::vector<Hostile> table = {
      {"isolated",
       {"--pids", "32", "--timeout", "700ms"},
       {"./chunk_probe", "fork-bomb"},
       {"process-limit", "wall-time-limit"}},
      {"isolated", {"--memory", "64M"}, {"./chunk_probe", "alloc", "10240"}, {"memory-limit"}},
      {"isolated", {"--memory", "64M"}, {"./chunk_probe", "alloc-grandchild"}, {"memory-limit"}},
      {"isolated", {"--output-limit", "1M"}, {"./chunk_probe", "flood"}, {"output-limit"}},
      {"isolated", {}, {"./chunk_probe", "daemon", "ready"}, {"exited"}},
      {"isolated", {}, {"./chunk_probe", "holder"}, {"exited"}},
      {"isolated", {"--timeout", "500ms", "--grace", "100ms"}, {"./chunk_probe", "tree", "ready"}, {"wall-time-limit"}},
      {"isolated", {"--cpu-time", "200ms"}, {"./chunk_probe", "burn-by-killed-children"}, {"cpu-time-limit"}},
      {"isolated",
       {"--timeout", "500ms", "--grace", "100ms"},
       {"./escape_probe", "neighbour-settle", "nb0abcdef1", "ready", "chunk_probe"},
       {"wall-time-limit"}},
      {"isolated", {}, {"./escape_probe", "leave-setuid-file", "left"}, {"exited"}},
      {"isolated", {}, {"./escape_probe", "mounts", "inside"}, {"exited"}},
      {"isolated", {}, {"./escape_probe", "fake-proc", "inside"}, {"exited"}},
      {"isolated", {"--timeout", "400ms"}, {"sleep", "infinity"}, {"wall-time-limit"}},
      {"shell",
       {"--pids", "32", "--timeout", "700ms"},
       {"./chunk_probe", "fork-bomb"},
       {"process-limit", "wall-time-limit"}},
      {"shell", {"--memory", "64M"}, {"./chunk_probe", "alloc", "10240"}, {"memory-limit"}},
      {"shell", {}, {"./chunk_probe", "daemon", "ready"}, {"exited"}},
      {"shell", {}, {"./chunk_probe", "holder"}, {"exited"}},
      {"shell", {"--timeout", "500ms", "--grace", "100ms"}, {"./chunk_probe", "tree", "ready"}, {"wall-time-limit"}},
  };
  return table;
}

int wanted_runs() {
  const char* value = std::getenv("HELIOS_HOSTILE_RUNS");
  return value != nullptr ? std::atoi(value) : 24;
}

struct Started {
  const Hostile* what;
  std::unique_ptr<Scene> scene;
  std::unique_ptr<Running> running;
};

void check_end(Started* one) {
  const Finished f = one->running->wait();
  ASSERT_TRUE(f.has_result()) << one->what->command[1] << f.describe();
  bool expected = false;
  for (const std::string& reason : one->what->reasons) expected |= f.reason() == reason;
  EXPECT_TRUE(expected) << one->what->runner << " " << one->what->command[1] << f.describe();
  EXPECT_FALSE(f.timed_out);
}

TEST(HostileRuns, LeaveTheHostAsItWas) {
  constexpr int at_a_time = 8;
  if (able_identities().empty()) GTEST_SKIP() << "no identity that may run anything";
  const Identity who = able_identities().front();
  become_subreaper();
  const HostSnapshot before = take_host_snapshot();
  for (int done = 0; done < wanted_runs(); done += at_a_time) {
    std::vector<Started> batch;
    for (int i = 0; i < at_a_time; ++i) {
      const Hostile& what = hostile_runs()[static_cast<std::size_t>(done + i) % hostile_runs().size()];
      batch.push_back({&what, std::make_unique<Scene>(who), nullptr});
      for (const char* probe : {"chunk_probe", "escape_probe"}) batch.back().scene->bring_probe(probe);
    }
    for (Started& one : batch) {
      Invocation what = one.scene->command(one.what->runner, one.what->flags, one.what->command);
      what.deadline = std::chrono::milliseconds(60'000);
      one.running = std::make_unique<Running>(what);
    }
    for (Started& one : batch) check_end(&one);
    for (Started& one : batch) EXPECT_EQ(one.scene->left_behind(), std::vector<std::string>{}) << one.what->command[1];
  }
  EXPECT_EQ(wait_until_restored(before, std::chrono::milliseconds(2000)), std::vector<std::string>{});
}

}  // namespace
}  // namespace helios::test
