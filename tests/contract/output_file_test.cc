// The output contract: a regular file inside the workspace, looked at without trusting it.
#include <fstream>

#include "tests/contract/contract_suite.h"

namespace helios::test {
namespace {
using std::chrono::milliseconds;

constexpr const char* kSha256OfFrames = "594cfd2607d4f09e1ce6241203e418cacfed545063792bc5eab7afaadbf0c4e0";

TEST_P(Contract, AnOutputFileIsMeasured) {
  const Finished f = run_spec("out.bin", "./chunk_probe place file out.bin");
  expect_ended(f, "exited", 0);
  ASSERT_TRUE(f.result.contains("output")) << f.describe();
  EXPECT_EQ(f.result["output"].value("path", ""), "out.bin");
  EXPECT_EQ(f.result["output"].value("exists", false), true);
  EXPECT_EQ(f.result["output"].value("bytes", 0), 6);
  EXPECT_EQ(f.result["output"].value("sha256", ""), kSha256OfFrames);
  EXPECT_EQ(f.result.value("chunkId", -1), 0);
}

TEST_P(Contract, AMissingOutputIsToldAndFailsOnlyIfRequired) {
  const Finished f = run_spec("out.bin", "./chunk_probe exit 0");
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  ASSERT_TRUE(f.has_result()) << f.describe();
  EXPECT_EQ(f.result["output"].value("exists", true), false);
  expect_ended(run_spec("out.bin", "./chunk_probe exit 0", {"--require-output"}), "output-missing", 1);
  expect_ended(run_spec("out.bin", "./chunk_probe exit 9", {"--require-output"}), "exited", 9);
}

TEST_P(Contract, OnlyARegularFileIsAnOutput) {
  for (const char* kind : {"symlink", "fifo", "directory"}) {
    std::filesystem::remove_all(scene().in_workspace("out.bin"));
    const Finished f =
        run_spec("out.bin", std::string("./chunk_probe place ") + kind + " out.bin", {"--require-output"});
    expect_ended(f, "output-missing", 1);
    EXPECT_LT(f.elapsed, patiently(milliseconds(3000))) << kind;
    if (!f.has_result()) continue;
    EXPECT_EQ(f.result["output"].value("exists", true), false) << kind << f.describe();
    EXPECT_FALSE(f.result["output"].contains("sha256") && f.result["output"]["sha256"] != "") << kind;
  }
}

TEST_P(Contract, AnOutputOutsideTheWorkspaceIsRefused) {
  for (const char* path : {"../out.bin", "/etc/out.bin", "a/../../out.bin"}) {
    const Finished f = run_spec(path, "./chunk_probe place file started");
    EXPECT_EQ(f.exit_code, 125) << path << f.describe();
    EXPECT_EQ(f.out, "") << path;
    EXPECT_NE(f.err.find("workspace"), std::string::npos) << f.err;
    EXPECT_FALSE(std::filesystem::exists(scene().in_workspace("started"))) << path;
  }
}

}  // namespace
}  // namespace helios::test
