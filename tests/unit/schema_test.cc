/// The schemas that are shipped for editors, held against what the code reads and writes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "core/spec/job_spec_reader.h"
#include "core/spec/worker_result_json.h"

namespace helios::spec {
namespace {

nlohmann::json load(const std::string& path) {
  std::ifstream file(HELIOS_SOURCE_DIR + path);
  return nlohmann::json::parse(file);
}

/// Empty when `value` follows the schema, else the first thing that is wrong.
std::string problem(const std::string& schema_name, const nlohmann::json& value) {
  const nlohmann::json text = load("/docs/schemas/" + schema_name);
  const valijson::adapters::NlohmannJsonAdapter schema_adapter(text);
  valijson::Schema schema;
  valijson::SchemaParser().populateSchema(schema_adapter, schema);
  const valijson::adapters::NlohmannJsonAdapter target(value);
  valijson::ValidationResults results;
  valijson::ValidationResults::Error error;
  if (valijson::Validator().validate(schema, target, &results)) return {};
  return results.popError(error) ? error.description : "invalid";
}

TEST(JobSpecSchema, AcceptsEverySpecHeliosEmits) {
  for (const auto& entry : std::filesystem::directory_iterator(HELIOS_SOURCE_DIR "/tests/data/specs")) {
    EXPECT_EQ(problem("job-spec.schema.json", load("/tests/data/specs/" + entry.path().filename().string())), "")
        << entry.path();
  }
}

TEST(JobSpecSchema, RefusesWhatTheReaderRefuses) {
  const auto chunk = nlohmann::json::parse(
      R"({"id":0,"startFrame":0,"frameCount":1,"outputFile":"o","command":"true","resources":{"memory":"512M"}})");
  for (const char* patch : {R"({"id":-1})", R"({"id":0.5})", R"({"id":null})", R"({"command":" "})", R"({"command":7})",
                            R"({"outputFile":""})", R"({"env":{"A-B":""}})", R"({"env":{"A":1}})", R"({"shell":1})",
                            R"({"resources":{"memory":"5 M"}})", R"({"resources":{"wallTime":"90"}})",
                            R"({"resources":{"cpus":-1}})", R"({"resources":{"processes":"1K"}})"}) {
    nlohmann::json job{{"chunks", {chunk}}};
    ASSERT_EQ(problem("job-spec.schema.json", job), "");
    ASSERT_TRUE(read_job_spec({job.dump(), "s"}, {}));
    job["chunks"][0].merge_patch(nlohmann::json::parse(patch));
    EXPECT_NE(problem("job-spec.schema.json", job), "") << patch;
    EXPECT_FALSE(read_job_spec({job.dump(), "s"}, {})) << patch;
  }
}

TEST(WorkerResultSchema, DescribesTheFullestAndTheEmptiestResult) {
  WorkerResult result;
  EXPECT_EQ(problem("worker-result.schema.json", nlohmann::json::parse(to_json(result))), "");
  result.chunk_id = 1;
  for (std::size_t i = 0; i < kFigureCount; ++i) result.execution.usage.set(static_cast<Figure>(i), 1.5, "source");
  for (const LimitInfo& row : kLimits) result.execution.limits.push_back({row.limit, 1, 1, "by"});
  result.execution.termination = {Reason::syscall_denied, 159, 31, 0, "detail", {{"a", "b", -1}}};
  result.execution.denied = {{"ptrace", 101, 1, "EPERM", "0x0", "gdb"}};
  result.execution.survivors = {{42, "sleep"}};
  result.execution.last_processes = {{42, 1, "sleep 60", 4096, "S", "hrtimer_nanosleep"}, {43, 0, "", 0, "R", ""}};
  result.execution.isolation = {"user"};
  result.bottleneck = "throttled for 63 % of its run time: raise cpus";
  result.execution.notes = {"note"};
  result.output = OutputFile{"o", true, 1, "ab", "problem"};
  EXPECT_EQ(problem("worker-result.schema.json", nlohmann::json::parse(to_json(result))), "");
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    result.execution.termination.reason = static_cast<Reason>(i);
    EXPECT_EQ(problem("worker-result.schema.json", nlohmann::json::parse(to_json(result))), "");
  }
}

}  // namespace
}  // namespace helios::spec
