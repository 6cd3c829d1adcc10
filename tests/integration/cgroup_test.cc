// Groups on the host's own cgroups, whatever version they are. In the virtual machines of tests/vm the same program
// runs on v2, as root and as a user, with and without systemd.
#include <gmock/gmock.h>
#include <grp.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "tests/integration/cgroup_scene.h"

namespace helios::cgroup {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
constexpr std::uint64_t kMiB = 1 << 20;

std::vector<std::string> everything() { return {"memory", "memoryHigh", "swap", "cpus", "processes"}; }

TEST_F(CgroupTest, PlaceIsTheExpectedOne) {
  const char* version = std::getenv("HELIOS_CGROUP_EXPECT");
  if (version != nullptr) {
    EXPECT_EQ(name(place_->version()), version) << place_->describe();
  }
  const char* entry = std::getenv("HELIOS_CGROUP_ENTRY");
  if (entry != nullptr) {
    EXPECT_EQ(std::to_string(static_cast<int>(place_->entry())), entry) << place_->describe();
  }
  std::printf("place: %s\n", place_->describe().c_str());
}

TEST_F(CgroupTest, FindingAndPlanningChangeNothing) {
  const auto before = own_groups();
  const bool there = ::access(place_->parent_v2().c_str(), F_OK) == 0;
  ASSERT_TRUE(plan_limits(*place_, {64 * kMiB, 0, 500, 20}, everything()));
  ASSERT_TRUE(Placement::find(options_));
  const auto after = own_groups();
  ASSERT_EQ(before->size(), after->size());
  for (std::size_t i = 0; i < before->size(); ++i) EXPECT_EQ((*before)[i].path, (*after)[i].path);
  EXPECT_EQ(::access(place_->parent_v2().c_str(), F_OK) == 0, there);
}

TEST_F(CgroupTest, LimitsAreInForceAsRequested) {
  auto group = make({64 * kMiB, 0, 500, 20}, everything());
  ASSERT_TRUE(group) << group.error().message;
  const auto& receipts = group->receipts();
  ASSERT_EQ(receipts.size(), 4U);
  for (const auto& r : receipts) {
    const Controller c = r.limit == Limit::cpus        ? Controller::cpu
                         : r.limit == Limit::processes ? Controller::pids
                                                       : Controller::memory;
    if (!place_->has(c)) {
      EXPECT_EQ(r.by, "degraded");
      EXPECT_EQ(r.effective, std::nullopt);
      continue;
    }
    EXPECT_EQ(r.effective, r.requested) << info(r.limit).key;
    EXPECT_TRUE(r.by == "host has no swap" || r.by.compare(0, 8, "cgroup-v") == 0) << r.by;
  }
}

TEST_F(CgroupTest, PlanAndReceiptNameTheSameFiles) {
  const GroupLimits limits{64 * kMiB, 0, 10, 20};
  const auto plan = plan_limits(*place_, limits, everything());
  auto group = make(limits, everything());
  ASSERT_TRUE(plan);
  ASSERT_TRUE(group) << group.error().message;
  for (const auto& receipt : group->receipts()) {
    const bool planned = std::any_of(plan->begin(), plan->end(), [&](const LimitWrite& w) {
      return w.limit == receipt.limit && (w.by == receipt.by || receipt.by == "host has no swap");
    });
    EXPECT_TRUE(planned) << receipt.by;
  }
}

TEST_F(CgroupTest, PeakMemoryIsWhatWasTouched) {
  NEED(Controller::memory);
  auto group = make({128 * kMiB, 0, {}, {}});
  ASSERT_TRUE(group) << group.error().message;
  const pid_t pid = start_in(*group, [&] { return touch_memory(40 * kMiB); });
  EXPECT_TRUE(await(pid).exited_with(0));
  const auto c = group->read();
  ASSERT_TRUE(c.peak_memory_bytes.value);
  EXPECT_THAT(*c.peak_memory_bytes.value, AllOf(Ge(40 * kMiB), Le(50 * kMiB))) << c.peak_memory_bytes.source;
  EXPECT_EQ(c.oom_kills.value, 0U);
}

TEST_F(CgroupTest, OomKillIsCountedAndWakesTheWaiter) {
  NEED(Controller::memory);
  auto group = make({32 * kMiB, 0, {}, {}});
  ASSERT_TRUE(group) << group.error().message;
  pollfd events{group->events_fd(), POLLPRI, 0};
  if (events.fd >= 0) {
    EXPECT_EQ(::poll(&events, 1, 0), 0) << "awake before anything happened";
  }
  const pid_t pid = start_in(*group, [&] { return touch_memory(64 * kMiB); });
  EXPECT_TRUE(await(pid).killed());
  EXPECT_GE(group->oom_kill_count(), 1U);
  EXPECT_THAT(group->read().oom_kills.value, ::testing::Optional(Ge(1U)));
  EXPECT_THAT(*group->read().peak_memory_bytes.value, AllOf(Ge(30 * kMiB), Le(33 * kMiB)));
  if (events.fd < 0) return;
  // The kernel spaces its notifications, so a late one may follow; reading re-arms, so they come to an end.
  int wakes = 0;
  for (; wakes < 10 && ::poll(&events, 1, 500) == 1; ++wakes) (void)group->oom_kill_count();
  EXPECT_LT(wakes, 10);
}

TEST_F(CgroupTest, RunningOutOfMemoryIsToldFromAGroupAboveThatDid) {
  NEED(Controller::memory);
  {
    auto group = make({32 * kMiB, 0, {}, {}});
    ASSERT_TRUE(group) << group.error().message;
    EXPECT_EQ(group->read().memory_oom.value, 0U);
    EXPECT_TRUE(await(start_in(*group, [&] { return touch_memory(64 * kMiB); })).killed());
    EXPECT_THAT(group->read().memory_oom.value, ::testing::Optional(Ge(1U))) << group->read().memory_oom.source;
  }
  if (!own_parent_) return;  // the limits of others are not ours to change
  const Seat& seat = place_->seat(Controller::memory);
  const bool v1 = seat.version == Version::v1;
  auto group = make({128 * kMiB, 0, {}, {}});
  ASSERT_TRUE(group) << group.error().message;
  const std::string limit = seat.parent + (v1 ? "/memory.limit_in_bytes" : "/memory.max");
  ASSERT_TRUE(std::ofstream(limit) << 48 * kMiB << std::flush) << limit;
  EXPECT_TRUE(await(start_in(*group, [&] { return touch_memory(96 * kMiB); })).killed());
  ASSERT_TRUE(std::ofstream(limit) << (v1 ? "-1" : "max") << std::flush) << limit;
  const auto c = group->read();
  EXPECT_THAT(c.oom_kills.value, ::testing::Optional(Ge(1U)));
  if (v1) {  // told in the same way, which is why the verdict looks at the peak, too
    EXPECT_LT(*c.peak_memory_bytes.value, 64 * kMiB);
  } else {
    EXPECT_EQ(c.memory_oom.value, 0U);
  }
}

// On v2 one OOM kill takes the whole group along (memory.oom.group).
TEST_F(CgroupTest, OomKillTakesTheWholeGroupOnV2) {
  NEED(Controller::memory);
  if (place_->seat(Controller::memory).version != Version::v2) GTEST_SKIP() << "memory is on v1: the runner kills";
  auto group = make({32 * kMiB, 0, {}, {}});
  ASSERT_TRUE(group) << group.error().message;
  const pid_t bystander = start_in(*group, sleep_long);
  pollfd events{group->events_fd(), POLLPRI, 0};
  const pid_t hog = start_in(*group, [&] { return touch_memory(64 * kMiB); });
  EXPECT_TRUE(await(hog).killed());
  EXPECT_TRUE(await(bystander).killed());
  EXPECT_EQ(::poll(&events, 1, 5000), 1);
  EXPECT_TRUE((events.revents & POLLPRI) != 0);
}

TEST_F(CgroupTest, ASoftLimitSlowsAndIsCountedOnV2AndIsRefusedOnV1) {
  NEED(Controller::memory);
  GroupLimits limits{128 * kMiB, 0, {}, {}};
  limits.memory_high_bytes = 32 * kMiB;
  if (place_->seat(Controller::memory).version == Version::v1) {
    const auto refused = make(limits);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unsupported);
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr("memoryHigh"), HasSubstr("cgroup v1")));
    EXPECT_THAT(refused.error().remedy, AllOf(HasSubstr("cgroup v2"), HasSubstr("--allow-degraded=memoryHigh")));
    auto group = make(limits, {"memoryHigh"});
    ASSERT_TRUE(group) << group.error().message;
    EXPECT_EQ(group->read().memory_high_hits.value, std::nullopt) << "not counted, so not 0";
    return;
  }
  auto group = make(limits);
  ASSERT_TRUE(group) << group.error().message;
  const auto& receipts = group->receipts();
  const auto high = std::find_if(receipts.begin(), receipts.end(),
                                 [](const LimitReceipt& r) { return r.limit == Limit::memory_high; });
  ASSERT_NE(high, receipts.end());
  EXPECT_EQ(high->effective, 32 * kMiB);
  EXPECT_EQ(high->by, "cgroup-v2:memory.high");
  // Just above it: the further a group is above with nothing to reclaim, the longer each allocation waits, up to 2 s.
  EXPECT_TRUE(await(start_in(*group, [&] { return touch_memory(33 * kMiB); })).exited_with(0)) << "slowed, not ended";
  EXPECT_THAT(group->read().memory_high_hits.value, ::testing::Optional(Ge(1U)));
  EXPECT_EQ(group->read().oom_kills.value, 0U);
}

