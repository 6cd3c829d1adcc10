// The two streams: exact, bounded, never waited for.
#include <signal.h>

#include <fstream>
#include <sstream>

#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {
using std::chrono::milliseconds;

TEST_P(Contract, KeepsCharactersWholeThatAreSplitOverReads) {
  const Finished f = run_probe({}, {"utf8-split"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "h\u00e9llo \u65e5\u672c \U0001f3ac\n");
}

TEST_P(Contract, ReplacesInvalidBytesInJsonAndKeepsThemInTheLog) {
  const std::filesystem::path logs = scene().outside() / "logs";
  scene().make_folder(logs);
  const Finished f = run_probe({"--log-dir", logs}, {"invalid-utf8"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "\ufffd\ufffdok\ufffd");
  EXPECT_EQ(f.result["capture"].value("stdoutBytes", 0), 5) << f.describe();
  std::string kept;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(logs)) {
    std::ostringstream text;
    text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    if (text.str() == "\xff\xfeok\xc3") kept = entry.path();
  }
  EXPECT_NE(kept, "") << "no file below --log-dir holds the exact bytes";
}

TEST_P(Contract, EmptyOutputIsEmpty) {
  const Finished f = run_probe({}, {"exit", "0"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.result["stdout"], "");
  EXPECT_EQ(f.result["stderr"], "");
  EXPECT_EQ(f.result["capture"].value("stdoutBytes", -1), 0);
}

TEST_P(Contract, OneMebibyteIsExact) {
  const Finished f = run_probe({}, {"bytes", "1048576"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), std::string(1048576, 'x'));
  EXPECT_EQ(f.result["capture"].value("stdoutTruncated", true), false);
}

TEST_P(Contract, ReachingTheOutputLimitExactlyIsAllowed) {
  const Finished f = run_probe({"--output-limit", "64K"}, {"bytes", "65536"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout").size(), 65536U);
  const auto receipt = f.receipt("outputBytes");
  ASSERT_TRUE(receipt) << f.describe();
  EXPECT_EQ(receipt->value("effective", 0), 65536);
}

TEST_P(Contract, OneByteMoreEndsTheRun) {
  for (const char* fd : {"1", "2"}) {
    const Finished f = run_probe({"--output-limit", "64K", "--timeout", "10s"}, {"bytes", "65537", fd});
    expect_ended(f, "output-limit", 137);
  }
}

TEST_P(Contract, AnEndlessOutputEndsInTime) {
  const Finished f = run_probe({"--output-limit", "1M", "--timeout", "15s"}, {"flood"});
  expect_ended(f, "output-limit", 137);
  EXPECT_LT(f.elapsed, patiently(milliseconds(6000)));
  EXPECT_LE(f.text("stdout").size(), (1U << 20) + 200);
}

TEST_P(Contract, TheCaptureLimitKeepsHeadAndTailAndTellsTheTrueCount) {
  const Finished f = run_probe({"--capture-limit", "1K"}, {"head-tail", "100000"});
  expect_ended(f, "exited", 0);
  const std::string text = f.text("stdout");
  EXPECT_EQ(text.substr(0, 4), "HEAD");
  EXPECT_EQ(text.substr(text.size() - 4), "TAIL");
  EXPECT_LT(text.size(), 1024U + 200U);
  EXPECT_EQ(f.result["capture"].value("stdoutBytes", 0), 100008);
  EXPECT_EQ(f.result["capture"].value("stdoutTruncated", false), true);
  EXPECT_EQ(f.result["capture"].value("stderrTruncated", true), false);
}

TEST_P(Contract, AHolderOfThePipeDelaysNothing) {
  const Finished f = run_probe({}, {"holder"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "early\n");
  EXPECT_LT(f.elapsed, patiently(milliseconds(1500)));
}

TEST_P(Contract, ABackgroundSleepDelaysNothing) {
  const Finished f = run_command({}, {"sh", "-c", "sleep 60 & echo started"});
  expect_ended(f, "exited", 0);
  EXPECT_EQ(f.text("stdout"), "started\n");
  EXPECT_LT(f.elapsed, patiently(milliseconds(1500)));
}

TEST_P(Contract, StdoutCarriesTheResultAndNothingElse) {
  const Finished f = run_probe({"--log-level", "debug"}, {"both"});
  expect_ended(f, "exited", 0);  // one JSON document: anything beside it would not parse
}

TEST_P(Contract, TheResultFileIsTheSameDocument) {
  const std::filesystem::path file = scene().outside() / "home" / "result.json";
  const Finished f = run_probe({"--result", file}, {"both"});
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  const auto result = nlohmann::json::parse(text.str(), nullptr, false);
  ASSERT_TRUE(result.is_object()) << text.str() << f.describe();
  EXPECT_EQ(result.value("stdout", ""), "out");
  EXPECT_EQ(result["termination"].value("reason", ""), "exited");
}

TEST_P(Contract, AResultThatCannotBeWrittenIs125) {
  Invocation what = probe({}, {"exit", "3"});
  what.closed_stdout = true;
  const Finished f = run_to_end(what);
  EXPECT_EQ(f.exit_code, 125) << f.describe();
  EXPECT_NE(f.err.find('3'), std::string::npos) << "the chunk's own status is told: " << f.describe();
}

}  // namespace
}  // namespace helios::test
