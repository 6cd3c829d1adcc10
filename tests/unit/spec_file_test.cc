#include "core/spec/spec_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/digest/sha256.h"
#include "core/spec/job_spec_reader.h"

namespace helios::spec {
namespace {

constexpr const char* kSpec =
    R"({"chunks":[{"id":5,"startFrame":0,"frameCount":1,"outputFile":"o","command":"true"}]})";

class SpecFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "spec_file.XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string written(const std::string& text) const {
    std::ofstream(path("s.json"), std::ios::binary) << text;
    return path("s.json");
  }

  std::string folder_;
};

TEST_F(SpecFileTest, ReadsAFile) {
  const auto file = open_spec_file(written(kSpec));
  ASSERT_TRUE(file) << file.error().message;
  const auto job = read_job_spec(*file, ChunkFilter{{5}});
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->chunks.at(0).command, "true");
  EXPECT_EQ(job->id, "job-" + digest::sha256_hex(kSpec).substr(0, 16));
}

TEST_F(SpecFileTest, GivesTheSameFromAFileAsFromMemory) {
  std::string text = "{\"chunks\":[";
  for (int i = 0; i < 20000; ++i) {
    text += (i == 0 ? "" : ",\n") + std::string(R"({"id":)") + std::to_string(3 * i) +
            R"(,"startFrame":0,"frameCount":1,"outputFile":"o","command":"h\u00e9 )" + std::string(i % 97, 'x') + "\"}";
  }
  text += "]}";
  const ChunkFilter filter{{0, 30000, 59997}, false};
  const auto from_file = read_job_spec(open_spec_file(written(text)).value(), filter);
  const auto from_memory = read_job_spec(SpecBytes{text, "m"}, filter);
  ASSERT_TRUE(from_file) << from_file.error().message;
  EXPECT_EQ(*from_file, from_memory.value());
  EXPECT_EQ(from_file->chunks.size(), 3U);
  EXPECT_EQ(from_file->chunk_count, 20000U);
}

TEST_F(SpecFileTest, ReadsAPipeToItsEnd) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  ASSERT_GT(write(ends[1], kSpec, std::string_view(kSpec).size()), 0);
  close(ends[1]);
  EXPECT_TRUE(read_job_spec(SpecFile{sys::UniqueFd(ends[0]), "<stdin>"}, ChunkFilter{{5}}));
}

TEST_F(SpecFileTest, WaitsForTheRestOfANonBlockingPipe) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  std::thread writer([fd = ends[1]] {
    for (const char c : std::string_view(kSpec)) {
      ASSERT_EQ(write(fd, &c, 1), 1);
      std::this_thread::yield();
    }
    close(fd);
  });
  EXPECT_TRUE(read_job_spec(SpecFile{sys::UniqueFd(ends[0]), "<stdin>"}, ChunkFilter{{5}}));
  writer.join();
}

TEST_F(SpecFileTest, ChecksTheDigestOfWhatItRead) {
  const std::string sha = digest::sha256_hex(kSpec);
  EXPECT_TRUE(read_job_spec(open_spec_file(written(kSpec)).value(), ChunkFilter{}, sha));
  EXPECT_TRUE(read_job_spec(SpecBytes{kSpec, "m"}, ChunkFilter{}, sha));
  const std::string other = digest::sha256_hex("other");
  const auto wrong = read_job_spec(open_spec_file(written(kSpec)).value(), ChunkFilter{}, other);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, path("s.json") + ": expected sha256 " + other + ", found " + sha);
  const std::string with_id = R"({"id":"a","chunks":[]})";
  EXPECT_FALSE(read_job_spec(open_spec_file(written(with_id)).value(), ChunkFilter{}, other));
  EXPECT_TRUE(read_job_spec(open_spec_file(written(with_id)).value(), ChunkFilter{}, digest::sha256_hex(with_id)));
}

TEST_F(SpecFileTest, RefusesWhatIsNoRegularFileWithoutWaiting) {
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(open_spec_file(path("fifo")).error().message,
            "open the spec \"" + path("fifo") + "\": it is a FIFO, not a regular file");
  EXPECT_NE(open_spec_file(folder_).error().message.find("it is a directory, not a regular file"), std::string::npos);
  EXPECT_NE(open_spec_file("/dev/null").error().message.find("it is a device, not a regular file"), std::string::npos);
}

TEST_F(SpecFileTest, RefusesMissingEmptyAndTooLargeFiles) {
  EXPECT_EQ(open_spec_file(path("none")).error().message,
            "open the spec \"" + path("none") + "\": No such file or directory");
  EXPECT_EQ(open_spec_file(path("none")).error().code, ErrorCode::not_found);
  const auto empty = read_job_spec(open_spec_file(written("")).value(), ChunkFilter{});
  EXPECT_EQ(empty.error().message, "read the spec \"" + path("s.json") + "\": it is empty");
  EXPECT_EQ(read_job_spec(SpecBytes{"", "m"}, ChunkFilter{}).error().message, "read the spec \"m\": it is empty");
  ASSERT_EQ(truncate(path("s.json").c_str(), (1 << 30) + 1), 0);  // sparse
  EXPECT_NE(open_spec_file(path("s.json")).error().message.find("it has 1073741825 bytes, more than 1073741824"),
            std::string::npos);
}

TEST_F(SpecFileTest, RefusesAStringOf200MegabytesEarly) {
  const std::string name = written("{\"chunks\":[],\"mergeCommand\":\"xx");
  ASSERT_EQ(truncate(name.c_str(), 200 << 20), 0);  // NULs: refused at the first
  const auto job = read_job_spec(open_spec_file(name).value(), ChunkFilter{});
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().message,
            name + ":1:32: /mergeCommand: expected control characters in strings as \\u escapes, found byte 0x00");
}

TEST_F(SpecFileTest, ReportsAReadError) {
  const sys::UniqueFd folder(open(folder_.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  const auto job = read_job_spec(SpecFile{sys::UniqueFd(dup(folder.get())), "dir"}, ChunkFilter{});
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().message, "read the spec \"dir\": Is a directory");
  EXPECT_EQ(job.error().code, ErrorCode::io);
}

}  // namespace
}  // namespace helios::spec