TEST_F(CgroupTest, CpuTimeIsThatOfTheWholeTree) {
  NEED(Controller::cpuacct);
  auto group = make({});
  ASSERT_TRUE(group) << group.error().message;
  const pid_t pid = start_in(*group, [] {
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    const pid_t child = ::fork();  // never waited for by its parent: rusage would miss it
    if (child == 0) ::_exit(burn_cpu(150));
    ::close(ends[1]);
    burn_cpu(150);
    char none;
    return ::read(ends[0], &none, 1) == 0 ? 0 : 1;  // end of file: the child has ended
  });
  EXPECT_TRUE(await(pid).exited_with(0));
  ASSERT_TRUE(group->kill());
  const auto c = group->read();
  ASSERT_TRUE(c.cpu_ms.value);
  EXPECT_THAT(*c.cpu_ms.value, AllOf(Ge(290.0), Le(600.0))) << c.cpu_ms.source;
  EXPECT_NEAR(*c.user_ms.value + *c.system_ms.value, *c.cpu_ms.value, 0.1 * *c.cpu_ms.value + 5);
  EXPECT_NEAR(static_cast<double>(group->cpu_usage_us()) / 1000, *c.cpu_ms.value, 1.0);
}

TEST_F(CgroupTest, CpuLimitThrottles) {
  NEED(Controller::cpu);
  auto group = make({{}, {}, 50, {}});
  ASSERT_TRUE(group) << group.error().message;
  const pid_t pid = start_in(*group, sleep_long);
  std::vector<pid_t> burners;
  for (int i = 0; i < 2; ++i) burners.push_back(start_in(*group, [] { return burn_cpu(60000); }));
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 40 && (i < 2 || group->read().throttled_ms.value.value_or(0) <= 100); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // a busy host takes longer to use the share up
  }
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - begin;
  const auto c = group->read();
  EXPECT_LE(*c.cpu_ms.value, 0.05 * wall.count() * 1.25 + 60) << "of " << wall.count() << " ms";
  EXPECT_GT(*c.throttled_ms.value, 100.0) << c.throttled_ms.source;
  EXPECT_GT(*c.nr_throttled.value, 0U);
  EXPECT_TRUE(group->kill());
  await(pid);
  for (const pid_t burner : burners) await(burner);
}

