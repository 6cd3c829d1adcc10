// The Executor with a runner that only pretends.

#include "core/executor/executor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "core/executor/cancel_signals.h"
#include "core/executor/result_file.h"
#include "core/sys/file.h"

namespace helios {
namespace {

using testing::HasSubstr;

// Plays what a test wrote down for it.
class ScriptedRunner final : public Runner {
 public:
  Result<std::vector<Finding>> probe(Host&) noexcept override { return std::vector<Finding>{}; }
  Result<Plan> plan(const ExecutionRequest& request, Host&) noexcept override {
    return Plan{request, {{"env", "API_TOKEN", "hunter2"}}, {}, nullptr};
  }
  Result<Execution> run(const Plan& plan, Host& host) noexcept override {
    seen = plan.request;
    if (error) return fail(*error);
    for (const auto& [stream, bytes] : output) host.output(stream, bytes);
    if (!leaves.empty()) std::ofstream(plan.request.output_file) << leaves;
    return execution;
  }

  Execution execution;
  std::vector<std::pair<Stream, std::string>> output;
  std::string leaves;
  std::optional<Error> error;
  ExecutionRequest seen;
};

class ExecutorTest : public testing::Test {
 protected:
  ExecutorTest() {
    char name[] = "/tmp/helios-executor-test-XXXXXX";
    ws_ = ::mkdtemp(name);
    spec_.id = "job";
    chunk_.id = 3;
    chunk_.command = "render it";
    chunk_.output_file = "out.mov";
    policy_.profile.policy_name = "default";
  }
  ~ExecutorTest() override { (void)!std::system(("rm -rf '" + ws_ + "'").c_str()); }

  Executor executor() {
    ExecutorHooks hooks;
    hooks.log = [this](LogLevel, std::string_view m) { logged_ += std::string(m) + "\n"; };
    hooks.now = [] { return std::chrono::system_clock::time_point(std::chrono::milliseconds(1795399200123)); };
    return Executor({&runner_, "scripted", "1.2"}, std::move(hooks));
  }
  Result<WorkerResult> run() {
    Executor e = executor();
    const Job job{&spec_, &chunk_, {}, ws_};
    auto request = e.prepare(job, policy_, options_, {ws_, {{"PATH", "/bin"}}, "", ""});
    if (!request) return fail(request.error());
    return e.run(job, options_, *request);
  }

