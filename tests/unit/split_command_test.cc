#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "core/spec/command_line.h"

namespace helios::spec {
namespace {

using Words = std::vector<std::string>;

nlohmann::json golden_cases() {
  std::ifstream file(HELIOS_SOURCE_DIR "/tests/data/golden/command_lines.json");
  return nlohmann::json::parse(file).at("cases");
}

TEST(SplitCommand, AgreesWithHeliosInEveryRecordedCase) {
  const nlohmann::json cases = golden_cases();
  EXPECT_EQ(cases.size(), 80U);
  for (const auto& recorded : cases) {
    const auto argv = split_command(recorded.at("command").get<std::string>());
    const auto& expect = recorded.at("expect");
    if (expect.contains("error")) {
      EXPECT_FALSE(argv) << recorded.at("id");
    } else {
      ASSERT_TRUE(argv) << recorded.at("id");
      EXPECT_EQ(*argv, expect.at("argv").get<Words>()) << recorded.at("id");
    }
  }
}

// What Helios' parser accepts and no kernel can run. Splitting them is Helios' business and done as Helios does it; the
// spec reader refuses NUL (a kernel string ends there: the program would get less than the spec says) and the executor
// an argv without a program. Helios throws in each of these cases, too, only later and from Node's spawn().
TEST(SplitCommand, LeavesWhatCannotRunToItsCallers) {
  const std::map<std::string, std::string> why{{"refused-04", "empty program"},
                                               {"refused-06", "no program"},
                                               {"refused-08", "empty program"},
                                               {"refused-10", "empty program"},
                                               {"refused-12", "NUL in argv"}};
  std::map<std::string, std::string> found;
  for (const auto& recorded : golden_cases()) {
    const auto argv = split_command(recorded.at("command").get<std::string>());
    if (!argv) continue;
    const std::string id = recorded.at("id");
    if (argv->empty()) {
      found[id] = "no program";
    } else if (argv->front().empty()) {
      found[id] = "empty program";
    }
    for (const auto& word : *argv) {
      if (word.find('\0') != std::string::npos) found[id] = "NUL in argv";
    }
    EXPECT_EQ(found.count(id) != 0, recorded.at("run").contains("error") && id != "refused-14") << id;
  }
  EXPECT_EQ(found, why);
}

TEST(SplitCommand, RefusesABlankCommand) {
  for (const char* blank : {"", " ", "\t\n\v\f\r", "\xC2\xA0\xEF\xBB\xBF\xE3\x80\x80", "\xE2\x80\xA8\xE2\x80\x80"}) {
    EXPECT_FALSE(split_command(blank));
    EXPECT_TRUE(is_blank(blank));
  }
  EXPECT_FALSE(is_blank("\xE2\x80\x8B"));  // U+200B is no white space in JavaScript
}

TEST(SplitCommand, SplitsAtEveryWhiteSpaceOfJavaScript) {
  for (const char* space :
       {" ", "\t", "\n", "\v", "\f", "\r", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x8A", "\xE2\x80\xA8",
        "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "\xEF\xBB\xBF"}) {
    EXPECT_EQ(split_command(std::string(space) + "a" + space + space + "b" + space).value(), (Words{"a", "b"}));
  }
  for (const char* other : {"\xC2\x85", "\xE1\xA0\x8E", "\xE2\x80\x8B", "\xE2\x81\xA0", "\x1C"}) {
    EXPECT_EQ(split_command(std::string("a") + other + "b").value().size(), 1U);
  }
}

TEST(SplitCommand, KeepsEmptyQuotedArgument) { EXPECT_EQ(split_command("a '' \"\"").value(), (Words{"a", "", ""})); }

TEST(SplitCommand, TakesAWideCharacterAfterABackslashWhole) {
  EXPECT_EQ(split_command("a\\\xE2\x80\x83"
                          "b")
                .value(),
            (Words{"a\xE2\x80\x83"
                   "b"}));
}

TEST(ShellLookingToken, NamesTheToken) {
  const std::map<std::string, std::string> cases{{"cat a | wc", "|"},
                                                 {"a && b", "&&"},
                                                 {"a > out.txt", ">"},
                                                 {"a >out.txt", ">out.txt"},
                                                 {"a 2>&1", "2>&1"},
                                                 {"a < in", "<"},
                                                 {"echo $HOME", "$HOME"},
                                                 {"echo \"$HOME/x\"", "$HOME/x"},
                                                 {"echo ${A}", "${A}"},
                                                 {"echo $(date)", "$(date)"},
                                                 {"echo `date`", "`date`"},
                                                 {"A=1 cmd", "A=1"},
                                                 {"ls *", "*"},
                                                 {"ls out/*.mov", "out/*.mov"},
                                                 {"a ; b", ";"},
                                                 {"a; b", "a;"},
                                                 {"sleep 1 &", "&"},
                                                 {"cat ~/x", "~/x"},
                                                 {"a || b", "||"}};
  for (const auto& [command, token] : cases) EXPECT_EQ(shell_looking_token(command), token) << command;
}

TEST(ShellLookingToken, IsSilentAboutWhatNeedsNoShell) {
  for (const char* command :
       {"helios render a.html -o out/p.mov", "ffmpeg -vf scale=2*iw:-1 o.mov", "a 'x | y'", "a \\| b", "a '$HOME'",
        "a \\$HOME", "curl http://x/?a=1&b=2", "A=1", "env A=1 cmd", "echo 5$", "sh -c \"echo $0 && x > y\"",
        "/bin/bash -c 'a | b'", "", "concat:a.ts|b.ts", "a '*'", "a \">\" b"}) {
    EXPECT_EQ(shell_looking_token(command), std::nullopt) << command;
  }
}

TEST(ShellLookingToken, IsSilentAboutEverySpecHeliosEmits) {
  for (const char* name : {"canvas-h264-4", "dom-css-3", "jobbaseurl-https-2", "nested-dir-2"}) {
    std::ifstream file(std::string(HELIOS_SOURCE_DIR "/tests/data/specs/") + name + ".json");
    const nlohmann::json chunks = nlohmann::json::parse(file).at("chunks");
    EXPECT_FALSE(chunks.empty());
    for (const auto& chunk : chunks) {
      EXPECT_EQ(shell_looking_token(chunk.at("command").get<std::string>()), std::nullopt) << name;
    }
  }
}

}  // namespace
}  // namespace helios::spec
