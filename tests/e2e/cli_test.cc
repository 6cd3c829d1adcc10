// The command line from outside: what is bad gets exit status 125, an empty stdout and one line on stderr; what is
// good gets a result and nothing else on stdout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "apps/helios-run/option_table.h"
#include "tests/support/invocation.h"

namespace helios::test {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class Cli : public testing::Test {
 protected:
  Cli() {
    char name[] = "/tmp/helios-cli-test-XXXXXX";
    dir_ = ::mkdtemp(name);
    fs::create_directory(dir_ / "ws");
    write("ws/s.json",
          R"({"chunks":[{"id":0,"startFrame":0,"frameCount":1,"outputFile":"out.mov","command":"touch out.mov"},
                           {"id":5,"startFrame":1,"frameCount":1,"outputFile":"out.mov","command":"true"}]})");
  }
  ~Cli() override { fs::remove_all(dir_); }

  void write(const std::string& name, const std::string& text) const { std::ofstream(dir_ / name) << text; }
  [[nodiscard]] Invocation start(std::vector<std::string> words) const {
    Invocation i;
    words.insert(words.begin(), helios_run_path());
    i.argv = std::move(words);
    i.env = {{"PATH", "/usr/bin:/bin"}};
    i.cwd = dir_ / "ws";
    return i;
  }
  [[nodiscard]] Finished run(std::vector<std::string> words) const { return run_to_end(start(std::move(words))); }
  // Without groups of its own a host holds fewer limits; these tests are not about them.
  [[nodiscard]] static std::vector<std::string> in_shell(std::vector<std::string> words) {
    words.insert(words.begin(), "--sandbox=shell");
    return words;
  }

  fs::path dir_;
};

std::string expect_refused(const Finished& f, const std::string& what) {
  EXPECT_EQ(f.exit_code, 125) << what << "\n" << f.describe();
  EXPECT_EQ(f.out, "") << what;
  EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << what << ": " << f.err;
  EXPECT_TRUE(f.err.starts_with("helios-run: ")) << what << ": " << f.err;
  return f.err;
}

struct BadLine {
  std::vector<std::string> words;
  const char* says;
};

TEST_F(Cli, RefusesBadUsageWithOneLine) {
  write("ws/file", "");
  fs::create_directory_symlink(dir_ / "ws", dir_ / "link");
  const std::vector<BadLine> lines = {
      {{}, "nothing to run"},
      {{"--"}, "no command"},
      {{"echo", "hi"}, "-- echo"},
      {{"plugns"}, "helios-run plugins"},
      {{"--memroy", "1G", "--", "true"}, "did you mean --memory?"},
      {{"--memory"}, "--memory"},
      {{"--memory", "4K", "--", "true"}, "--memory"},
      {{"--memory", "-5", "--", "true"}, "--memory"},
      {{"--memory", "99999999999999999999", "--", "true"}, "--memory"},
      {{"--timeout", "5 parsecs", "--", "true"}, "--timeout"},
      {{"--pids", "0", "--", "true"}, "--pids"},
      {{"--cpus", "nan", "--", "true"}, "--cpus"},
      {{"--network", "some", "--", "true"}, "--network"},
      {{"--output", "xml", "--", "true"}, "--output"},
      {{"--env", "NOVALUE", "--", "true"}, "--env"},
      {{"--shell=2", "--", "true"}, "--shell"},
      {{"--spec", "s.json"}, "--chunk"},
      {{"--spec", "s.json", "--chunk", "-1"}, "--chunk"},
      {{"--spec", "s.json", "--chunk", "3"}, "0, 5"},
      {{"--spec", "missing.json", "--chunk", "0"}, "missing.json"},
      {{"--spec", "file", "--chunk", "0"}, "empty"},
      {{"--spec", "s.json", "--chunk", "0", "--", "true"}, "exclude"},
      {{"--spec", "s.json", "--chunk", "0", "--spec-sha256", std::string(64, '0')}, "sha256"},
      {{"--sandbox", "nope", "--", "true"}, "shell"},
      {{"--sandbox", "../shell", "--", "true"}, "../shell"},
      {{"--policy", "nope", "--", "true"}, "nope"},
      {{"--workspace", "/etc", "--", "true"}, "/etc"},
      {{"--workspace", "/", "--", "true"}, "whole file system"},
      {{"--workspace", "missing", "--", "true"}, "No such file"},
      {{"--workspace", "file", "--", "true"}, "not a directory"},
      {{"--workspace", "../link", "--", "true"}, "symbolic link"},
      {{"--workdir", "/tmp", "--", "true"}, "outside the workspace"},
      {{"--network", "none", "--", "true"}, "--network none: the runner 'shell' confines nothing"},
      {{"--ro-bind", "/usr", "--", "true"}, "'shell' confines nothing"},
      {{"--tmpfs", "/x", "--", "true"}, "'shell' confines nothing"},
      {{"--rootfs", "/usr", "--", "true"}, "'shell' confines nothing"},
      {{"--result", "missing/r.json", "--", "true"}, "missing/r.json"},
      {{"--result", "/dev/null", "--", "true"}, "not a regular file"},
  };
  for (const BadLine& line : lines) {
    std::string shown;
    for (const std::string& word : line.words) shown += word + " ";
    EXPECT_THAT(expect_refused(run(in_shell(line.words)), shown), HasSubstr(line.says)) << shown;
  }
  EXPECT_FALSE(fs::exists(dir_ / "ws/out.mov")) << "nothing was started";
}

