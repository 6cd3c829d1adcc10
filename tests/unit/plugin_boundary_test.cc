// Everything survives the C boundary: through the table of a runner in this program, and through the fixture's file.
#include <gmock/gmock.h>

#include "core/plugin/plugin_runner.h"
#include "core/plugin/runner_catalog.h"
#include "helios/plugin.h"
#include "plugin_host.h"
#include "plugin_sample.h"

namespace helios::plugin {
namespace {

using test::RecordingHost;
using test::sample_request;

class PluginBoundary : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = catalog_.open("fixture");
    ASSERT_TRUE(opened) << opened.error().message;
    runner_ = &(*opened)->runner();
  }
  RunnerCatalog catalog_{{HELIOS_TEST_PLUGINS}};
  Runner* runner_{nullptr};
  RecordingHost host_;
};

TEST_F(PluginBoundary, RequestAndPlanSurvive) {
  const auto plan = runner_->plan(sample_request(), host_);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->request, sample_request());
  EXPECT_EQ(plan->items, test::sample_items());
  EXPECT_EQ(plan->missing, test::sample_findings());
  EXPECT_EQ(plan->detail, nullptr);
}

TEST_F(PluginBoundary, ADifferentRequestIsNoticed) {
  auto request = sample_request();
  request.profile.mounts[0].optional = false;
  EXPECT_FALSE(runner_->plan(request, host_));
}

TEST_F(PluginBoundary, FindingsSurvive) {
  const auto found = runner_->probe(host_);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, test::sample_findings());
}

TEST_F(PluginBoundary, ExecutionOutputAndLogSurvive) {
  Plan plan;
  plan.request = sample_request();
  const auto done = runner_->run(plan, host_);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(*done, test::sample_execution());
  EXPECT_EQ(host_.out, "to stdout");
  EXPECT_EQ(host_.err, std::string("to\0stderr", 9));
  EXPECT_EQ(host_.level, LogLevel::warning);
  EXPECT_EQ(host_.logged, "cancel_fd is 17");
}

TEST_F(PluginBoundary, ErrorSurvives) {
  const auto plan = runner_->plan(ExecutionRequest{}, host_);
  ASSERT_FALSE(plan);
  Error expected{ErrorCode::unsupported, "plan: no argv", "give one"};
  expected.sys_errno = 95;
  EXPECT_EQ(plan.error(), expected);
}

TEST_F(PluginBoundary, PlansWithAnotherRunner) {
  auto request = sample_request();
  request.argv = {"other"};
  const auto plan = runner_->plan(request, host_);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(host_.planned, request);
  EXPECT_EQ(plan->items, test::sample_items());
  EXPECT_EQ(plan->missing, test::sample_findings());
}

// ---- sides of different age, by hand
// -----------------------------------------------------------------------------------

TEST(PluginWire, ALimitThatIsNotKnownIsRefusedNotDropped) {
  HeliosRequest raw = *wire::FlatRequest(sample_request()).get();
  const std::array<std::uint64_t, 64> values{};
  const auto profile = wire::sized<HeliosProfile>();
  raw.profile = &profile;
  raw.argv = raw.allow_degraded = {};
  raw.caller_env = raw.extra_env = {};
  raw.limits = {std::uint64_t{1} << 40, values.data(), values.size()};
  const auto read = wire::request(&raw);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, ::testing::HasSubstr("limit 40"));
}

TEST(PluginWire, AnUnknownNetworkIsRefused) {
  const ExecutionRequest request;
  const wire::FlatRequest flat(request);
  HeliosProfile profile = *flat.get()->profile;
  profile.network = 9;
  HeliosRequest raw = *flat.get();
  raw.profile = &profile;
  EXPECT_FALSE(wire::request(&raw));
}

TEST(PluginWire, AnOlderSidesShorterStructLeavesTheRestEmpty) {
  ExecutionRequest request;
  request.cache_dir = "/c";
  request.state_dir = "/s";
  const wire::FlatRequest flat(request);
  HeliosRequest raw = *flat.get();
  raw.size = offsetof(HeliosRequest, cache_dir);
  const auto read = wire::request(&raw);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->state_dir, "/s");
  EXPECT_EQ(read->cache_dir, "");
}

TEST(PluginWire, ASinkWithoutCallbacksIsNotCalled) {
  auto sink = wire::sized<HeliosSink>();
  sink.size = offsetof(HeliosSink, finding);
  wire::Feeder(&sink).execution(test::sample_execution());
  EXPECT_EQ(wire::Feeder(&sink).error(Error{}), 1);
}

