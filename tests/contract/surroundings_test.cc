// What the command finds itself in: folder, environment, descriptors, signals, ids.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "core/loader_variables.h"
#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST_P(Contract, RunsInTheWorkspace) {
  scene().write(scene().in_workspace("marker.txt"), "in workspace\n");
  const Finished f = run_command({}, {"cat", "marker.txt"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "in workspace\n");
}

TEST_P(Contract, RunsInTheWorkdirInsideTheWorkspace) {
  scene().make_folder(scene().in_workspace("deep/er"));
  const Finished f = run_command({"--workdir", scene().in_workspace("deep/er")}, {"sh", "-c", "pwd; > here"});
  expect_ended(f, "exited", 0);
  EXPECT_NE(f.text("stdout").find("/deep/er\n"), std::string::npos) << f.describe();
  EXPECT_TRUE(std::filesystem::exists(scene().in_workspace("deep/er/here")));
}

TEST_P(Contract, FilesBelongToTheOwnerOfTheWorkspace) {
  const Finished f = run_probe({}, {"place", "file", "made"});
  expect_ended(f, "exited", 0);
  struct stat made {
  }, workspace{};
  ASSERT_EQ(lstat(scene().in_workspace("made").c_str(), &made), 0);
  ASSERT_EQ(lstat(scene().workspace().c_str(), &workspace), 0);
  EXPECT_EQ(made.st_uid, workspace.st_uid);
  EXPECT_EQ(made.st_gid, workspace.st_gid);
  EXPECT_EQ(made.st_mode & 07777U, 0644U);
}

TEST_P(Contract, PassesTheEnvironmentByItsRule) {
  Invocation what = probe({"--env", "GIVEN=by flag", "--pass-env", "PASSED"}, {"env"});
  what.env.emplace_back("PLANTED_SECRET", "hunter2");
  what.env.emplace_back("PASSED", "on");
  const Finished f = run_to_end(what);
  expect_ended(f, "exited", 0);
  const std::string env = f.text("stdout");
  EXPECT_TRUE(has_line(env, "GIVEN=by flag")) << env;
  EXPECT_TRUE(has_line(env, "PASSED=on")) << env;
  EXPECT_EQ(has_line(env, "PLANTED_SECRET=hunter2"), !isolated()) << env;
  EXPECT_NE(env.find("PATH="), std::string::npos) << env;
}

// Not even a policy that passes everything passes these; the flags do, which name them one by one.
TEST_P(Contract, NoAllowListPassesLoaderVariables) {
  if (!isolated()) return;  // passes the caller's whole environment on
  const std::string policy = scene().outside() / "all.json";
  scene().write(policy, R"({"extends": "default", "environment": {"allow": ["*"]}})");
  Invocation what = probe({"--policy", policy, "--pass-env", "NLSPATH"}, {"env"});
  what.env.emplace_back("LD_BIND_NOT", "planted");
  what.env.emplace_back("HARMLESS", "planted");
  for (const std::string_view name : kLoaderVariables) what.env.emplace_back(name, "planted");
  const Finished f = run_to_end(what);
  expect_ended(f, "exited", 0);
  const std::string env = f.text("stdout");
  EXPECT_TRUE(has_line(env, "HARMLESS=planted")) << env;
  EXPECT_TRUE(has_line(env, "NLSPATH=planted")) << env;
  EXPECT_FALSE(has_line(env, "LD_BIND_NOT=planted")) << env;
  for (const std::string_view name : kLoaderVariables) {
    EXPECT_EQ(has_line(env, std::string(name) + "=planted"), name == "NLSPATH") << env;
  }
}

TEST_P(Contract, StdinIsEmpty) {
  Invocation what = probe({}, {"stdin"});
  what.stdin_text = "typed by the operator\n";
  const Finished f = run_to_end(what);
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "/dev/null 0\n");
  expect_ended(run_command({"--timeout", "10s"}, {"cat"}), "exited", 0);
}

