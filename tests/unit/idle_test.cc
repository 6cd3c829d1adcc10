// When a run counts as idle: a target that plays its figures, in real time.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/supervise/supervisor.h"
#include "core/sys/file.h"
#include "tests/unit/plugin_host.h"

namespace helios::supervise {
namespace {

constexpr std::uint64_t kIdleMs = 200;
constexpr std::int64_t kEndNs = 3'500'000'000;  // well beyond the start-up grace and the idle time

/// Ends by itself after kEndNs, or at once when it is told to.
class Played final : public Target {
 public:
  /// Microseconds per second of the clock.
  Played(std::uint64_t cpu, std::uint64_t waiting) : cpu_(cpu), waiting_(waiting) {
    end_ = std::move(*sys::make_pipe());
  }
  [[nodiscard]] int event_fd() const override { return end_.read.get(); }
  [[nodiscard]] std::optional<Ended> on_event() override { return Ended{told_ ? SIGTERM : 0, now_ns()}; }
  void signal(int) override {
    told_ = true;
    (void)!::write(end_.write.get(), "x", 1);
  }
  void kill() override {}
  [[nodiscard]] std::optional<std::uint64_t> cpu_us() override {
    if (now_ns() - begin_ > kEndNs) (void)!::write(end_.write.get(), "x", 1);
    return so_far(cpu_);
  }
  [[nodiscard]] cgroup::CpuWait cpu_wait() override {
    cgroup::CpuWait all;
    for (pid_t tid = 1; tid <= threads_; ++tid) {
      all.push_back({tid, so_far(waiting_) / static_cast<std::uint64_t>(threads_), runs_, ready_});
      if (!ready_) ++runs_;
    }
    return all;
  }
  /// What is waited, by so many threads together.
  void share_among(int threads) { threads_ = threads; }
  /// A thread that is ready all the time and never runs: what it waits is counted when it runs.
  void keep_one_ready() { ready_ = true; }

 private:
  [[nodiscard]] std::uint64_t so_far(std::uint64_t us_per_second) const {
    return static_cast<std::uint64_t>(now_ns() - begin_) / 1000 * us_per_second / 1'000'000;
  }
  std::uint64_t cpu_, waiting_;
  int threads_{1};
  std::uint64_t runs_{4};
  bool ready_{false};
  std::int64_t begin_{now_ns()};
  bool told_{false};
  sys::Pipe end_;
};

/// Nobody cancels.
class Patient final : public test::RecordingHost {
 public:
  [[nodiscard]] int cancel_fd() const noexcept override { return -1; }
};

std::optional<Reason> cause_of(Played target, ExecutionRequest request = {}) {
  auto out = sys::make_pipe(), err = sys::make_pipe();
  request.limits[Limit::idle_time] = kIdleMs;
  Patient host;
  return supervise(target, {std::move(out->read), std::move(err->read)}, request, host, {now_ns(), {}, 0}).cause;
}

TEST(Idle, AQuietRunIsEnded) { EXPECT_EQ(cause_of({0, 0}), Reason::idle_limit); }

TEST(Idle, HardlyAnyCpuIsNoWork) { EXPECT_EQ(cause_of({35'000, 100'000}), Reason::idle_limit); }

TEST(Idle, WorkIsLeftAlone) { EXPECT_EQ(cause_of({500'000, 0}), std::nullopt); }

TEST(Idle, WorkThatOnlyWaitsForAProcessorIsLeftAlone) { EXPECT_EQ(cause_of({14'000, 980'000}), std::nullopt); }

TEST(Idle, ManyThreadsThatEachWaitALittleAreNoWork) {
  Played target(35'000, 3'000'000);
  target.share_among(100);
  EXPECT_EQ(cause_of(std::move(target)), Reason::idle_limit);
}

TEST(Idle, AThreadThatNeverGetsOneIsLeftAlone) {
  Played target(0, 0);
  target.keep_one_ready();
  EXPECT_EQ(cause_of(std::move(target)), std::nullopt);
}

/// A file that grows all the time, in a folder that "link" leads to, too.
class Growing {
 public:
  Growing() {
    char name[] = "/tmp/helios-idle-test-XXXXXX";
    request_.workspace = ::mkdtemp(name);
    std::filesystem::create_directory(request_.workspace + "/real");
    std::filesystem::create_symlink("real", request_.workspace + "/link");
    writer_ = std::jthread([file = request_.workspace + "/real/out"](const std::stop_token& stop) {
      for (std::ofstream to(file); !stop.stop_requested(); std::this_thread::sleep_for(std::chrono::milliseconds(10)))
        to << "x" << std::flush;
    });
  }
  ~Growing() {
    writer_ = {};
    std::filesystem::remove_all(request_.workspace);
  }
  [[nodiscard]] ExecutionRequest seen_as(const std::string& output) {
    request_.output_file = request_.workspace + "/" + output;
    return request_;
  }

 private:
  ExecutionRequest request_;
  std::jthread writer_;
};

TEST(Idle, AnOutputFileThatGrowsIsWorkUnlessALinkLeadsToIt) {
  Growing file;
  EXPECT_EQ(cause_of({0, 0}, file.seen_as("real/out")), std::nullopt);
  EXPECT_EQ(cause_of({0, 0}, file.seen_as("link/out")), Reason::idle_limit);
}

TEST(Starved, AThreadThatRanBetweenTheLooksDoesNotCount) {
  const cgroup::CpuWait before{{7, 0, 10, true}, {9, 0, 3, true}};
  EXPECT_FALSE(cgroup::is_starved(before, {{7, 0, 11, true}}, 50'000));
  EXPECT_FALSE(cgroup::is_starved(before, {{8, 0, 1, true}}, 50'000));
  EXPECT_FALSE(cgroup::is_starved(before, {{9, 0, 3, false}}, 50'000));
  EXPECT_TRUE(cgroup::is_starved(before, {{9, 0, 3, true}}, 50'000));
  EXPECT_TRUE(cgroup::is_starved(before, {{7, 25'001, 20, false}}, 50'000));
}

}  // namespace
}  // namespace helios::supervise