TEST_F(CgroupTest, RefusedForksAndPeakTasksAreCounted) {
  NEED(Controller::pids);
  auto group = make({{}, {}, {}, 6});
  ASSERT_TRUE(group) << group.error().message;
  const pid_t pid = start_in(*group, [] {
    int made = 0;
    for (; made < 20; ++made) {
      const pid_t child = ::fork();
      if (child < 0) break;
      if (child == 0) ::_exit(sleep_long());
    }
    return made;
  });
  EXPECT_TRUE(await(pid).exited_with(5));
  EXPECT_EQ(group->population(), 5U);
  EXPECT_TRUE(group->kill());
  EXPECT_EQ(group->population(), 0U);
  const auto c = group->read();
  EXPECT_EQ(c.peak_tasks.value, 6U) << c.peak_tasks.source;
  EXPECT_EQ(c.pids_max_hits.value, 1U) << c.pids_max_hits.source;
  EXPECT_EQ(group->pids_max_hits(), 1U);
}

// Processes that refill the group as fast as they are killed; one outside must not be touched.
TEST_F(CgroupTest, KillEndsAForkBombAndNobodyElse) {
  NEED(Controller::pids);
  auto group = make({{}, {}, {}, 60});
  ASSERT_TRUE(group) << group.error().message;
  const pid_t outside = ::fork();
  if (outside == 0) ::_exit(sleep_long());
  const pid_t bomb = start_in(*group, [] {
    ::alarm(30);
    ::signal(SIGCHLD, SIG_IGN);
    for (;;) ::fork();
    return 0;
  });
  for (int i = 0; i < 2000 && group->population() <= 10; ++i) ::usleep(5000);
  EXPECT_GT(group->population(), 10U);
  EXPECT_TRUE(group->kill(std::chrono::seconds(30)));
  EXPECT_EQ(group->population(), 0U);
  EXPECT_TRUE(await(bomb).killed());
  EXPECT_EQ(::waitpid(outside, nullptr, WNOHANG), 0) << "a process outside of the group was killed";
  EXPECT_TRUE(group->remove());
  ::kill(outside, SIGKILL);
  await(outside);
}

