// What the real Helios worker did with a command is what helios-run does, but for the differences listed here.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/support/scene.h"

namespace helios::test {
namespace {
using nlohmann::json;

// ---- the differences that are meant ----

struct Difference {
  const char* why;
  std::string reason;
  int exit_code;
  std::optional<std::string> out{};  ///< instead of the recorded one
  const char* only_runner{nullptr};
  bool duration_is_free{false};
};

const std::map<std::string, Difference>& differences_meant() {
  static const char* signals = "128+N tells which signal it was; -1 tells nothing";
  static const char* missing =
      "a command that cannot be started is the chunk's failure: 127 or 126 with a result, no exception";
  static const char* background = "what the command leaves in the background is ended with it; nobody waits for a pipe";
  static const char* environment = "`isolated` passes an allow-listed environment";
  static const std::map<std::string, Difference> table = {
      {"signal-term", {signals, "signaled", 128 + SIGTERM}},
      {"signal-kill", {signals, "signaled", 128 + SIGKILL}},
      {"signal-segv", {signals, "signaled", 128 + SIGSEGV}},
      {"spawn-not-found", {missing, "not-started", 127, ""}},
      {"spawn-not-found-path", {missing, "not-started", 127, ""}},
      {"spawn-bad-interpreter", {missing, "not-started", 127, ""}},
      {"spawn-directory", {missing, "not-started", 126, ""}},
      {"spawn-not-executable", {missing, "not-started", 126, ""}},
      {"background-child-keeps-pipe", {background, "exited", 0, "early\n", nullptr, true}},
      {"env-inherited", {environment, "exited", 0, "", "isolated"}},
  };
  return table;
}

// ---- the recorded cases ----

json load(const char* file) {
  std::ifstream in(std::string(HELIOS_TEST_DATA) + "/golden/" + file);
  return json::parse(in, nullptr, false);
}

struct Case {
  json recorded;
  std::string runner;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.runner << " " << c.recorded; }

std::vector<Case> cases_of(const char* file) {
  std::vector<Case> all;
  const json document = load(file);
  for (const char* runner : {"shell", "isolated"})
    if (document.is_object())
      for (const json& recorded : document["cases"]) all.push_back({recorded, runner});
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.runner + "_" + info.param.recorded["id"].get<std::string>();
  for (char& c : name)
    if (isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return name;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

Identity first_able() {
  const std::vector<Identity> able = able_identities();
  return able.empty() ? Identity{} : able.front();
}

class Golden : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (able_identities().empty()) GTEST_SKIP() << "no identity that may run anything";
    scene_.emplace(first_able());
  }
  void TearDown() override {
    if (scene_) {
      EXPECT_EQ(scene_->left_behind(), std::vector<std::string>{});
    }
  }
  [[nodiscard]] const json& recorded() const { return GetParam().recorded; }

  [[nodiscard]] Finished run(const std::string& command) {
    const json spec{
        {"id", "golden"},
        {"metadata", json::object()},
        {"chunks",
         {{{"id", 0}, {"startFrame", 0}, {"frameCount", 1}, {"outputFile", "out/part_0.mov"}, {"command", command}}}},
        {"mergeCommand", ""}};
    scene_->write(scene_->in_workspace("spec.json"), spec.dump());
    Invocation what = scene_->helios_run(
        {"--sandbox", GetParam().runner, "--spec", scene_->in_workspace("spec.json"), "--chunk", "0"});
    if (recorded().contains("env"))
      for (const auto& [name, value] : recorded()["env"].items()) what.env.emplace_back(name, value.get<std::string>());
    return run_to_end(what);
  }

  std::optional<Scene> scene_;
};

// ---- worker results ----

class GoldenWorkerResult : public Golden {
 protected:
  void place_files() const {
    if (!recorded().contains("files")) return;
    for (const auto& [name, file] : recorded()["files"].items())
      scene_->write(scene_->in_workspace(name), file.value("text", ""), file.value("mode", 0644U));
  }

  [[nodiscard]] const Difference* difference() const {
    const auto it = differences_meant().find(recorded()["id"]);
    if (it == differences_meant().end()) return nullptr;
    const bool here = it->second.only_runner == nullptr || GetParam().runner == it->second.only_runner;
    return here ? &it->second : nullptr;
  }

