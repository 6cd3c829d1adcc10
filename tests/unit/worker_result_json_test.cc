#include "core/spec/worker_result_json.h"

#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <random>

#include "core/spec/json_writer.h"
#include "core/spec/utf8.h"
#include "core/sys/signal_name.h"

namespace helios::spec {
namespace {

WorkerResult whole_result() {
  WorkerResult r;
  r.exit_code = 137;
  r.out = {"out\n", 10, true};
  r.err = {"\xFF", 1, false};
  r.duration_ms = 5012;
  r.job_id = "job";
  r.chunk_id = 0;
  r.started_at = "2026-11-23T02:00:00.123Z";
  r.execution.termination = {
      Reason::memory_limit, 137, SIGKILL, 0, "memory.max reached", {{"memory.events", "oom_kill", 1}}};
  r.retry = Retry::raise_limit;
  r.execution.usage.set(Figure::duration_ms, 5012, "clock");
  r.execution.usage.set(Figure::cpu_ms, 812.1, "cgroup-v2:cpu.stat");
  r.execution.usage.set(Figure::user_ms, 700, "cgroup-v2:cpu.stat");
  r.execution.usage.set(Figure::peak_memory_bytes, 268435456, "cgroup-v2:memory.peak");
  r.execution.usage.set(Figure::pressure_memory_ms, 40.24, "cgroup-v2:memory.pressure");
  r.execution.usage.set(Figure::setup_ms, 1.9, "clock");
  r.execution.limits = {{Limit::memory, 268435456, 268435456, "cgroup-v2:memory.max"},
                        {Limit::cpus, 1500, {}, "degraded"}};
  r.execution.isolation = {"user", "mount"};
  r.runner = "isolated";
  r.runner_version = "1.0.0";
  r.policy = "default";
  r.policy_sha256 = "ab";
  r.output = OutputFile{"chunk_0.mp4", true, 1048576, "cd", ""};
  r.host = {"6.1.0", "v2", 2};
  r.execution.denied = {{"ptrace", 101, 3, "EPERM", "0x0", "gdb"}};
  r.execution.survivors = {{42, "sleep"}};
  r.execution.survivor_count = 7;
  r.execution.last_processes = {{43, 42, "sleep \x1b 60", 4096, "S", "do_wait"}, {44, 43, "[sh]", 0, "R", ""}};
  r.bottleneck = "throttled";
  r.execution.notes = {"weaker"};
  return r;
}

TEST(WorkerResultJson, WritesEveryPartInItsOrder) {
  EXPECT_EQ(
      to_json(whole_result()),
      R"({"exitCode":137,"stdout":"out\n","stderr":"�","durationMs":5012,"success":false,"jobId":"job","chunkId":0,)"
      R"("attempt":1,"startedAt":"2026-11-23T02:00:00.123Z","termination":{"reason":"memory-limit","signal":"SIGKILL",)"
      R"("detail":"memory.max reached","evidence":[{"source":"memory.events","field":"oom_kill","value":1}],)"
      R"("retry":"raise-limit"},"resources":{"cpuMs":812.1,"userMs":700.0,"peakMemoryBytes":268435456,)"
      R"("pressure":{"memoryMs":40.2},"setupMs":1.9,"sources":{"cpuMs":"cgroup-v2:cpu.stat",)"
      R"("userMs":"cgroup-v2:cpu.stat","peakMemoryBytes":"cgroup-v2:memory.peak",)"
      R"("pressureMemoryMs":"cgroup-v2:memory.pressure","setupMs":"clock"}},"limits":[{"limit":"memory",)"
      R"("requested":268435456,"effective":268435456,"by":"cgroup-v2:memory.max"},{"limit":"cpus","requested":1500,)"
      R"("by":"degraded"}],"sandbox":{"runner":"isolated","version":"1.0.0","policy":"default","policySha256":"ab",)"
      R"("isolation":["user","mount"]},"capture":{"stdoutBytes":10,"stderrBytes":1,"stdoutTruncated":true,)"
      R"("stderrTruncated":false},"output":{"path":"chunk_0.mp4","exists":true,"bytes":1048576,"sha256":"cd"},)"
      R"("host":{"kernel":"6.1.0","cgroup":"v2","cpus":2},"denied":[{"syscall":"ptrace","count":3,"errno":"EPERM",)"
      R"("number":101,"args":"0x0","process":"gdb"}],"survivors":[{"pid":42,"name":"sleep"}],"survivorCount":7,)"
      R"("lastWords":{"processes":[{"pid":43,"parent":42,"command":"sleep \u001b 60","memoryBytes":4096,"state":"S",)"
      R"("waitChannel":"do_wait"},{"pid":44,"parent":43,"command":"[sh]","memoryBytes":0,"state":"R"}]},)"
      R"("bottleneck":"throttled","notes":["weaker"]})");
}

TEST(WorkerResultJson, LeavesOutWhatIsNotThere) {
  const auto json = nlohmann::json::parse(to_json(WorkerResult{}));
  for (const char* key :
       {"chunkId", "output", "denied", "survivors", "survivorCount", "lastWords", "bottleneck", "notes"}) {
    EXPECT_FALSE(json.contains(key)) << key;
  }
  EXPECT_EQ(json.at("termination"), nlohmann::json::parse(R"({"reason":"exited","retry":"never"})"));
  EXPECT_EQ(json.at("resources"), nlohmann::json::parse(R"({"sources":{}})"));
  EXPECT_EQ(json.at("limits"), nlohmann::json::array());
}

TEST(WorkerResultJson, IndentsLikeTheLibrary) {
  const std::string text = to_json(whole_result(), 2);
  EXPECT_EQ(text, nlohmann::ordered_json::parse(text).dump(2));
  EXPECT_EQ(nlohmann::json::parse(text), nlohmann::json::parse(to_json(whole_result())));
}

TEST(WorkerResultJson, SaysWhyAnOutputDoesNotCount) {
  WorkerResult r;
  r.output = OutputFile{"o", true, 5, "", "is a symbolic link"};
  EXPECT_EQ(nlohmann::json::parse(to_json(r)).at("output"),
            nlohmann::json::parse(R"({"path":"o","exists":true,"problem":"is a symbolic link"})"));
}

TEST(JsonWriter, EscapesWhatTheLibraryEscapes) {
  std::mt19937 random(5);  // NOLINT(cert-msc51-cpp): the same texts in every run
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::size_t n = random() % 60; n > 0; --n) text += static_cast<char>(random() % (round % 2 == 0 ? 128 : 256));
    std::string out;
    append_json_string(out, text);
    ASSERT_EQ(out, nlohmann::json(sanitize_utf8(text)).dump());
  }
}