/// A process named "stray" that has joined every hierarchy: it is born in its v2 group, on a mixed host, and joins the
/// others by itself.
pid_t start_stray(const RunGroup& group) {
  const pid_t pid = start_in(group, [] {
    ::prctl(PR_SET_NAME, "stray");
    return sleep_long();
  });
  for (int i = 0; i < 200 && group.members(8) != std::vector<Survivor>{{pid, "stray"}}; ++i) ::usleep(5000);
  return pid;
}

TEST_F(CgroupTest, MembersAreNamed) {
  auto group = make({});
  ASSERT_TRUE(group) << group.error().message;
  const pid_t pid = start_stray(*group);
  EXPECT_EQ(group->members(8), (std::vector<Survivor>{{pid, "stray"}}));
  EXPECT_TRUE(group->members(0).empty());
  EXPECT_TRUE(group->kill());
  await(pid);
}

TEST_F(CgroupTest, RemoveOfABusyGroupNamesWhoHoldsIt) {
  auto group = make({});
  ASSERT_TRUE(group) << group.error().message;
  const pid_t pid = start_stray(*group);
  const auto removed = group->remove();
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().message, HasSubstr("pid " + std::to_string(pid)));
  EXPECT_TRUE(group->kill());
  await(pid);
  EXPECT_TRUE(group->remove());
  EXPECT_TRUE(group->remove()) << "twice is fine";
}