TEST_F(Cli, RefusesVariablesThatMakeNoSense) {
  Invocation i = start({"--sandbox=shell", "--", "true"});
  i.env.emplace_back("HELIOS_MEMORY", "lots");
  EXPECT_THAT(expect_refused(run_to_end(i), "HELIOS_MEMORY=lots"), HasSubstr("HELIOS_MEMORY"));
}

TEST_F(Cli, EscapesWhatItQuotes) {
  const std::string line = expect_refused(run({"--sandbox", "a\x1b[31m\nb", "--", "true"}), "control characters");
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST_F(Cli, RefusesAnOutputOutsideAndNamesTheWayOut) {
  write("ws/up.json",
        R"({"chunks":[{"id":0,"startFrame":0,"frameCount":1,"outputFile":"../out/x","command":"true"}]})");
  EXPECT_THAT(expect_refused(run(in_shell({"--spec", "up.json", "--chunk", "0"})), "../out/x"),
              HasSubstr("--workspace .."));
}

TEST_F(Cli, AnswersItsVersionAndItsHelp) {
  EXPECT_THAT(run({"--version"}).out, testing::MatchesRegex("helios-run [0-9.]+\n"));
  const Finished help = run({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  for (const auto& row : app::option_rows()) {
    if (row.scope > app::Scope::runs) continue;
    EXPECT_THAT(help.out, HasSubstr(std::string(row.flag)));
  }
}

TEST_F(Cli, DocumentsEveryOption) {
  std::ifstream file(HELIOS_SOURCE_DIR "/docs/cli.md");
  std::stringstream text;
  text << file.rdbuf();
  for (const auto& row : app::option_rows()) {
    EXPECT_THAT(text.str(), HasSubstr("`" + std::string(row.flag) + (row.value.empty() ? "`" : " "))) << row.flag;
    EXPECT_THAT(text.str(), HasSubstr(app::variable_of(row)));
  }
}

TEST_F(Cli, GivesAResultAndNothingElse) {
  const Finished f =
      run(in_shell({"--allow-degraded=memory,swap,cpus,cpuTime,processes,diskBytes,diskFiles", "--", "echo", "hi"}));
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  ASSERT_TRUE(f.has_result()) << f.describe();
  EXPECT_EQ(f.text("stdout"), "hi\n");
  EXPECT_EQ(f.reason(), "exited");
}

TEST_F(Cli, ReadsItsSpecFromStandardInputToo) {
  Invocation i = start(in_shell({"--allow-degraded=memory,swap,cpus,cpuTime,processes,diskBytes,diskFiles", "--spec",
                                 "-", "--chunk", "0", "--require-output", "--result", "../r.json"}));
  std::ifstream file(dir_ / "ws/s.json");
  i.stdin_text.assign(std::istreambuf_iterator<char>(file), {});
  const Finished f = run_to_end(i);
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  EXPECT_TRUE(fs::exists(dir_ / "ws/out.mov"));
  std::stringstream written;
  written << std::ifstream(dir_ / "r.json").rdbuf();
  EXPECT_EQ(written.str(), f.out) << "the file holds what stdout got";
}

TEST_F(Cli, SaysWhenTheResultWentNowhere) {
  Invocation i =
      start(in_shell({"--allow-degraded=memory,swap,cpus,cpuTime,processes,diskBytes,diskFiles", "--", "true"}));
  i.closed_stdout = true;
  EXPECT_THAT(expect_refused(run_to_end(i), "closed stdout"), HasSubstr("the command exited with 0"));
  i.closed_stdout = false;
  i.argv = {"/bin/sh",
            "-c",
            "exec \"$@\" >/dev/full",
            "sh",
            helios_run_path(),
            "--sandbox=shell",
            "--allow-degraded=memory,swap,cpus,cpuTime,processes,diskBytes,diskFiles",
            "--",
            "true"};
  EXPECT_THAT(expect_refused(run_to_end(i), "full stdout"), HasSubstr("No space left"));
}

TEST_F(Cli, PrintsAPlanAndStartsNothing) {
  for (const std::vector<std::string>& how : {std::vector<std::string>{"--sandbox=shell", "--dry-run"},
                                              std::vector<std::string>{"--sandbox=dry-run", "--plan-for", "shell"}}) {
    auto words = how;
    for (const char* w : {"--env", "API_TOKEN=hunter2-hunter2", "--", "touch", "made"}) words.emplace_back(w);
    const Finished f = run(words);
    EXPECT_EQ(f.exit_code, 0) << f.describe();
    EXPECT_TRUE(f.has_result()) << f.describe();
    EXPECT_THAT(f.out, HasSubstr("touch"));
    EXPECT_THAT(f.out, testing::Not(HasSubstr("hunter2")));
    EXPECT_FALSE(fs::exists(dir_ / "ws/made"));
  }
}

}  // namespace
}  // namespace helios::test