TEST(PlanJson, GroupsItemsBySection) {
  Plan plan;
  plan.request.argv = {"true"};
  plan.request.workspace = "/w";
  plan.request.workdir = "/w/d";
  plan.items = {{"env", "PATH", "/bin"}, {"mounts", "/tmp", "tmpfs"}, {"env", "HOME", "/"}};
  plan.missing = {{"cgroup:memory", Severity::blocking, "no group", "run as root"}};
  EXPECT_EQ(
      plan_to_json(plan, "isolated", -1),
      R"({"runner":"isolated","argv":["true"],"workdir":"/w/d","workspace":"/w","plan":[{"section":"env","items":)"
      R"([{"key":"PATH","value":"/bin"},{"key":"HOME","value":"/"}]},{"section":"mounts","items":[{"key":"/tmp",)"
      R"("value":"tmpfs"}]}],"missing":[{"feature":"cgroup:memory","severity":"blocking","detail":"no group",)"
      R"("remedy":"run as root"}]})");
  EXPECT_EQ(findings_to_json({}), "[]");
}

TEST(SignalName, NamesEverySignal) {
  EXPECT_EQ(sys::signal_name(SIGKILL), "SIGKILL");
  EXPECT_EQ(sys::signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
}

}  // namespace
}  // namespace helios::spec