TEST_F(CgroupTest, DestructorLeavesNothing) {
  std::vector<std::string> paths;
  pid_t pid = 0;
  {
    auto group = make({});
    ASSERT_TRUE(group) << group.error().message;
    paths = group->paths();
    pid = start_in(*group, sleep_long);
    await_population(*group, 1);
    for (const auto& path : paths) EXPECT_EQ(::access(path.c_str(), F_OK), 0) << path;
  }
  EXPECT_TRUE(await(pid).killed());
  ASSERT_FALSE(paths.empty());
  for (const auto& path : paths) EXPECT_NE(::access(path.c_str(), F_OK), 0) << path;
}

// A command of our own uid may make groups inside its leaf.
TEST_F(CgroupTest, GroupsMadeInsideGoToo) {
  auto group = make({});
  ASSERT_TRUE(group) << group.error().message;
  const auto paths = group->paths();
  std::vector<pid_t> pids;
  for (const auto& path : paths) {
    const std::string inner = path + (group->clone_into_fd() >= 0 && path == paths.back() ? "/run/inner" : "/inner");
    ASSERT_EQ(::mkdir(inner.c_str(), 0755), 0) << inner;
    pids.push_back(::fork());
    if (pids.back() == 0) {
      const auto fd = sys::UniqueFd(::open((inner + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
      ::_exit(::write(fd.get(), "0", 1) == 1 ? sleep_long() : 1);
    }
  }
  await_population(*group, pids.size());
  EXPECT_EQ(group->population(), pids.size());
  EXPECT_TRUE(group->kill());
  for (const pid_t pid : pids) EXPECT_TRUE(await(pid).killed());
  EXPECT_TRUE(group->remove());
  for (const auto& path : paths) EXPECT_NE(::access(path.c_str(), F_OK), 0) << path;
}

TEST_F(CgroupTest, NamesAreNeverReused) {
  const auto token = owner_token();
  auto first = RunGroup::create(*place_, token, {}, {});
  ASSERT_TRUE(first) << first.error().message;
  const auto second = RunGroup::create(*place_, token, {}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().sys_errno, EEXIST);
  for (const auto& path : first->paths()) EXPECT_EQ(::access(path.c_str(), F_OK), 0) << "the first one's was removed";
  EXPECT_FALSE(RunGroup::create(*place_, "../elsewhere", {}, {}));
}

TEST_F(CgroupTest, ImpossibleLimitsAreErrorsThatLeaveNothing) {
  NEED(Controller::pids);
  const auto token = owner_token();
  const auto group = RunGroup::create(*place_, token, {{}, {}, {}, std::uint64_t{1} << 62}, {});
  ASSERT_FALSE(group);
  EXPECT_THAT(group.error().message, AllOf(HasSubstr("processes"), HasSubstr("pids.max")));
  EXPECT_NE(::access((place_->seat(Controller::pids).parent + "/" + token).c_str(), F_OK), 0);
  const auto degraded = RunGroup::create(*place_, owner_token(), {{}, {}, {}, std::uint64_t{1} << 62}, everything());
  ASSERT_TRUE(degraded) << degraded.error().message;
  EXPECT_EQ(degraded->receipts().at(0).by, "degraded");
}

TEST_F(CgroupTest, ManyThreadsMakeGroupsAtOnce) {
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        auto group = make({64 * kMiB, {}, {}, 20}, everything());
        if (group && group->remove()) ++made;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(made, 40);
}

// A process that dies without a word, with something left running in its groups.
TEST_F(CgroupTest, SweepEndsTheGroupsOfADeadOwner) {
  auto mine = make({});
  ASSERT_TRUE(mine) << mine.error().message;
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t owner = ::fork();
  if (owner == 0) {
    auto group = RunGroup::create(*place_, owner_token(), {}, {});
    if (!group) ::_exit(1);
    const pid_t orphan = start_in(*group, sleep_long);
    await_population(*group, 1);
    (void)!::write(ready[1], &orphan, sizeof orphan);
    ::_exit(0);  // no destructor runs
  }
  pid_t orphan = 0;
  ASSERT_EQ(::read(ready[0], &orphan, sizeof orphan), static_cast<ssize_t>(sizeof orphan));
  EXPECT_TRUE(await(owner).exited_with(0));
  const auto of_owner = [&](const std::vector<Stale>& all) {
    std::vector<Stale> found;
    for (const auto& s : all) {
      if (s.pid == owner) found.push_back(s);
    }
    return found;
  };
  const auto place = Placement::find(options_);
  ASSERT_TRUE(place);
  const auto seen = sweep(*place, false);
  ASSERT_TRUE(seen);
  EXPECT_FALSE(of_owner(*seen).empty());
  EXPECT_EQ(::waitpid(orphan, nullptr, WNOHANG), 0) << "looking must not kill";
  const auto swept = sweep(*place, true);
  ASSERT_TRUE(swept);
  for (const auto& s : of_owner(*swept)) {
    EXPECT_TRUE(s.removed) << s.path << ": " << s.reason;
    EXPECT_NE(::access(s.path.c_str(), F_OK), 0);
  }
  EXPECT_TRUE(await(orphan).killed());
  EXPECT_TRUE(of_owner(*sweep(*place, false)).empty());
  for (const auto& path : mine->paths()) EXPECT_EQ(::access(path.c_str(), F_OK), 0) << "a living owner's was swept";
}

/// Runs `body` as an unprivileged user in a child; its failures are printed and fail the child.
Ended as_nobody(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    constexpr uid_t kNobody = 65534;
    if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
        ::setresuid(kNobody, kNobody, kNobody) != 0) {
      ::_exit(121);
    }
    ::unsetenv("XDG_RUNTIME_DIR");
    ::_exit(body());
  }
  return await(pid);
}

TEST_F(CgroupTest, UserWithoutAPlaceIsToldTheRemedy) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become a user without a place";
  const auto ended = as_nobody([] {
    PlacementOptions options;
    const auto place = Placement::find(options);
    if (place) {
      std::printf("found %s\n", place->describe().c_str());
      return 1;
    }
    std::printf("%s\nremedy: %s\n", place.error().message.c_str(), place.error().remedy.c_str());
    const bool clear = place.error().message.find("memory: ") != std::string::npos &&
                       place.error().remedy.find("systemd-run --user --scope") != std::string::npos &&
                       place.error().message.find('\n') == std::string::npos;
    std::fflush(stdout);
    return clear ? 0 : 2;
  });
  EXPECT_TRUE(ended.exited_with(0));
}