  [[nodiscard]] bool is_lax(const char* field) const {
    if (!recorded().contains("lax")) return false;
    for (const json& lax : recorded()["lax"])
      if (lax == field) return true;
    return false;
  }
};

TEST_P(GoldenWorkerResult, IsMet) {
  if (recorded()["command"].get<std::string>().rfind("node ", 0) == 0 && access("/usr/bin/node", X_OK) != 0 &&
      access("/usr/local/bin/node", X_OK) != 0)
    GTEST_SKIP() << "the recorded command is a node program, and node is not installed";
  place_files();
  const Finished f = run(recorded()["command"]);
  ASSERT_TRUE(f.has_result()) << f.describe();
  const Difference* other = difference();
  ASSERT_TRUE(other != nullptr || recorded().contains("result")) << "an exception must be in the table of differences";
  const json expected = recorded().value("result", json::object());
  const std::string why = other != nullptr ? other->why : "as recorded";
  const int exit_code = other != nullptr ? other->exit_code : expected.value("exitCode", -99);
  EXPECT_EQ(f.reason(), other != nullptr ? other->reason : "exited") << why << f.describe();
  EXPECT_EQ(f.result["exitCode"], exit_code) << why << f.describe();
  EXPECT_EQ(f.exit_code, exit_code) << f.describe();
  EXPECT_TRUE(f.result["durationMs"].is_number_integer());
  if (other != nullptr && other->out) {
    EXPECT_EQ(f.text("stdout"), *other->out) << why;
  } else if (expected.contains("stdout")) {
    EXPECT_EQ(f.result["stdout"], expected["stdout"]);
  } else {
    EXPECT_EQ(f.text("stdout").size(), expected.value("stdout_bytes", 0U));
  }
  if (expected.contains("stderr") && !is_lax("stderr")) {
    EXPECT_EQ(f.result["stderr"], expected["stderr"]);
  }
  if (recorded().contains("duration_at_least_ms") && (other == nullptr || !other->duration_is_free)) {
    EXPECT_GE(f.result["durationMs"], recorded()["duration_at_least_ms"]);
  }
  if (recorded().contains("artifacts")) {
    EXPECT_EQ(f.result["output"].value("sha256", ""), recorded()["artifacts"]["out/part_0.mov"]) << f.describe();
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenWorkerResult);
INSTANTIATE_TEST_SUITE_P(All, GoldenWorkerResult, testing::ValuesIn(cases_of("worker_results.json")), case_name);

TEST(GoldenWorkerResults, EveryDifferenceNamesARecordedCase) {
  const json document = load("worker_results.json");
  ASSERT_TRUE(document.is_object());
  for (const auto& [id, difference] : differences_meant()) {
    bool found = false;
    for (const json& recorded : document["cases"]) found |= recorded["id"] == id;
    EXPECT_TRUE(found) << id;
  }
}

// ---- command lines ----

class GoldenCommandLine : public Golden {
 protected:
  void place_programs() const {
    place("argvdump");
    const std::string at = recorded().value("helper_at", "");
    if (!at.empty() && at.back() == '/')
      scene_->make_folder(scene_->in_workspace(at.substr(0, at.size() - 1)));
    else if (!at.empty())
      place(at);
  }
  [[nodiscard]] bool has_empty_program() const {
    const json argv = recorded()["expect"].value("argv", json::array());
    return !argv.empty() && argv[0] == "";
  }
  [[nodiscard]] std::string recorded_argv() const {
    std::string lines;
    for (const json& word : recorded()["run"]["argv_hex"]) lines += word.get<std::string>() + "\n";
    return lines;
  }

 private:
  void place(const std::string& name) const {
    const auto file = scene_->in_workspace(name);
    scene_->make_folder(file.parent_path());
    std::filesystem::copy_file(probe_path("argv_probe"), file);
  }
};

TEST_P(GoldenCommandLine, GivesTheSameArguments) {
  place_programs();
  const std::string command = replaced(replaced(recorded()["command"], "{H}", "./argvdump"), "{Hn}", "argvdump");
  const Finished f = run(command);
  if (recorded()["run"].contains("argv_hex")) {
    ASSERT_TRUE(f.has_result()) << f.describe();
    EXPECT_EQ(f.text("stdout"), recorded_argv()) << f.describe();
    EXPECT_EQ(f.exit_code, recorded()["run"].value("exitCode", -1));
  } else if (recorded()["run"]["error"]["code"] == "ENOENT" || has_empty_program()) {
    // Deliberate: a program that is not found is a result (127), not an exception. "" names none, as in any shell.
    EXPECT_EQ(f.reason(), "not-started") << f.describe();
    EXPECT_EQ(f.exit_code, 127);
  } else {
    // Deliberate: a command without a program is told before anything starts, as a fault of the spec.
    EXPECT_EQ(f.exit_code, 125) << f.describe();
    EXPECT_EQ(f.out, "");
    EXPECT_NE(f.err, "");
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenCommandLine);
INSTANTIATE_TEST_SUITE_P(All, GoldenCommandLine, testing::ValuesIn(cases_of("command_lines.json")), case_name);

TEST(GoldenFiles, AreThere) {
  EXPECT_GE(cases_of("worker_results.json").size(), 66U);
  EXPECT_GE(cases_of("command_lines.json").size(), 80U);
}

}  // namespace
}  // namespace helios::test