TEST(PluginWire, ARunThatDoesNotTellItsEndIsAnError) {
  wire::Collector collected;
  EXPECT_FALSE(collected.execution(0, "x"));
}

TEST(PluginWire, AnUnknownReasonIsAnErrorAndUnknownFiguresAreDropped) {
  wire::Collector collected;
  const HeliosSink& sink = *collected.sink();
  auto figure = wire::sized<HeliosFigure>();
  figure.figure = 999;
  sink.figure(sink.context, &figure);
  auto end = wire::sized<HeliosTermination>();
  end.reason = 999;
  sink.termination(sink.context, &end);
  EXPECT_FALSE(collected.execution(0, "x"));
}

TEST(PluginWire, AFailureWithoutWordsStillIsAnError) {
  wire::Collector collected;
  const auto plan = collected.plan(1, "mute", {});
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, ::testing::HasSubstr("mute"));
}

class Thrower final : public Runner {
 public:
  Thrower() {
    if (ready_ == 0) throw std::runtime_error("cannot be made");
  }
  Result<std::vector<Finding>> probe(Host&) noexcept override { return std::vector<Finding>{}; }
  Result<Plan> plan(const ExecutionRequest&, Host&) noexcept override { return Plan{}; }
  Result<Execution> run(const Plan&, Host&) noexcept override { return Execution{}; }

 private:
  volatile int ready_{0};  // else g++ sees that no object can exist, and warns of its use
};

TEST(PluginShim, AConstructorThatThrowsIsAnError) {
  static constexpr HeliosRunnerPlugin kTable = table<Thrower>("thrower", "1", "throws", 0);
  RecordingHost host;
  const auto found = PluginRunner(kTable).probe(host);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, ::testing::HasSubstr("cannot be made"));
}

TEST(PluginHost, TellsWhereOutputIsKept) {
  RecordingHost host;
  const wire::FlatHost flat(host);
  wire::RemoteHost seen(flat.get());
  EXPECT_EQ(seen.room(Stream::out).data(), host.kept.data());
  EXPECT_EQ(seen.room(Stream::out).size(), host.kept.size());
  EXPECT_TRUE(seen.room(Stream::err).empty());
  EXPECT_TRUE(seen.room(Stream::timeline).empty());
}

TEST(PluginHost, OfAnOlderProgramHasNoRoom) {
  RecordingHost host;
  const wire::FlatHost flat(host);
  HeliosHost older = *flat.get();
  older.size = offsetof(HeliosHost, room);
  wire::RemoteHost seen(&older);
  EXPECT_TRUE(seen.room(Stream::out).empty());
  seen.output(Stream::out, "kept");
  EXPECT_EQ(host.out, "kept");
}

TEST(PluginShim, NamesAreChecked) {
  static_assert(is_runner_name("dry-run2") && !is_runner_name("") && !is_runner_name("A") && !is_runner_name("a/b"));
  static_assert(is_runner_name("abcdefghijklmnopqrstuvwxyz012345") &&
                !is_runner_name("abcdefghijklmnopqrstuvwxyz0123456"));
}

// ---- dry-run
// -------------------------------------------------------------------------------------------------------------

class DryRunPlugin : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = catalog_.open("dry-run");
    ASSERT_TRUE(opened) << opened.error().message;
    loaded_ = *opened;
  }
  RunnerCatalog catalog_{{HELIOS_BINARY_DIR "/plugins"}};
  LoadedRunner* loaded_{nullptr};
  RecordingHost host_;
};

TEST_F(DryRunPlugin, SaysThatItStartsNothing) {
  EXPECT_TRUE(loaded_->starts_nothing);
  EXPECT_FALSE(loaded_->inherits_environment);
}

TEST_F(DryRunPlugin, PlansTheNamedRunner) {
  auto request = sample_request();
  request.plan_for = "other";
  const auto plan = loaded_->runner().plan(request, host_);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->items, test::sample_items());
  EXPECT_EQ(host_.planned, request);
}

TEST_F(DryRunPlugin, PlansIsolatedUnlessTold) {
  auto request = sample_request();
  request.plan_for.clear();
  const auto plan = loaded_->runner().plan(request, host_);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message, "no runner isolated");
  EXPECT_EQ(plan.error().remedy, "there is: other");
}

TEST_F(DryRunPlugin, RefusesToPlanItselfAndToRun) {
  auto request = sample_request();
  request.plan_for = "dry-run";
  EXPECT_FALSE(loaded_->runner().plan(request, host_));
  Plan plan;
  plan.request = sample_request();
  plan.request.plan_for = "other";
  EXPECT_FALSE(loaded_->runner().run(plan, host_));
}

}  // namespace
}  // namespace helios::plugin
