// The policies that ship: the figures the documentation promises, the schema, and what loading one costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "core/policy/policy.h"

namespace helios::policy {
namespace {

using nlohmann::json;
const std::string kPolicies = HELIOS_BINARY_DIR "/policies";

Policy shipped(const std::string& name) {
  auto loaded = load_policy(name, {kPolicies});
  EXPECT_TRUE(loaded) << loaded.error().message;
  return loaded ? *loaded : Policy{};
}

TEST(ShippedPolicies, AreFour) {
  EXPECT_THAT(list_policies({kPolicies}), testing::ElementsAre("compute", "default", "render", "strict"));
}

TEST(ShippedPolicies, DefaultHoldsWhatIsPromised) {
  const Policy p = shipped("default");
  EXPECT_EQ(p.defaults[Limit::memory], 1U << 30);
  EXPECT_EQ(p.defaults[Limit::swap], 0U);
  EXPECT_EQ(p.defaults[Limit::processes], 512U);
  EXPECT_EQ(p.defaults[Limit::wall_time], 3600000U);
  EXPECT_EQ(p.defaults[Limit::disk_bytes], 2ULL << 30);
  EXPECT_EQ(p.defaults[Limit::disk_files], 20000U);
  EXPECT_EQ(p.defaults[Limit::open_files], 4096U);
  EXPECT_EQ(p.defaults[Limit::output_bytes], 64U << 20);
  EXPECT_EQ(p.defaults[Limit::cpus], std::nullopt);
  EXPECT_EQ(p.defaults[Limit::cpu_time], std::nullopt);
  EXPECT_EQ(p.profile.network, Network::none);
  EXPECT_EQ(p.profile.rootfs, "host");
  EXPECT_FALSE(p.profile.nested_user_namespaces);
}

TEST(ShippedPolicies, RenderHasRoomForARenderAndEndsItsHang) {
  const Policy p = shipped("render");
  EXPECT_GE(*p.defaults[Limit::memory], 640ULL << 20);
  EXPECT_GE(*p.defaults[Limit::processes], 160U);
  EXPECT_GE(*p.defaults[Limit::open_files], 512U);
  EXPECT_EQ(p.defaults[Limit::idle_time], 120000U);
  EXPECT_THAT(p.profile.env_allow, testing::Contains("PUPPETEER_EXECUTABLE_PATH"));
  EXPECT_EQ(p.profile.network, Network::none);
}

TEST(ShippedPolicies, StrictIsSmallAndHasNoSockets) {
  const Policy p = shipped("strict");
  EXPECT_LE(*p.defaults[Limit::processes], 32U);
  EXPECT_EQ(p.profile.seccomp_json.find("\"socket\""), std::string::npos);
}

json read_json(const std::string& path) {
  std::ifstream in(path);
  return json::parse(in);
}

std::string schema_errors(const json& document) {
  static const json schema_text = read_json(kPolicies + "/policy.schema.json");
  valijson::Schema schema;
  valijson::SchemaParser().populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_text), schema);
  valijson::ValidationResults results;
  valijson::Validator().validate(schema, valijson::adapters::NlohmannJsonAdapter(document), &results);
  std::string text;
  for (valijson::ValidationResults::Error error; results.popError(error);) text += error.description + "\n";
  return text;
}

TEST(PolicySchema, AcceptsWhatShips) {
  for (const char* name : {"default", "strict", "compute", "render"}) {
    EXPECT_EQ(schema_errors(read_json(kPolicies + "/" + name + ".json")), "") << name;
  }
  for (const char* name : {"podman", "docker", "docker_like"}) {
    const json profile = read_json(std::string(HELIOS_SOURCE_DIR) + "/tests/data/seccomp/" + name + ".json");
    EXPECT_EQ(schema_errors(json{{"seccomp", profile}}), "") << name;
  }
}

TEST(PolicySchema, RefusesWhatTheReaderRefuses) {
  for (const char* text :
       {R"({"limit":{}})", R"({"limits":{"memroy":1}})", R"({"limits":{"memory":"lots"}})", R"({"network":"some"})",
        R"({"mounts":[{"type":"rbind"}]})", R"({"mounts":[{"type":"bind","source":"usr"}]})", R"({"tmp":0})",
        R"({"environment":{"allow":["A*B"]}})", R"({"environment":{"set":{"A":1}}})", R"({"rootfs":"root"})",
        R"({"seccomp":7})"}) {
    EXPECT_NE(schema_errors(json::parse(text)), "") << text;
  }
}

TEST(PolicySchema, KnowsEveryLimit) {
  const json schema = read_json(kPolicies + "/policy.schema.json");
  const json& known = schema["definitions"]["limits"]["properties"];
  EXPECT_EQ(known.size(), kLimitCount + 1) << "and \"why\"";
  for (const LimitInfo& limit : kLimits) EXPECT_TRUE(known.contains(std::string(limit.key))) << limit.key;
}

}  // namespace
}  // namespace helios::policy
