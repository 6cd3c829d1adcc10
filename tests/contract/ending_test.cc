// How a command ends, and what is told about it.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <thread>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {
using std::chrono::milliseconds;

TEST_P(Contract, PassesExitCodesOn) {
  for (int code : {0, 3, 255}) expect_ended(run_probe({}, {"exit", std::to_string(code)}), "exited", code);
}

TEST_P(Contract, KeepsTheFourFieldsOfHelios) {
  const Finished f = run_probe({}, {"both"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "out");
  EXPECT_EQ(f.text("stderr"), "err");
  EXPECT_TRUE(f.result["durationMs"].is_number_integer()) << f.describe();
}

/// For this thread and whatever it starts: as where somebody else has reaped the child.
void let_waitid_fail() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_waitid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ECHILD),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{std::size(code), code};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

TEST_P(Contract, AnEndThatIsNotKnownIsNoSuccess) {
  Finished f;
  std::thread([&] {
    let_waitid_fail();
    f = run_probe({}, {"exit", "0"});
  }).join();
  if (isolated()) return expect_ended(f, "exited", 0);  // process 1 has told it
  expect_ended(f, "signaled", 137);
  EXPECT_NE(f.out.find("how the command ended is not known"), std::string::npos) << f.describe();
}

TEST_P(Contract, TellsSignals) {
  const struct {
    int number;
    const char* name;
  } cases[] = {{SIGKILL, "SIGKILL"}, {SIGTERM, "SIGTERM"}, {SIGSEGV, "SIGSEGV"}, {SIGHUP, "SIGHUP"}};
  for (const auto& c : cases) {
    const Finished f = run_probe({}, {"kill-self", std::to_string(c.number)});
    expect_ended(f, "signaled", 128 + c.number);
    EXPECT_EQ(f.result["termination"].value("signal", ""), c.name) << f.describe();
    EXPECT_EQ(f.text("stdout"), "before\n");
  }
}

TEST_P(Contract, AbortIsSigabrt) { expect_ended(run_probe({}, {"abort"}), "signaled", 128 + SIGABRT); }

TEST_P(Contract, MissingProgramIs127WithAResult) {
  for (const char* program : {"no-such-program-xyz", "./no/such/file"}) {
    const Finished f = run_command({}, {program, "--flag"});
    expect_ended(f, "not-started", 127);
    EXPECT_NE(f.result["termination"].value("detail", "").find(program), std::string::npos) << f.describe();
  }
}

TEST_P(Contract, NotExecutableIs126WithAResult) {
  scene().write(scene().in_workspace("plain.txt"), "hello\n");
  scene().make_folder(scene().in_workspace("adir"));
  for (const char* program : {"./plain.txt", "./adir"}) expect_ended(run_command({}, {program}), "not-started", 126);
}

TEST_P(Contract, MissingInterpreterIs127) {
  scene().write(scene().in_workspace("script"), "#!/no/such/interp\n", 0755);
  expect_ended(run_command({}, {"./script"}), "not-started", 127);
}

