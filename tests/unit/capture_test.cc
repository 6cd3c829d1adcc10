// What is kept of a stream, against a reference that keeps everything.

#include "core/executor/capture.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/spec/utf8.h"

namespace helios {
namespace {

CapturedStream collect(std::string_view all, std::size_t limit, std::mt19937& random, std::size_t largest) {
  OutputCollector c(limit);
  while (!all.empty()) {
    const std::size_t n = std::min(all.size(), 1 + random() % largest);
    c.append(all.substr(0, n));
    all.remove_prefix(n);
  }
  return c.finish();
}

std::string marker(std::size_t dropped) { return "\n[helios-run: " + std::to_string(dropped) + " bytes not kept]\n"; }

TEST(OutputCollector, IsTheSameHoweverTheBytesCome) {
  std::mt19937 random(20261123);
  for (int round = 0; round < 400; ++round) {
    const std::size_t size = random() % 400, limit = random() % 300, half = limit / 2;
    std::string all(size, ' ');
    for (char& ch : all) ch = static_cast<char>('a' + random() % 26);
    const CapturedStream got = collect(all, limit, random, 1 + random() % 150);
    const std::string expected =
        size <= limit ? all : all.substr(0, half) + marker(size - limit) + all.substr(size - (limit - half));
    ASSERT_EQ(got.text, expected) << "size " << size << " limit " << limit;
    ASSERT_EQ(got.bytes, size);
    ASSERT_EQ(got.truncated, size > limit);
  }
}

TEST(OutputCollector, IsTheSameWhenTheBytesAreReadIntoItsRoom) {
  std::mt19937 random(20261127);
  std::size_t rooms = 0;
  for (int round = 0; round < 400; ++round) {
    const std::size_t size = random() % 600, limit = random() % 120;
    std::string all(size, ' ');
    for (char& ch : all) ch = static_cast<char>('a' + random() % 26);
    OutputCollector in_place(limit), copied(limit);
    for (std::string_view rest = all; !rest.empty();) {
      const std::span<char> room = in_place.room();
      const bool use = !room.empty() && random() % 4 != 0;
      const std::size_t n = 1 + random() % std::min(rest.size(), use ? room.size() : rest.size());
      if (use) rest.copy(room.data(), n);
      in_place.append(use ? std::string_view(room.data(), n) : rest.substr(0, n));
      copied.append(rest.substr(0, n));
      rest.remove_prefix(n);
      rooms += use ? 1 : 0;
    }
    ASSERT_EQ(in_place.finish(), copied.finish()) << "size " << size << " limit " << limit;
  }
  EXPECT_GT(rooms, 1000U);
}

TEST(OutputCollector, KeepsCharactersWholeOverReads) {
  std::mt19937 random(7);
  std::string all;
  for (int i = 0; i < 50; ++i) all += "h\xC3\xA9 \xE6\x97\xA5 \xF0\x9F\x8E\xAC ";
  EXPECT_EQ(collect(all, all.size(), random, 1).text, all);
}

TEST(OutputCollector, CutsBetweenCharacters) {
  std::mt19937 random(8);
  std::string all;
  for (int i = 0; i < 100; ++i) all += "\xF0\x9F\x8E\xAC";
  for (std::size_t limit = 0; limit < 40; ++limit) {
    const CapturedStream got = collect(all, limit, random, 5);
    EXPECT_EQ(got.text.find("\xEF\xBF\xBD"), std::string::npos) << limit;
    EXPECT_TRUE(spec::is_utf8(got.text)) << limit;
    EXPECT_EQ(got.bytes, all.size());
  }
}

TEST(OutputCollector, CountsWhatTheCutDroppedToo) {
  OutputCollector c(6);  // three bytes each: a cut in the middle of both characters
  c.append("ab\xC3\xA9-----\xC3\xA9yz");
  EXPECT_EQ(c.finish().text, "ab" + marker(13 - 2 - 2) + "yz");
}

TEST(OutputCollector, ReplacesWhatIsNotText) {
  OutputCollector c(100);
  c.append("a\xFF");
  c.append("b");
  EXPECT_EQ(c.finish().text,
            "a\xEF\xBF\xBD"
            "b");
}

TEST(OutputCollector, KeepsNothingWithALimitOfNothing) {
  OutputCollector c(0);
  c.append("abc");
  EXPECT_EQ(c.finish().bytes, 3U);
  EXPECT_EQ(c.finish().text, marker(3));
}

TEST(OutputCollector, TellsThatTheCopyIsIncomplete) {
  OutputCollector c(10, sys::UniqueFd(::open("/dev/full", O_WRONLY | O_CLOEXEC)));
  c.append("abc");
  ASSERT_TRUE(c.copy_problem());
  EXPECT_THAT(c.copy_problem()->message, testing::HasSubstr("No space left"));
  EXPECT_EQ(c.finish().text, "abc") << "the capture goes on";
}

}  // namespace
}  // namespace helios