// Root makes groups at the top of each v1 hierarchy and gives them away; --cgroup-parent names them.
TEST_F(CgroupTest, UserMayUseGroupsThatRootHandedOver) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to hand groups over";
  if (place_->version() != Version::v1) GTEST_SKIP() << "on v2 a user enters by delegation (tests/vm)";
  std::vector<std::string> handed;
  options_.cgroup_parent += "/handed";
  const auto place = Placement::find(options_);
  ASSERT_TRUE(place);
  for (const auto c : {Controller::memory, Controller::cpu, Controller::cpuacct, Controller::pids}) {
    const auto& parent = place->seat(c).parent;
    if (std::find(handed.begin(), handed.end(), parent) != handed.end()) continue;
    (void)::mkdir(parent_of(parent).c_str(), 0755);
    ASSERT_EQ(::mkdir(parent.c_str(), 0755), 0) << parent;
    ASSERT_EQ(::chown(parent.c_str(), 65534, 65534), 0);
    handed.push_back(parent);
  }
  const auto ended = as_nobody([&] {
    PlacementOptions options;
    options.cgroup_parent = options_.cgroup_parent;
    const auto mine = Placement::find(options);
    if (!mine) return 10;
    auto group = RunGroup::create(*mine, owner_token(), {64 * kMiB, 0, 500, 20}, {});
    if (!group) {
      std::printf("%s\n", group.error().message.c_str());
      std::fflush(stdout);
      return 11;
    }
    if (!await(start_in(*group, [] { return touch_memory(20 * kMiB); })).exited_with(0)) return 12;
    const pid_t sleeper = start_in(*group, sleep_long);
    await_population(*group, 1);
    if (!group->kill() || !await(sleeper).killed()) return 13;
    if (group->read().peak_memory_bytes.value.value_or(0) < 20 * kMiB) return 14;
    return group->remove() ? 0 : 15;
  });
  EXPECT_TRUE(ended.exited_with(0)) << ended.status;
  for (const auto& parent : handed) EXPECT_EQ(::rmdir(parent.c_str()), 0) << parent;
}