  std::string ws_, logged_;
  JobSpec spec_;
  Chunk chunk_;
  policy::Policy policy_;
  RunOptions options_;
  ScriptedRunner runner_;
};

TEST_F(ExecutorTest, AssemblesTheResult) {
  runner_.output = {{Stream::out, "hel"}, {Stream::err, "oops"}, {Stream::out, "lo"}};
  runner_.execution.usage.set(Figure::duration_ms, 1203.6, "clock");
  runner_.leaves = "movie";
  auto r = run();
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_TRUE(r->success);
  EXPECT_EQ(r->exit_code, 0);
  EXPECT_EQ(r->out.text, "hello");
  EXPECT_EQ(r->err.text, "oops");
  EXPECT_EQ(r->duration_ms, 1204U);
  EXPECT_EQ(r->job_id, "job");
  EXPECT_EQ(r->chunk_id, 3U);
  EXPECT_EQ(r->started_at, "2026-11-23T02:00:00.123Z");
  EXPECT_EQ(r->runner, "scripted");
  EXPECT_EQ(r->runner_version, "1.2");
  EXPECT_EQ(r->policy, "default");
  ASSERT_TRUE(r->output);
  EXPECT_EQ(r->output->path, "out.mov");
  EXPECT_EQ(r->output->bytes, 5U);
  EXPECT_EQ(runner_.seen.output_file, ws_ + "/out.mov");
}

TEST_F(ExecutorTest, PassesARunnersErrorOn) {
  runner_.error = Error{ErrorCode::unsupported, "no user namespaces", "sysctl …"};
  auto r = run();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().message, "no user namespaces");
}

TEST_F(ExecutorTest, MissingOutputFailsOnlyWhenRequired) {
  auto lenient = run();
  EXPECT_TRUE(lenient->success);
  EXPECT_FALSE(lenient->output->exists);
  options_.require_output = true;
  auto strict = run();
  EXPECT_FALSE(strict->success);
  EXPECT_EQ(strict->exit_code, 1);
  EXPECT_EQ(strict->execution.termination.reason, Reason::output_missing);
  EXPECT_THAT(strict->execution.termination.detail, HasSubstr("out.mov"));
}

TEST_F(ExecutorTest, StaleOutputDoesNotCount) {
  std::ofstream(ws_ + "/out.mov") << "of yesterday";
  options_.require_output = true;
  EXPECT_EQ(run()->execution.termination.reason, Reason::output_missing);
  runner_.leaves = "of today";
  EXPECT_TRUE(run()->success);
}

TEST_F(ExecutorTest, AFailedCommandStaysItsOwnReason) {
  options_.require_output = true;
  runner_.execution.termination.exit_code = 9;
  auto r = run();
  EXPECT_EQ(r->execution.termination.reason, Reason::exited);
  EXPECT_EQ(r->exit_code, 9);
  EXPECT_FALSE(r->success);
}

TEST_F(ExecutorTest, CapturesWithinTheOutputLimit) {
  runner_.output = {{Stream::out, std::string(100, 'a')}};
  options_.limits[Limit::output_bytes] = 10;
  auto r = run();
  EXPECT_TRUE(r->out.truncated);
  EXPECT_EQ(r->out.bytes, 100U);
  options_.capture_bytes = 1000;
  EXPECT_FALSE(run()->out.truncated);
}

TEST_F(ExecutorTest, KeepsTheExactBytesInTheLogFolder) {
  const std::string raw("\xff\x00\xfe", 3);
  runner_.output = {{Stream::out, raw}, {Stream::err, "e"}};
  options_.log_dir = ws_ + "/logs";
  ASSERT_TRUE(run());
  EXPECT_EQ(*sys::read_file(ws_ + "/logs/3.stdout", 100), raw);
  EXPECT_EQ(*sys::read_file(ws_ + "/logs/3.stderr", 100), "e");
  ASSERT_TRUE(run());  // a second try replaces them
  EXPECT_EQ(*sys::read_file(ws_ + "/logs/3.stdout", 100), raw);
  struct stat st {};
  ASSERT_EQ(::stat((ws_ + "/logs/3.stdout").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0600U);
}

TEST_F(ExecutorTest, WritesNoLogThroughALink) {
  options_.log_dir = ws_ + "/logs";
  ::mkdir(options_.log_dir.c_str(), 0755);
  std::ofstream(ws_ + "/victim") << "precious";
  ::symlink("../victim", (ws_ + "/logs/3.stdout").c_str());
  EXPECT_FALSE(run());
  EXPECT_EQ(*sys::read_file(ws_ + "/victim", 100), "precious");
}

TEST_F(ExecutorTest, WarnsOfACommandThatWantsAShell) {
  chunk_.command = "render it | tee log";
  ASSERT_TRUE(run());
  EXPECT_THAT(logged_, HasSubstr("'|'"));
  logged_.clear();
  options_.shell = true;
  ASSERT_TRUE(run());
  EXPECT_EQ(logged_, "");
}

TEST_F(ExecutorTest, ShowsNoSecretInAPlan) {
  Executor e = executor();
  auto plan = e.plan({});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->items.front().value, "<hidden>");
}

TEST(Rfc3339, IsUtcWithMilliseconds) {
  using std::chrono::milliseconds;
  const auto at = [](std::int64_t ms) { return rfc3339(std::chrono::system_clock::time_point(milliseconds(ms))); };
  EXPECT_EQ(at(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(at(951'827'696'007), "2000-02-29T12:34:56.007Z");
  EXPECT_EQ(at(1'798'761'599'999), "2026-12-31T23:59:59.999Z");
  EXPECT_EQ(at(-1), "1969-12-31T23:59:59.999Z");
}

TEST(SetupFailedResult, IsAFailureWithTheErrorsWords) {
  const WorkerResult r = setup_failed_result({ErrorCode::unsupported, "no cgroups"}, {});
  EXPECT_EQ(r.exit_code, 125);
  EXPECT_FALSE(r.success);
  EXPECT_EQ(r.execution.termination.reason, Reason::setup_failed);
  EXPECT_EQ(r.execution.termination.detail, "no cgroups");
}

TEST(CancelSignals, BecomeBytes) {
  auto signals = CancelSignals::install();
  ASSERT_TRUE(signals);
  ::raise(SIGTERM);
  ::raise(SIGINT);
  unsigned char bytes[4] = {};
  EXPECT_EQ(::read(signals->fd(), bytes, sizeof bytes), 2);
  EXPECT_EQ(bytes[0], SIGTERM);
  EXPECT_EQ(bytes[1], SIGINT);
}

TEST(CancelSignals, LeaveAnIgnoredHangupIgnoredAndRestoreTheRest) {
  ::signal(SIGHUP, SIG_IGN);
  {
    auto signals = CancelSignals::install();
    ::raise(SIGHUP);
    unsigned char byte = 0;
    EXPECT_EQ(::read(signals->fd(), &byte, 1), -1);
  }
  struct sigaction now {};
  ::sigaction(SIGTERM, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
  ::signal(SIGHUP, SIG_DFL);
}

TEST_F(ExecutorTest, ResultFileAppearsWholeOrNotAtAll) {
  const std::string path = ws_ + "/r.json";
  { auto dropped = ResultFile::open(path, {}); }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_EQ(std::system(("test -z \"$(ls -A '" + ws_ + "')\"").c_str()), 0) << "nothing is left behind";
  auto file = ResultFile::open(path, {});
  ASSERT_TRUE(file);
  EXPECT_NE(::access(path.c_str(), F_OK), 0) << "not before commit";
  ASSERT_TRUE(file->commit("{}"));
  EXPECT_EQ(*sys::read_file(path, 10), "{}");
}

// A process with our number in another pid namespace, or on another host, writes a result of the same name.
TEST_F(ExecutorTest, ResultFileTouchesNoDraftThatIsHeld) {
  const std::string path = ws_ + "/r.json";
  auto theirs = ResultFile::open(path, {});
  ASSERT_TRUE(theirs);
  auto ours = ResultFile::open(path, {});
  ASSERT_TRUE(ours) << ours.error().message;
  EXPECT_TRUE(theirs->commit("theirs"));
  EXPECT_TRUE(ours->commit("ours"));
  EXPECT_EQ(*sys::read_file(path, 10), "ours");
  EXPECT_EQ(std::system(("test \"$(ls -A '" + ws_ + "')\" = r.json").c_str()), 0) << "nothing else is left";
}

TEST_F(ExecutorTest, DraftsAreClaimedOnlyWhenNobodyHoldsThem) {
  const std::string name = ".r.json." + std::to_string(::getpid()) + ".tmp";
  auto dir = sys::open_file(ws_, O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(dir);
  {
    auto held = ResultFile::open(ws_ + "/r.json", {});
    ASSERT_TRUE(held);
    EXPECT_FALSE(claim_draft(dir->get(), name));
  }
  { auto dead = sys::open_at(dir->get(), name, O_WRONLY | O_CREAT, 0600); }
  EXPECT_TRUE(claim_draft(dir->get(), name));
  auto next = ResultFile::open(ws_ + "/r.json", {});
  ASSERT_TRUE(next);
  EXPECT_FALSE(claim_draft(dir->get(), name)) << "it took the dead one's name";
  ASSERT_EQ(::symlinkat("r.json", dir->get(), ".l.1.tmp"), 0);
  ASSERT_EQ(::mkfifoat(dir->get(), ".f.1.tmp", 0600), 0);
  for (const char* other : {".l.1.tmp", ".f.1.tmp", ".missing.1.tmp"}) EXPECT_FALSE(claim_draft(dir->get(), other));
}

TEST_F(ExecutorTest, ResultFileReplacesNoDeviceAndNoLink) {
  EXPECT_FALSE(ResultFile::open("/dev/null", {}));
  ::symlink("elsewhere", (ws_ + "/link").c_str());
  EXPECT_FALSE(ResultFile::open(ws_ + "/link", {}));
  EXPECT_FALSE(ResultFile::open(ws_ + "/missing/r.json", {}));
}

}  // namespace
}  // namespace helios
