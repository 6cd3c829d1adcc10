// From a run to a policy: what is learned is small, runs the same chunk again and refuses what the chunk did not do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/scene.h"

namespace helios::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

const Words kFfmpeg{"ffmpeg",    "-nostdin", "-hide_banner",
                    "-loglevel", "error",    "-f",
                    "lavfi",     "-i",       "testsrc=size=320x180:rate=25",
                    "-t",        "1",        "-c:v",
                    "libx264",   "-pix_fmt", "yuv420p",
                    "-y",        "o.mp4"};
const Words kPipeline{"sh", "-c", "seq 1000 | sort -rn | awk '{s+=$1} END {print s}' | tee sum.txt; ls -l; mktemp"};

/// Runs `helios-run policy learn` and the commands under what it wrote.
class Learn : public testing::TestWithParam<Identity> {
 protected:
  Learn() : scene_(GetParam()) { scene_.make_folder(folder()); }
  ~Learn() override { EXPECT_THAT(scene_.left_behind(), testing::IsEmpty()); }

  [[nodiscard]] std::filesystem::path folder() const { return scene_.outside() / "drafts"; }
  [[nodiscard]] std::string draft(const std::string& name) const { return (folder() / name).string(); }

  [[nodiscard]] Finished learn(Words flags, const Words& command) const {
    flags.insert(flags.begin(), {"policy", "learn", "--workspace", scene_.workspace().string()});
    flags.push_back("--");
    flags.insert(flags.end(), command.begin(), command.end());
    Invocation start = scene_.helios_run(flags);
    start.deadline = patiently(std::chrono::milliseconds(60'000));
    return run_to_end(start);
  }
  [[nodiscard]] Finished under(const std::string& policy, const Words& command) const {
    return run_to_end(scene_.command("isolated", {"--policy", policy}, command));
  }
  [[nodiscard]] static json read(const std::string& file) {
    std::ifstream in(file);
    return json::parse(in);
  }
  [[nodiscard]] static std::set<std::string> calls(const json& policy) {
    std::set<std::string> names;
    for (const json& rule : policy["seccomp"]["syscalls"]) {
      for (const json& name : rule["names"]) names.insert(name);
    }
    return names;
  }

  Scene scene_;
};

TEST_P(Learn, APlainFfmpegChunkNeedsUnderNinetyCallsAndRunsUnderThem) {
  const Finished learned = learn({"-o", draft("ffmpeg.json")}, kFfmpeg);
  ASSERT_EQ(learned.exit_code, 0) << learned.describe();
  EXPECT_EQ(learned.out, "") << "the draft went into the file";
  const json policy = read(draft("ffmpeg.json"));
  EXPECT_LT(calls(policy).size(), 90U);
  EXPECT_GT(calls(policy).count("clone"), 0U) << "x264's threads";
  EXPECT_EQ(calls(policy).count("socket"), 0U);

  std::filesystem::remove(scene_.in_workspace("o.mp4"));
  const Finished again = under(draft("ffmpeg.json"), kFfmpeg);
  EXPECT_EQ(again.exit_code, 0) << again.describe();
  EXPECT_FALSE(again.result.contains("denied")) << again.describe();
  EXPECT_GT(std::filesystem::file_size(scene_.in_workspace("o.mp4")), 1000U);
}

TEST_P(Learn, APipelineOfAShellIsLearnedWholeTreeAndAll) {
  const Finished learned = learn({"-o", draft("sh.json")}, kPipeline);
  ASSERT_EQ(learned.exit_code, 0) << learned.describe();
  for (const char* program : {"/usr/bin/seq", "/usr/bin/sort", "/usr/bin/tee"}) {
    EXPECT_THAT(learned.err, HasSubstr(program));
  }
  const Finished again = under(draft("sh.json"), kPipeline);
  EXPECT_EQ(again.exit_code, 0) << again.describe();
  EXPECT_FALSE(again.result.contains("denied")) << again.describe();
  EXPECT_THAT(again.text("stdout"), HasSubstr("500500"));
}

TEST_P(Learn, WhatTheChunkDidNotDoIsRefused) {
  ASSERT_EQ(learn({"-o", draft("true.json")}, {"true"}).exit_code, 0);
  const Finished other = under(draft("true.json"), {"sh", "-c", "mkdir made; echo $?"});
  ASSERT_TRUE(other.has_result()) << other.describe();
  EXPECT_FALSE(std::filesystem::exists(scene_.in_workspace("made")));
  EXPECT_TRUE(other.result.contains("denied")) << other.describe();
}

TEST_P(Learn, WhatHardeningRefusesStaysRefusedAndIsReported) {
  const Finished learned =
      learn({"-o", draft("bad.json")}, {"sh", "-c", "touch f; chmod 4755 f; unshare -r true; echo over"});
  ASSERT_EQ(learned.exit_code, 0) << learned.describe();
  EXPECT_THAT(learned.err, HasSubstr("refused while learning"));
  EXPECT_THAT(learned.err, HasSubstr("unshare x"));
  EXPECT_EQ(calls(read(draft("bad.json"))).count("unshare"), 0U);
  const auto mode = std::filesystem::status(scene_.in_workspace("f")).permissions();
  EXPECT_EQ(mode & std::filesystem::perms::set_uid, std::filesystem::perms::none);
}

TEST_P(Learn, SeveralRunsMerge) {
  ASSERT_EQ(learn({"-o", draft("a.json")}, {"sh", "-c", "mkdir a"}).exit_code, 0);
  ASSERT_EQ(learn({"-o", draft("ab.json"), "--merge", draft("a.json")}, {"sh", "-c", "ln -s x b"}).exit_code, 0);
  const json both = read(draft("ab.json"));
  EXPECT_GT(calls(both).count("mkdir"), 0U);
  EXPECT_GT(calls(both).count("symlinkat") + calls(both).count("symlink"), 0U);
  EXPECT_THAT(both["why"].get<std::string>(), HasSubstr("2 runs"));
  const Finished again = under(draft("ab.json"), {"sh", "-c", "mkdir c && ln -s x d && echo both"});
  EXPECT_THAT(again.text("stdout"), HasSubstr("both")) << again.describe();
}

TEST_P(Learn, ADraftOnStandardOutputIsAPolicy) {
  const Finished learned = learn({}, {"true"});
  ASSERT_EQ(learned.exit_code, 0) << learned.describe();
  scene_.write(folder() / "out.json", learned.out);
  const Finished valid = run_to_end(scene_.helios_run({"policy", "validate", draft("out.json")}));
  EXPECT_EQ(valid.exit_code, 0) << valid.describe();
  EXPECT_THAT(valid.out, HasSubstr("valid"));
}

TEST_P(Learn, ACommandThatFailsLeavesADraftAndAWarning) {
  const Finished learned = learn({"-o", draft("failed.json")}, {"sh", "-c", "exit 3"});
  EXPECT_EQ(learned.exit_code, 3) << learned.describe();
  EXPECT_THAT(learned.err, HasSubstr("only covers what it did until then"));
  EXPECT_TRUE(std::filesystem::exists(draft("failed.json")));
}

TEST_P(Learn, AProgramThatIsNotThereLeavesNothing) {
  const Finished learned = learn({"-o", draft("none.json")}, {"no-such-program"});
  EXPECT_EQ(learned.exit_code, 125) << learned.describe();
  EXPECT_THAT(learned.err, HasSubstr("no-such-program"));
  EXPECT_FALSE(std::filesystem::exists(draft("none.json")));
}

TEST_P(Learn, NumbersThatNoCallHasDoNotFillTheMemory) {
  const Finished learned =
      learn({"-o", draft("odd.json")}, {"perl", "-e", "syscall(100000 + $_) for 0 .. 2999; print \"over\\n\""});
  ASSERT_EQ(learned.exit_code, 0) << learned.describe();
  EXPECT_THAT(learned.err, HasSubstr("beyond the first 1024 kinds"));
  EXPECT_LT(std::filesystem::file_size(draft("odd.json")), 20'000U) << "a number without a name is not in the draft";
}

TEST_P(Learn, ARunExplainsItself) {
  Invocation start = scene_.command("isolated", {"--explain"}, {"cat", "/etc/os-release"});
  const Finished f = run_to_end(start);
  EXPECT_EQ(f.exit_code, 1) << f.describe();
  EXPECT_TRUE(f.has_result()) << "stdout holds the result and nothing else";
  EXPECT_THAT(f.err, HasSubstr("/etc/os-release was not found: it is outside the sandbox's view"));
  EXPECT_THAT(f.err, HasSubstr("--ro-bind /etc/os-release"));
}

INSTANTIATE_TEST_SUITE_P(As, Learn, testing::ValuesIn(able_identities()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace helios::test
