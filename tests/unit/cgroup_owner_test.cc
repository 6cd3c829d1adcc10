#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <thread>
#include <vector>

#include "core/cgroup/cgroup.h"

namespace helios::cgroup {
namespace {

TEST(OwnerToken, IsNeverGivenTwice) {
  std::array<std::vector<std::string>, 4> taken;
  std::vector<std::thread> threads;
  for (auto& mine : taken) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 100; ++i) mine.push_back(owner_token());
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& mine : taken) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 400U);
}

TEST(DeadOwner, IsEmptyForALivingOne) { EXPECT_EQ(dead_owner(owner_token()), std::nullopt); }

TEST(DeadOwner, NamesThePidOfOneThatIsGone) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string token = owner_token();
    const bool ok = ::write(pipe_fds[1], token.data(), token.size()) == static_cast<ssize_t>(token.size());
    ::_exit(ok ? 0 : 1);
  }
  ::close(pipe_fds[1]);
  char buffer[256];
  const ssize_t n = ::read(pipe_fds[0], buffer, sizeof buffer);
  ::close(pipe_fds[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_GT(n, 0);
  EXPECT_EQ(dead_owner(std::string(buffer, static_cast<std::size_t>(n))), child);
}

// The pid lives, but as another process: its start time differs.
TEST(DeadOwner, TellsARecycledPidApart) {
  const std::string token = owner_token();  // helios-PID-START-NS-N
  const auto first = token.find('-', 7);
  const auto second = token.find('-', first + 1);
  const std::string older = token.substr(0, first) + "-1" + token.substr(second);
  EXPECT_EQ(dead_owner(older), ::getpid());
}

TEST(DeadOwner, LeavesForeignNamesAndOtherPidNamespacesAlone) {
  for (const char* name :
       {"", "helios", "helios-", "helios-1", "helios-999999-5-1", "helios-999999-5-1-", "docker-999999-5-1-0",
        "helios-999999-5-1-0", "helios-999999-5-1-0x", "helios-0-5-1-0", "helios-x-5-1-0"}) {
    EXPECT_EQ(dead_owner(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace helios::cgroup
