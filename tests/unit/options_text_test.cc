// What people read: the summary, and that nothing of a chunk's output acts on their terminal.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/helios-run/text.h"
#include "core/log.h"

namespace helios::app {
namespace {

using testing::HasSubstr;
using testing::Not;

WorkerResult failed() {
  WorkerResult r;
  r.chunk_id = 4;
  r.exit_code = 137;
  r.execution.termination.reason = Reason::memory_limit;
  r.execution.termination.detail = "memory.max 1048576 reached";
  r.execution.limits = {{Limit::memory, 1 << 20, 1 << 20, "cgroup-v2:memory.max"},
                        {Limit::swap, 0, std::nullopt, "degraded"}};
  r.execution.usage.set(Figure::peak_memory_bytes, 1 << 20, "x");
  r.err = {"first\nlast \x1b[31mred\x1b[0m\r\n", 30, false};
  r.retry = Retry::raise_limit;
  r.runner = "isolated";
  return r;
}

TEST(ResultText, SaysWhyWhatItCostAndWhatHeld) {
  const std::string text = result_text(failed());
  EXPECT_THAT(text, testing::StartsWith("FAILED: chunk 4 exceeded its memory limit"));
  EXPECT_THAT(text, HasSubstr("memory.max 1048576 reached"));
  EXPECT_THAT(text, HasSubstr("exit status 137"));
  EXPECT_THAT(text, HasSubstr("memory 1M (cgroup-v2:memory.max)"));
  EXPECT_THAT(text, HasSubstr("NOT HELD"));
  EXPECT_THAT(text, HasSubstr("peak memory 1.0 MiB"));
  EXPECT_THAT(text, HasSubstr("| last"));
  EXPECT_THAT(text, HasSubstr("raise-limit"));
}

TEST(ResultText, LetsNoControlCharacterThrough) {
  WorkerResult r = failed();
  r.execution.termination.detail = "a\x1b]0;title\x07\nb";
  r.output = OutputFile{"x\x1b[2J", false, 0, "", ""};
  for (const char c : result_text(r))
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << static_cast<int>(c);
}

TEST(ResultText, ShowsTheEndOfALongStream) {
  WorkerResult r = failed();
  r.err.text.clear();
  for (int i = 0; i < 100; ++i) r.err.text += "line " + std::to_string(i) + "\n";
  const std::string text = result_text(r);
  EXPECT_THAT(text, HasSubstr("| line 99\n"));
  EXPECT_THAT(text, HasSubstr("| line 80\n"));
  EXPECT_THAT(text, Not(HasSubstr("| line 79\n")));
}

TEST(ResultText, ShowsWhatASuccessPrinted) {
  WorkerResult r;
  r.success = true;
  r.out = {"hi\n", 3, false};
  const std::string text = result_text(r);
  EXPECT_THAT(text, testing::StartsWith("succeeded: the command exited with 0\n"));
  EXPECT_THAT(text, HasSubstr("    | hi\n"));
}

TEST(ResultText, ShowsTheFiveLargestOfTheLastWords) {
  WorkerResult r = failed();
  EXPECT_THAT(result_text(r), Not(HasSubstr("last words")));
  for (int i = 1; i <= 6; ++i) {
    r.execution.last_processes.push_back({i, 1, "render \x1b[2J " + std::to_string(i), 1 << 20, "D", "io_schedule"});
  }
  const std::string text = result_text(r);
  EXPECT_THAT(text, HasSubstr("6 processes when the limit ended the run, the largest:"));
  EXPECT_THAT(text, HasSubstr("    | 5  1.0 MiB  D in io_schedule  render \\x1b[2J 5\n"));
  EXPECT_THAT(text, Not(HasSubstr("    | 6  ")));
}

TEST(HumanUnits, AreShort) {
  EXPECT_EQ(human_bytes(812), "812 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_ms(12.34), "12.3 ms");
  EXPECT_EQ(human_ms(1204), "1.204 s");
  EXPECT_EQ(human_ms(3720000), "1 h 02 min");
}

TEST(OneLine, IsOneLineWhateverComes) {
  EXPECT_EQ(one_line("a\nb\tc\x1b[0m"), "a\\nb\\tc\\x1b[0m");
  EXPECT_EQ(one_line("\xC2\x9B"
                     "31m"),
            "\\x9b31m")
      << "C1 controls are escape sequences too";
  EXPECT_EQ(one_line("\xE2\x80\xAE"), "\\u202e") << "right-to-left override";
  EXPECT_EQ(one_line("日本"), "日本");
  EXPECT_EQ(json_string("a\"\\\n\xff"), "\"a\\\"\\\\\\u000a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace helios::app