// A controller that cannot be had is an error with its cause, unless it may be missing.
TEST_F(CgroupTest, ControllerThatWasNotHandedOverIsNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to hand groups over";
  if (place_->version() != Version::v1) GTEST_SKIP() << "v1 only";
  options_.cgroup_parent += "/part";
  const auto place = Placement::find(options_);
  ASSERT_TRUE(place);
  const std::string pids = place->seat(Controller::pids).parent;
  (void)::mkdir(parent_of(pids).c_str(), 0755);
  ASSERT_EQ(::mkdir(pids.c_str(), 0755), 0);
  ASSERT_EQ(::chown(pids.c_str(), 65534, 65534), 0);
  const auto ended = as_nobody([&] {
    PlacementOptions options;
    options.cgroup_parent = options_.cgroup_parent;
    const auto mine = Placement::find(options);
    if (!mine || !mine->has(Controller::pids) || mine->has(Controller::memory)) return 10;
    const GroupLimits limits{64 * kMiB, {}, {}, 20};
    const auto refused = RunGroup::create(*mine, owner_token(), limits, {});
    if (refused) return 11;
    const bool clear = refused.error().message.find("memory") != std::string::npos &&
                       refused.error().message.find("Permission denied") != std::string::npos &&
                       refused.error().remedy.find("--allow-degraded=memory") != std::string::npos;
    if (!clear) return 12;
    const std::vector<std::string> allowed{"memory"};
    auto group = RunGroup::create(*mine, owner_token(), limits, allowed);
    if (!group) return 13;
    return group->receipts().at(0).by == "degraded" && group->receipts().at(1).effective == 20U ? 0 : 14;
  });
  EXPECT_TRUE(ended.exited_with(0)) << ended.status;
  EXPECT_EQ(::rmdir(pids.c_str()), 0);
}

// What a reload takes from groups outside of a delegated unit: their limits vanish without an error anywhere.
TEST_F(CgroupTest, LimitsOutliveAReloadOfSystemd) {
  if (std::getenv("VM_RUN") == nullptr) GTEST_SKIP() << "reloads systemd: only in a virtual machine of our own";
  if (::access("/run/systemd/system", F_OK) != 0) GTEST_SKIP() << "no systemd here";
  auto group = make({64 * kMiB, 0, 500, 20});
  ASSERT_TRUE(group) << group.error().message;
  ASSERT_EQ(std::system(::geteuid() == 0 ? "systemctl daemon-reload" : "systemctl --user daemon-reload"), 0);
  for (const auto& path : group->paths()) {
    for (const char* file : {"/memory.max", "/cpu.max", "/pids.max"}) {
      EXPECT_EQ(::access((path + file).c_str(), R_OK), 0) << path << file;
    }
  }
  EXPECT_TRUE(await(start_in(*group, [] { return touch_memory(128 * kMiB); })).killed());
}

enum class Mounted { writable, read_only };

