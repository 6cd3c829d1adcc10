// Every job spec that the real Helios emitted: chunk 0 runs, with a program named `helios` of the test's own that
// prints its arguments.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "tests/support/scene.h"

namespace helios::test {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

struct Case {
  fs::path spec;
  std::string runner;
};

std::vector<Case> all_specs() {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(std::string(HELIOS_TEST_DATA) + "/specs", error))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Case> all;
  for (const char* runner : {"shell", "isolated"})
    for (const fs::path& file : files) all.push_back({file, runner});
  return all;
}

void PrintTo(const Case& c, std::ostream* out) { *out << c.runner << " " << c.spec; }

std::string spec_name(const testing::TestParamInfo<Case>& tested) {
  std::string name = tested.param.runner + "_" + tested.param.spec.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Helios' own rule, for what these specs hold: blanks split, a quote joins everything up to the next quote or the end.
std::vector<std::string> words_of(const std::string& command) {
  std::vector<std::string> words(1);
  bool quoted = false;
  for (char c : command) {
    if (c == '\'')
      quoted = !quoted;
    else if (c == ' ' && !quoted)
      words.emplace_back();
    else
      words.back() += c;
  }
  return words;
}

class GoldenSpec : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (able_identities().empty()) GTEST_SKIP() << "no identity that may run anything";
    scene_.emplace(able_identities().front());
    scene_->write(scene_->outside() / "bin" / "helios", "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done\n",
                  0755);
    spec_ = json::parse(std::ifstream(GetParam().spec), nullptr, false);
    ASSERT_TRUE(spec_.is_object());
    folder_ = scene_->in_workspace("project");
    scene_->write(folder_ / "job.json", spec_.dump());
    scene_->make_folder(folder_);
  }
  void TearDown() override {
    if (scene_) {
      EXPECT_EQ(scene_->left_behind(), std::vector<std::string>{});
    }
  }

  /// Started in the spec's folder, as Helios would be.
  [[nodiscard]] Finished run(std::vector<std::string> more) {
    const bool isolated = GetParam().runner == "isolated";
    const std::string bin = isolated ? "/opt/helios-test" : (scene_->outside() / "bin").string();
    std::vector<std::string> flags{"--sandbox", GetParam().runner, "--spec",
                                   "job.json",  "--env",           "PATH=" + bin + ":/usr/bin:/bin"};
    if (isolated) {
      flags.emplace_back("--ro-bind");
      flags.push_back((scene_->outside() / "bin").string() + ":" + bin);
    }
    flags.insert(flags.end(), more.begin(), more.end());
    Invocation what = scene_->helios_run(flags);
    what.cwd = folder_;
    return run_to_end(what);
  }
  [[nodiscard]] bool reaches_outside() const {
    return !spec_["chunks"].empty() && spec_["chunks"][0]["outputFile"].get<std::string>().rfind("../", 0) == 0;
  }

  std::optional<Scene> scene_;
  json spec_;
  fs::path folder_;
};

TEST_P(GoldenSpec, ItsFirstChunkRuns) {
  if (spec_["chunks"].empty()) {
    const Finished f = run({"--chunk", "0"});
    EXPECT_EQ(f.exit_code, 125) << f.describe();
    EXPECT_EQ(f.out, "");
    EXPECT_NE(f.err.find("chunk"), std::string::npos) << f.err;
    return;
  }
  const Finished f = reaches_outside() ? run({"--chunk", "0", "--workspace", ".."}) : run({"--chunk", "0"});
  ASSERT_TRUE(f.has_result()) << f.describe();
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  std::string expected;
  const std::vector<std::string> words = words_of(spec_["chunks"][0]["command"]);
  for (std::size_t i = 1; i < words.size(); ++i) expected += words[i] + "\n";
  EXPECT_EQ(f.text("stdout"), expected) << f.describe();
  EXPECT_EQ(f.result["output"].value("path", ""), spec_["chunks"][0]["outputFile"]);
  EXPECT_EQ(f.result["output"].value("exists", true), false);
}

TEST_P(GoldenSpec, OutputsOutsideTheWorkspaceAreRefusedWithTheHint) {
  if (!reaches_outside()) return;  // holds only for specs that were written into another folder
  const Finished f = run({"--chunk", "0"});
  EXPECT_EQ(f.exit_code, 125) << f.describe();
  EXPECT_EQ(f.out, "");
  EXPECT_NE(f.err.find("--workspace"), std::string::npos) << f.err;
}

TEST(GoldenSpecs, AreAllThere) { EXPECT_GE(all_specs().size(), 32U); }

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenSpec);
INSTANTIATE_TEST_SUITE_P(All, GoldenSpec, testing::ValuesIn(all_specs()), spec_name);

}  // namespace
}  // namespace helios::test