TEST_P(Contract, ScriptWithoutShebangRunsUnderSh) {
  scene().write(scene().in_workspace("script"), "echo \"hi $# $1\"\n", 0755);
  const Finished f = run_command({}, {"./script", "a b", "c"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "hi 2 a b\n");
}

TEST_P(Contract, ShellFlagRunsSh) {
  Invocation what = scene().helios_run(
      {"--sandbox", runner(), "--workspace", scene().workspace(), "--shell", "--", "echo a | tr a b; exit 5"});
  const Finished f = run_to_end(what);
  expect_ended(f, "exited", 5);
  EXPECT_EQ(f.text("stdout"), "b\n");
}

TEST_P(Contract, WallTimeSendsTermAndThenKill) {
  const Finished f = run_probe({"--timeout", "300ms", "--grace", "300ms"}, {"term-ignore", "ready", "noticed"});
  expect_ended(f, "wall-time-limit", 137);
  EXPECT_EQ(f.text("stdout"), "before\n");
  EXPECT_TRUE(std::filesystem::exists(scene().in_workspace("noticed"))) << "SIGTERM was not seen";
  EXPECT_GE(f.elapsed, milliseconds(580));
  EXPECT_LT(f.elapsed, patiently(milliseconds(4000)));
}

TEST_P(Contract, WallTimeLetsTheCommandFinishWithinItsGrace) {
  const Finished f = run_probe({"--timeout", "300ms", "--grace", "10s"}, {"term-trap"});
  expect_ended(f, "wall-time-limit", 137);
  EXPECT_EQ(f.text("stdout"), "got TERM\n");
  EXPECT_LT(f.elapsed, patiently(milliseconds(4000)));
}

TEST_P(Contract, SleepInfinityEndsAtItsWallTime) {
  const Finished f = run_command({"--timeout", "300ms"}, {"sleep", "infinity"});
  expect_ended(f, "wall-time-limit", 137);
  EXPECT_LT(f.elapsed, patiently(milliseconds(4000)));
}

void expect_cancelled(Scene& scene, const Invocation& what, int signal_number, int exit_code) {
  Running running(what);
  ASSERT_TRUE(scene.appears("ready")) << running.wait().describe();
  running.signal(signal_number);
  const Finished f = running.wait();
  expect_ended(f, "cancelled", exit_code);
  EXPECT_LT(f.elapsed, patiently(milliseconds(8000)));
  std::filesystem::remove(scene.in_workspace("ready"));
}

TEST_P(Contract, CancelledByASignalStillGivesAResult) {
  expect_cancelled(scene(), probe({"--grace", "5s"}, {"term-trap", "ready"}), SIGTERM, 143);
  expect_cancelled(scene(), probe({"--grace", "5s"}, {"term-trap", "ready"}), SIGINT, 130);
  expect_cancelled(scene(), probe({"--grace", "5s"}, {"term-trap", "ready"}), SIGHUP, 129);
}

TEST_P(Contract, ASecondSignalKillsAtOnce) {
  Running running(probe({"--grace", "60s"}, {"term-ignore", "ready", "noticed"}));
  ASSERT_TRUE(scene().appears("ready")) << running.wait().describe();
  running.signal(SIGTERM);
  ASSERT_TRUE(scene().appears("noticed"));
  EXPECT_FALSE(running.has_ended());
  running.signal(SIGTERM);
  const Finished f = running.wait();
  expect_ended(f, "cancelled", 143);
  EXPECT_LT(f.elapsed, patiently(milliseconds(10'000)));
}

TEST_P(Contract, TheWholeTreeEndsAtItsWallTime) {
  const Finished f = run_probe({"--timeout", "400ms", "--grace", "100ms"}, {"tree", "ready"});
  expect_ended(f, "wall-time-limit", 137);
  EXPECT_TRUE(std::filesystem::exists(scene().in_workspace("ready")));
}

TEST_P(Contract, IdleTimeEndsAQuietCommand) {
  const Finished f = run_probe({"--idle-timeout", "400ms", "--timeout", "15s"}, {"sleep", "60000"});
  expect_ended(f, "idle-limit", 137);
  EXPECT_LT(f.elapsed, patiently(milliseconds(8000)));
  EXPECT_GE(f.result.value("durationMs", 0), 2400) << "the first 2 s are for starting up";
}

TEST_P(Contract, ACommandThatUsedMoreThanItsCpuTimeIsNoSuccess) {
  // Over before anybody looks again.
  expect_ended(run_probe({"--cpu-time", "10ms"}, {"burn", "12"}), "cpu-time-limit", 137);
}

TEST_P(Contract, OrphansAreReapedWhileTheCommandRuns) {
  if (!isolated()) return;  // under shell they are the host's process 1's
  const Finished f =
      run_command({"--pids", "24", "--timeout", "60s"},
                  {"/bin/sh", "-c", "i=0; while [ $i -lt 100 ]; do (true &) || exit 9; i=$((i+1)); done; echo $i"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "100\n");
}

TEST_P(Contract, WhatStillWritesWhenTheCommandEndsIsEndedAndNamed) {
  const Finished f =
      run_command({"--timeout", "60s"},
                  {"/bin/sh", "-c", "while :; do echo rest; sleep 0.01; done & echo main; sleep 0.3; exit 0"});
  expect_ended(f, "exited", 0);
  EXPECT_LT(f.elapsed, patiently(milliseconds(8000)));
  EXPECT_GE(f.result.value("survivorCount", 0), 1) << f.describe();
  EXPECT_NE(f.text("stdout").find("rest\n"), std::string::npos) << f.describe();
  EXPECT_NE(f.result["survivors"][0].value("name", ""), "") << f.describe();
}

TEST_P(Contract, IdleTimeLeavesABusyCommandAlone) {
  expect_ended(run_probe({"--idle-timeout", "500ms"}, {"chatter", "1500"}), "exited", 0);
  expect_ended(run_probe({"--idle-timeout", "500ms"}, {"burn", "1000"}), "exited", 0);
}

/// Keeps every processor busy.
class Hogs {
 public:
  Hogs() {
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
      threads_.emplace_back([](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
        }
      });
    }
  }

 private:
  std::vector<std::jthread> threads_;
};

TEST_P(Contract, IdleTimeLeavesACommandAloneThatWaitsForAProcessor) {
  const Hogs hogs;
  // Beside them, at the lowest priority, it gets 1.4 % of a processor: a hung browser that draws its empty page uses
  // more.
  const Finished f =
      run_command({"--idle-timeout", "500ms", "--timeout", "60s"}, {"nice", "-n", "19", "./chunk_probe", "burn", "60"});
  expect_ended(f, "exited", 0);
}

}  // namespace
}  // namespace helios::test
