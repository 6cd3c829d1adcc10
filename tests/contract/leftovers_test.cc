// Whatever happens, nothing of the chunk stays. (Every other test checks the same in its TearDown.)
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <thread>

#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {
using std::chrono::milliseconds;

std::string names(const std::vector<ProcessSeen>& processes) {
  std::string text;
  for (const ProcessSeen& p : processes) text += std::to_string(p.pid) + " " + p.name + "; ";
  return text;
}

TEST_P(Contract, ADaemonEndsWithTheCommand) {
  const Finished f = run_probe({}, {"daemon", "ready"});
  expect_ended(f, "exited", 0);
  EXPECT_TRUE(std::filesystem::exists(scene().in_workspace("ready")));
  EXPECT_LT(f.elapsed, patiently(milliseconds(3000)));
  for (const ProcessSeen& p : descendants(getpid())) EXPECT_NE(p.name, "chunk_probe") << p.pid;
}

TEST_P(Contract, SigkillOfHeliosRunLeavesNoProcess) {
  for (const char* action : {"term-ignore", "tree"}) {
    Running running(probe({"--grace", "60s"}, {action, "ready"}));
    ASSERT_TRUE(scene().appears("ready")) << running.wait().describe();
    EXPECT_FALSE(descendants(running.pid()).empty());
    running.signal(SIGKILL);
    EXPECT_EQ(running.wait().exit_code, 137);
    EXPECT_EQ(names(wait_until_childless(patiently(milliseconds(2000)))), "") << action;
    std::filesystem::remove(scene().in_workspace("ready"));
  }
  // The guardian of shell removes the groups as well.
  if (!isolated()) {
    EXPECT_EQ(scene().left_behind(), std::vector<std::string>{});
  }
  // What the kernel cannot clear carries a token; the next run clears it, at the latest.
  expect_ended(run_probe({}, {"exit", "0"}), "exited", 0);
}

TEST_P(Contract, SigkillWhileItStartsLeavesNoProcess) {
  for (int after_ms : {1, 4, 8, 12, 18, 25, 40, 70}) {
    Running running(probe({}, {"sleep", "60000"}));
    std::this_thread::sleep_for(milliseconds(after_ms));  // the moment is the case, not a wait for something
    running.signal(SIGKILL);
    (void)running.wait();
    EXPECT_EQ(names(wait_until_childless(patiently(milliseconds(2000)))), "") << "killed after " << after_ms << " ms";
  }
  expect_ended(run_probe({}, {"exit", "0"}), "exited", 0);
}

TEST_P(Contract, SeveralAtATimeDoNotDisturbEachOther) {
  std::vector<std::unique_ptr<Running>> all;
  for (int i = 0; i < 4; ++i)
    all.push_back(std::make_unique<Running>(probe({"--memory", "64M"}, {"exit", std::to_string(i)})));
  for (int i = 0; i < 4; ++i) expect_ended(all[static_cast<std::size_t>(i)]->wait(), "exited", i);
}

}  // namespace
}  // namespace helios::test
