#include "tests/contract/contract_suite.h"

#include <nlohmann/json.hpp>
#include <sstream>

namespace helios::test {

void PrintTo(const Place& place, std::ostream* out) { *out << place.runner << " as " << place.who.name; }

void Contract::SetUp() {
  scene_.emplace(GetParam().who);
  scene_->bring_probe("chunk_probe");
}

void Contract::TearDown() {
  if (!scene_) return;
  EXPECT_EQ(scene_->left_behind(), std::vector<std::string>{}) << "left behind";
  scene_.reset();
}

Invocation Contract::probe(std::vector<std::string> flags, std::vector<std::string> action) {
  action.insert(action.begin(), "./chunk_probe");
  return scene_->command(runner(), std::move(flags), action);
}

Finished Contract::run_probe(std::vector<std::string> flags, std::vector<std::string> action) {
  return run_to_end(probe(std::move(flags), std::move(action)));
}

Finished Contract::run_command(std::vector<std::string> flags, const std::vector<std::string>& command) {
  return run_to_end(scene_->command(runner(), std::move(flags), command));
}

Finished Contract::run_spec(const std::string& output_file, const std::string& command,
                            std::vector<std::string> flags) {
  const nlohmann::json spec{
      {"metadata", {{"totalFrames", 1}, {"fps", 1}, {"width", 1}, {"height", 1}, {"duration", 1}}},
      {"chunks",
       {{{"id", 0}, {"startFrame", 0}, {"frameCount", 1}, {"outputFile", output_file}, {"command", command}}}},
      {"mergeCommand", "true"}};
  scene_->write(scene_->in_workspace("spec.json"), spec.dump());
  std::vector<std::string> all{"--sandbox", runner(), "--spec", scene_->in_workspace("spec.json"), "--chunk", "0"};
  all.insert(all.end(), flags.begin(), flags.end());
  return run_to_end(scene_->helios_run(std::move(all)));
}

void expect_ended(const Finished& f, const std::string& reason, int exit_code) {
  ASSERT_TRUE(f.has_result()) << f.describe();
  EXPECT_FALSE(f.timed_out) << f.describe();
  EXPECT_EQ(f.reason(), reason) << f.describe();
  EXPECT_EQ(f.exit_code, exit_code) << f.describe();
  EXPECT_EQ(f.result.value("exitCode", -1), exit_code) << f.describe();
  EXPECT_EQ(f.result.value("success", !f.result.contains("success")), reason == "exited" && exit_code == 0)
      << f.describe();
}

std::string state_value(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.rfind(key + ":", 0) == 0) {
      const std::size_t at = line.find_first_not_of(" \t", key.size() + 1);
      return at == std::string::npos ? "" : line.substr(at);
    }
  return "(no " + key + ")";
}

std::vector<Place> places() {
  std::vector<Place> all;
  for (const Identity& who : able_identities())
    for (const char* runner : {"shell", "isolated"}) all.push_back({runner, who});
  return all;
}

std::string place_name(const testing::TestParamInfo<Place>& info) {
  return info.param.runner + "_" + info.param.who.name;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Contract);
INSTANTIATE_TEST_SUITE_P(All, Contract, testing::ValuesIn(places()), place_name);

}  // namespace helios::test
