// Exit code, success and retry class of every reason (docs/cli.md has the same table).

#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "core/executor/ending.h"

namespace helios {
namespace {

struct Case {
  Termination end;
  int exit_code;
  Retry retry;
};

Termination ended(Reason reason, int exit_code = 0, int signal = 0, int cancel_signal = 0) {
  Termination t;
  t.reason = reason;
  t.exit_code = exit_code;
  t.signal = signal;
  t.cancel_signal = cancel_signal;
  return t;
}

std::vector<Case> cases() {
  return {
      {ended(Reason::exited, 0), 0, Retry::never},
      {ended(Reason::exited, 3), 3, Retry::never},
      {ended(Reason::exited, 255), 255, Retry::never},
      {ended(Reason::signaled, 139, SIGSEGV), 139, Retry::never},
      {ended(Reason::signaled, 137, SIGKILL), 137, Retry::same},
      {ended(Reason::signaled, 143, SIGTERM), 143, Retry::same},
      {ended(Reason::cancelled, 0, 0, SIGINT), 130, Retry::same},
      {ended(Reason::cancelled, 0, SIGTERM, SIGTERM), 143, Retry::same},
      {ended(Reason::cancelled, 0, SIGKILL, SIGHUP), 129, Retry::same},
      {ended(Reason::cancelled, 0, SIGKILL, SIGQUIT), 131, Retry::same},
      {ended(Reason::cancelled, 0, 0, 0), 143, Retry::same},
      {ended(Reason::output_limit, 0), 137, Retry::raise_limit},
      {ended(Reason::wall_time_limit, 143, SIGTERM), 137, Retry::raise_limit},
      {ended(Reason::idle_limit, 137, SIGKILL), 137, Retry::same},
      {ended(Reason::cpu_time_limit, 0), 137, Retry::raise_limit},
      {ended(Reason::disk_limit, 1), 137, Retry::raise_limit},
      {ended(Reason::memory_limit, 0), 137, Retry::raise_limit},
      {ended(Reason::process_limit, 2), 137, Retry::raise_limit},
      {ended(Reason::host_out_of_memory, 137, SIGKILL), 137, Retry::other_host},
      {ended(Reason::syscall_denied, 159, SIGSYS), 159, Retry::never},
      {ended(Reason::syscall_denied, 0, 0), 137, Retry::never},
      {ended(Reason::not_started, 127), 127, Retry::other_host},
      {ended(Reason::not_started, 126), 126, Retry::never},
      {ended(Reason::not_started, 0), 127, Retry::other_host},
      {ended(Reason::output_missing, 0), 1, Retry::never},
      {ended(Reason::setup_failed, 0), 125, Retry::other_host},
  };
}

TEST(Verdict, FollowsTheTable) {
  std::set<Reason> seen;
  for (const Case& c : cases()) {
    EXPECT_EQ(exit_code_of(c.end), c.exit_code) << describe(c.end);
    EXPECT_EQ(retry_of(c.end), c.retry) << describe(c.end);
    seen.insert(c.end.reason);
  }
  EXPECT_EQ(seen.size(), kReasonCount) << "every reason stands in the table";
}

TEST(Verdict, NoLimitIsBehindAFolderThatCouldNotBeCounted) {
  Termination end = ended(Reason::disk_limit, 0);
  EXPECT_EQ(limit_behind(end), Limit::disk_bytes);
  end.evidence = {{"workspace", "errno", 13}};
  EXPECT_EQ(limit_behind(end), std::nullopt);
  EXPECT_EQ(retry_of(end), Retry::never);
}

TEST(Verdict, IsZeroOnlyForACommandThatExitedWithZero) {
  for (std::size_t r = 0; r < kReasonCount; ++r) {
    for (const int signal : {0, 9, 15, 64, 128}) {
      const Termination t = ended(static_cast<Reason>(r), 0, signal, signal);
      if (t.reason != Reason::exited) {
        EXPECT_NE(exit_code_of(t), 0) << describe(t) << " signal " << signal;
      }
      EXPECT_LE(exit_code_of(t), 255);
    }
  }
}

TEST(Verdict, TellsARunnersNonsenseFromSuccess) {
  EXPECT_EQ(exit_code_of(ended(Reason::exited, 256)), 125);
  EXPECT_EQ(exit_code_of(ended(Reason::exited, -1)), 125);
}

TEST(Verdict, DescribesEachReasonInItsOwnWords) {
  std::set<std::string> words;
  for (std::size_t r = 0; r < kReasonCount; ++r) words.insert(describe(ended(static_cast<Reason>(r), 1, 9, 15)));
  EXPECT_EQ(words.size(), kReasonCount);
}

}  // namespace
}  // namespace helios
