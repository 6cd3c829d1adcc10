/// The contract that every runner keeps, whoever starts helios-run. Each test runs for every (runner, identity).
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/scene.h"

namespace helios::test {

struct Place {
  std::string runner;
  Identity who;
};

void PrintTo(const Place& place, std::ostream* out);

class Contract : public testing::TestWithParam<Place> {
 protected:
  void SetUp() override;
  /// Nothing may be left behind after any test.
  void TearDown() override;

  [[nodiscard]] Scene& scene() { return *scene_; }
  [[nodiscard]] const std::string& runner() const { return GetParam().runner; }
  [[nodiscard]] bool isolated() const { return runner() == "isolated"; }

  /// `helios-run … FLAGS -- ./chunk_probe ACTION…`
  [[nodiscard]] Invocation probe(std::vector<std::string> flags, std::vector<std::string> action);
  [[nodiscard]] Finished run_probe(std::vector<std::string> flags, std::vector<std::string> action);
  [[nodiscard]] Finished run_command(std::vector<std::string> flags, const std::vector<std::string>& command);

  /// A spec of one chunk (id 0) in the workspace, and the run of it.
  [[nodiscard]] Finished run_spec(const std::string& output_file, const std::string& command,
                                  std::vector<std::string> flags = {});

 private:
  std::optional<Scene> scene_;
};

/// A result with this reason and exit code, printed by helios-run with the same status and nothing else on stdout.
void expect_ended(const Finished& f, const std::string& reason, int exit_code);

/// Line "KEY: VALUE" of `chunk_probe state`.
[[nodiscard]] std::string state_value(const std::string& text, const std::string& key);

[[nodiscard]] std::vector<Place> places();
[[nodiscard]] std::string place_name(const testing::TestParamInfo<Place>& info);

}  // namespace helios::test