TEST_P(Contract, HasOnlyItsThreeDescriptors) {
  const int leaked = open("/", O_RDONLY | O_DIRECTORY);
  Invocation what = probe({}, {"state"});
  what.leaked_fds = {leaked};
  const Finished f = run_to_end(what);
  close(leaked);
  expect_ended(f, "exited", 0);
  EXPECT_EQ(state_value(f.text("stdout"), "fds"), "0 1 2");
}

TEST_P(Contract, HasADefinedState) {
  const Finished f = run_probe({}, {"state"});
  expect_ended(f, "exited", 0);
  const std::string state = f.text("stdout");
  EXPECT_EQ(state_value(state, "umask"), "0022");
  EXPECT_EQ(state_value(state, "SigBlk"), "0000000000000000");
  EXPECT_EQ(state_value(state, "SigIgn"), "0000000000000000");
  EXPECT_EQ(state_value(state, "core"), "1 1") << "no core file is that small, and no crash handler is started at 1";
  EXPECT_EQ(state_value(state, "pgrp"), state_value(state, "pid")) << "own process group";
}

TEST_P(Contract, SignalsAreDefaultHoweverHeliosRunWasStarted) {
  Invocation what = probe({}, {"state"});
  what.ignored_signals = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGCHLD, SIGUSR1};
  what.blocked_signals = {SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGCHLD, SIGRTMIN};
  const Finished f = run_to_end(what);
  expect_ended(f, "exited", 0);
  EXPECT_EQ(state_value(f.text("stdout"), "SigBlk"), "0000000000000000");
  EXPECT_EQ(state_value(f.text("stdout"), "SigIgn"), "0000000000000000");
}

TEST_P(Contract, TimeOutsHoldHoweverHeliosRunWasStarted) {
  Invocation what = probe({"--timeout", "300ms", "--grace", "100ms"}, {"sleep", "60000"});
  what.ignored_signals = {SIGCHLD, SIGTERM};
  what.blocked_signals = {SIGALRM, SIGCHLD, SIGTERM};
  expect_ended(run_to_end(what), "wall-time-limit", 137);
}

TEST_P(Contract, NeverLosesArguments) {
  const Finished f = run_command({}, {"./chunk_probe", "argv", "", "a b", "--help", "$HOME", "*", "\u00e9"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "[]\n[a b]\n[--help]\n[$HOME]\n[*]\n[\u00e9]\n");
}

TEST_P(Contract, IsolatedSeesNothingAboveItsControlGroups) {
  const Finished f = run_command({}, {"cat", "/proc/self/cgroup"});
  expect_ended(f, "exited", 0);
  std::istringstream lines(f.text("stdout"));
  std::size_t own = 0, all = 0;
  for (std::string line; std::getline(lines, line); ++all) own += line.ends_with(":/") ? 1 : 0;
  EXPECT_GT(all, 0U);
  if (isolated()) {
    EXPECT_EQ(own, all) << f.text("stdout");
  } else {
    EXPECT_LT(own, all) << "the control: the run's groups are not the top\n" << f.text("stdout");
  }
}

TEST_P(Contract, IsolatedHasNoPrivileges) {
  const Finished f = run_probe({}, {"state"});
  expect_ended(f, "exited", 0);
  const std::string state = f.text("stdout");
  if (!isolated()) {
    EXPECT_EQ(state_value(state, "Uid").substr(0, 1), std::to_string(GetParam().who.uid).substr(0, 1)) << state;
    return;  // `shell` promises no more
  }
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_EQ(state_value(state, set), "0000000000000000") << set;
  EXPECT_EQ(state_value(state, "NoNewPrivs"), "1");
  EXPECT_EQ(state_value(state, "Seccomp"), "2");
  EXPECT_EQ(state_value(state, "pid"), "2");
  EXPECT_NE(state_value(state, "Uid").substr(0, 2), "0\t") << state;
}

}  // namespace
}  // namespace helios::test
