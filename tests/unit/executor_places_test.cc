// Workspace, working directory and output file: what is refused, and what no link can lead out of.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "core/executor/output_contract.h"
#include "core/executor/places.h"
#include "core/sys/file.h"

namespace helios {
namespace {

using testing::HasSubstr;

class PlacesTest : public testing::Test {
 protected:
  PlacesTest() {
    char name[] = "/tmp/helios-places-test-XXXXXX";
    root_ = ::mkdtemp(name);
    ws_ = root_ + "/ws";
    ::mkdir(ws_.c_str(), 0755);
  }
  ~PlacesTest() override { (void)!std::system(("rm -rf '" + root_ + "'").c_str()); }

  void write(const std::string& path, std::string_view text) { std::ofstream(path) << text; }
  [[nodiscard]] std::string refusal(const PlaceRequest& asked) {
    auto p = resolve_places(asked);
    return p ? "accepted " + p->workspace : p.error().message + " - " + p.error().remedy;
  }

  std::string root_, ws_;
};

TEST_F(PlacesTest, DefaultsToTheSpecsFolderElseTheCurrentOne) {
  EXPECT_EQ(resolve_places({root_, ws_, "", "", ""})->workspace, ws_);
  EXPECT_EQ(resolve_places({root_, "ws", "", "", ""})->workspace, ws_);
  EXPECT_EQ(resolve_places({ws_, "", "", "", ""})->workspace, ws_);
}

TEST_F(PlacesTest, WorksInTheSpecsFolderOnlyIfItLiesInside) {
  ::mkdir((root_ + "/specs").c_str(), 0755);
  EXPECT_EQ(resolve_places({root_, ws_, root_, "", ""})->workdir, ws_);
  EXPECT_EQ(resolve_places({root_, root_ + "/specs", ws_, "", ""})->workdir, ws_);
}

TEST_F(PlacesTest, RefusesWorkspacesThatAreNone) {
  write(root_ + "/file", "");
  ::symlink(ws_.c_str(), (root_ + "/link").c_str());
  EXPECT_THAT(refusal({root_, "", "missing", "", ""}), HasSubstr("No such file"));
  EXPECT_THAT(refusal({root_, "", "file", "", ""}), HasSubstr("not a directory"));
  EXPECT_THAT(refusal({root_, "", "link", "", ""}), HasSubstr("symbolic link"));
  EXPECT_THAT(refusal({root_, "", "link/", "", ""}), HasSubstr("symbolic link"));
  ::chmod(ws_.c_str(), 0555);
  EXPECT_THAT(refusal({root_, "", "ws", "", ""}), HasSubstr("not writable"));
}

TEST_F(PlacesTest, RefusesSystemDirectoriesByWhateverName) {
  for (const char* dir : {"/", "/etc", "/usr", "/usr/bin", "/dev", "/proc", "/proc/self", "/sys", "/tmp", "/tmp/",
                          "//etc", "/tmp/../etc", "/var", "/home", "/root", "/run"}) {
    if (::access(dir, F_OK) != 0) continue;
    EXPECT_THAT(refusal({root_, "", dir, "", ""}), testing::AnyOf(HasSubstr("is refused"), HasSubstr("symbolic link")))
        << dir;
  }
  ::symlink("/etc", (root_ + "/up").c_str());
  EXPECT_THAT(refusal({root_, "", root_ + "/up/ssl", "", ""}), HasSubstr("/up' is a symbolic link")) << "on the way";
  EXPECT_THAT(refusal({root_ + "/up/ssl", "", "", "", ""}), HasSubstr("is refused")) << "the current folder";
  EXPECT_EQ(why_system_directory("/usr/local/jobs"), "");
  EXPECT_EQ(why_system_directory("/var/lib/helios"), "");
  EXPECT_EQ(why_system_directory("/etcetera"), "");
}

TEST_F(PlacesTest, RefusesAHomeByWhateverName) {
  ::mkdir((root_ + "/jobs").c_str(), 0755);
  ::symlink(root_.c_str(), (ws_ + "/home").c_str());
  EXPECT_THAT(refusal({root_, "", "", "", "", root_}), HasSubstr("it is a home"));
  EXPECT_THAT(refusal({root_, "", "", "", "", ws_ + "/home/"}), HasSubstr("it is a home")) << "behind a link";
  EXPECT_TRUE(resolve_places({root_, "", root_ + "/jobs", "", "", root_})) << "a folder beneath is fine";
  EXPECT_TRUE(resolve_places({root_, "", "", "", "", "/nowhere"}));
}

TEST_F(PlacesTest, KeepsTheWorkingDirectoryInside) {
  ::mkdir((ws_ + "/in").c_str(), 0755);
  ::mkdir((root_ + "/ws2").c_str(), 0755);
  ::symlink(root_.c_str(), (ws_ + "/out").c_str());
  EXPECT_EQ(resolve_places({ws_, "", "", "in", ""})->workdir, ws_ + "/in");
  EXPECT_THAT(refusal({ws_, "", "", "..", ""}), HasSubstr("outside the workspace"));
  EXPECT_THAT(refusal({ws_, "", "", "out", ""}), HasSubstr("outside the workspace"));
  EXPECT_THAT(refusal({ws_, "", "", root_ + "/ws2", ""}), HasSubstr("outside the workspace"));
}

TEST_F(PlacesTest, KeepsTheOutputFileInside) {
  EXPECT_EQ(resolve_places({ws_, "", "", "", "a/./b//../c.mov"})->output_file, ws_ + "/a/c.mov");
  EXPECT_EQ(resolve_places({ws_, "", "", "", ws_ + "/x"})->output_file, ws_ + "/x");
  EXPECT_THAT(refusal({ws_, "", "", "", "../out/x"}), HasSubstr("--workspace .."));
  EXPECT_THAT(refusal({ws_, "", "", "", "/etc/passwd"}), HasSubstr("outside the workspace"));
  EXPECT_THAT(refusal({ws_, "", "", "", "a/../../ws2/x"}), HasSubstr("outside the workspace"));
  EXPECT_THAT(refusal({ws_, "", "", "", "."}), HasSubstr("outside the workspace"));
  EXPECT_EQ(resolve_places({ws_, ws_, root_, "", "../out/x"})->output_file, root_ + "/out/x");
}

TEST_F(PlacesTest, OpensNothingThroughALink) {
  write(ws_ + "/plain", "x");
  ::symlink("/etc", (ws_ + "/dir").c_str());
  ::symlink("plain", (ws_ + "/file").c_str());
  const auto ws = sys::open_file(ws_, O_PATH);
  ASSERT_TRUE(ws);
  EXPECT_TRUE(sys::open_beneath(ws->get(), "plain", O_RDONLY));
  EXPECT_EQ(sys::open_beneath(ws->get(), "dir/passwd", O_RDONLY).error().sys_errno, ELOOP);
  EXPECT_EQ(sys::open_beneath(ws->get(), "file", O_RDONLY).error().sys_errno, ELOOP);
}

std::string problem(const OutputContract& c) { return c.check()->problem; }

TEST_F(PlacesTest, ContractMeasuresARegularFile) {
  const OutputContract c(ws_, ws_ + "/out", "out");
  write(ws_ + "/out", "abc");
  const auto file = c.check();
  EXPECT_TRUE(file->exists);
  EXPECT_EQ(file->bytes, 3U);
  EXPECT_EQ(file->sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(file->problem, "");
}

TEST_F(PlacesTest, ContractSeesThroughWhatIsNoFile) {
  EXPECT_THAT(problem(OutputContract(ws_, ws_ + "/none", "none")), HasSubstr("does not exist"));
  ::symlink("/etc/passwd", (ws_ + "/link").c_str());
  EXPECT_THAT(problem(OutputContract(ws_, ws_ + "/link", "link")), HasSubstr("symbolic link"));
  ::mkdir((ws_ + "/dir").c_str(), 0755);
  EXPECT_THAT(problem(OutputContract(ws_, ws_ + "/dir", "dir")), HasSubstr("directory"));
  ::mkfifo((ws_ + "/fifo").c_str(), 0644);
  EXPECT_THAT(problem(OutputContract(ws_, ws_ + "/fifo", "fifo")), HasSubstr("FIFO"));
  ::symlink("/etc", (ws_ + "/up").c_str());
  EXPECT_THAT(problem(OutputContract(ws_, ws_ + "/up/passwd", "up/passwd")), HasSubstr("symbolic link"));
}

TEST_F(PlacesTest, ContractTellsAFileOfAnEarlierRun) {
  write(ws_ + "/out", "old");
  const OutputContract c(ws_, ws_ + "/out", "out");
  EXPECT_THAT(problem(c), HasSubstr("before this run"));
  write(ws_ + "/out", "newer");
  EXPECT_EQ(problem(c), "");
}

TEST_F(PlacesTest, ContractDoesNotReadExabytesOfNothing) {
  const OutputContract c(ws_, ws_ + "/out", "out");
  write(ws_ + "/out", "");
  ASSERT_EQ(::truncate((ws_ + "/out").c_str(), off_t{1} << 40), 0);
  EXPECT_THAT(problem(c), HasSubstr("hole"));
}

TEST_F(PlacesTest, ContractDoesNotReadAFileThatIsMoreHoleThanData) {
  const OutputContract c(ws_, ws_ + "/out", "out");
  write(ws_ + "/out", std::string(48 << 20, 'x'));
  ASSERT_EQ(::truncate((ws_ + "/out").c_str(), off_t{512} << 20), 0);
  const auto file = c.check();
  EXPECT_THAT(file->problem, HasSubstr("hole"));
  EXPECT_EQ(file->sha256, "");
  EXPECT_EQ(file->bytes, std::uint64_t{512} << 20);
}

TEST_F(PlacesTest, ContractStopsReadingWhenCancelled) {
  const OutputContract c(ws_, ws_ + "/out", "out");
  write(ws_ + "/out", std::string(2 << 20, 'x'));
  int asked = 0;
  const auto file = c.check([&] { return ++asked == 3; });
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(file->exists);
  EXPECT_EQ(file->sha256, "");
  EXPECT_THAT(file->problem, HasSubstr("cancelled"));
}

}  // namespace
}  // namespace helios