/// Runs tests of this program as if in a container: a cgroup namespace of its own whose root is the current group.
Ended in_container(Mounted how, const char* filter) {
  const pid_t pid = ::fork();
  if (pid != 0) return await(pid);
  constexpr const char* kTop = "/sys/fs/cgroup";
  if (::unshare(CLONE_NEWCGROUP | CLONE_NEWNS) != 0) ::_exit(121);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(122);
  (void)::umount2(kTop, MNT_DETACH);  // the same file system over itself is refused
  if (::mount("cgroup2", kTop, "cgroup2", 0, nullptr) != 0) ::_exit(123);
  if (how == Mounted::read_only && ::mount(nullptr, kTop, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
    ::_exit(124);
  }
  ::unsetenv("HELIOS_CGROUP_EXPECT");
  ::setenv("HELIOS_CGROUP_ENTRY", "2", 1);
  ::execl("/proc/self/exe", "cgroup_test", filter, nullptr);
  ::_exit(125);
}

TEST_F(CgroupTest, ContainerWithReadOnlyCgroupsIsToldSo) {
  if (std::getenv("VM_RUN") == nullptr) GTEST_SKIP() << "moves processes about: only in a virtual machine of our own";
  if (::geteuid() != 0 || place_->version() != Version::v2) GTEST_SKIP() << "needs root and v2";
  const auto ended = in_container(Mounted::read_only, "--gtest_filter=ReadOnlyCgroups.*");
  EXPECT_TRUE(ended.exited_with(0)) << "wait status " << ended.status;
}

TEST(ReadOnlyCgroups, AreTheNamedCause) {
  const char* in_container = std::getenv("HELIOS_CGROUP_ENTRY");
  if (in_container == nullptr || ::access("/sys/fs/cgroup/cgroup.type", F_OK) != 0)
    GTEST_SKIP() << "see ContainerWith…";
  const auto place = Placement::find({});
  ASSERT_FALSE(place);
  EXPECT_THAT(place.error().message, HasSubstr("Read-only file system"));
}

TEST_F(CgroupTest, ContainerWithWritableCgroupsIsEntered) {
  if (std::getenv("VM_RUN") == nullptr) GTEST_SKIP() << "moves processes about: only in a virtual machine of our own";
  if (::geteuid() != 0 || place_->version() != Version::v2) GTEST_SKIP() << "needs root and v2";
  if (::access("/run/systemd/system", F_OK) == 0) GTEST_SKIP() << "this group is systemd's";
  const auto ended = in_container(Mounted::writable,
                                  "--gtest_filter=*PlaceIsTheExpectedOne:*InForce*:*PeakMemory*:*ForkBomb*:*Sweep*");
  EXPECT_TRUE(ended.exited_with(0)) << "wait status " << ended.status;
}

// Bound for a busy machine; the usual figures are in docs/performance.md.
TEST_F(CgroupTest, MakingReadingAndRemovingAreCheap) {
  using Clock = std::chrono::steady_clock;
  using Us = std::chrono::duration<double, std::micro>;
  std::vector<double> find, make_us, read, remove;
  const bool emulated = std::getenv("VM_RUN") != nullptr;
  { auto first = make({64 * kMiB, 0, 500, 20}, everything()); }
  for (int i = 0; i < 60; ++i) {
    const auto t0 = Clock::now();
    const auto place = Placement::find(options_);
    const auto t1 = Clock::now();
    auto group = RunGroup::create(*place, owner_token(), {64 * kMiB, 0, 500, 20}, everything());
    const auto t2 = Clock::now();
    ASSERT_TRUE(group) << group.error().message;
    (void)group->read();
    const auto t3 = Clock::now();
    ASSERT_TRUE(group->remove());
    const auto t4 = Clock::now();
    find.push_back(Us(t1 - t0).count());
    make_us.push_back(Us(t2 - t1).count());
    read.push_back(Us(t3 - t2).count());
    remove.push_back(Us(t4 - t3).count());
  }
  const auto median = [](std::vector<double>& v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
  };
  std::printf("median us: find %.0f, create %.0f, read %.0f, remove %.0f\n", median(find), median(make_us),
              median(read), median(remove));
  if (!emulated) {
    EXPECT_LT(make_us.front() + find.front(), 5000.0);
  }
}

}  // namespace
}  // namespace helios::cgroup
