#include "core/spec/utf8.h"

#include <gtest/gtest.h>

#include <random>

namespace helios::spec {
namespace {

using namespace std::string_literals;
constexpr const char* kFffd = "\xEF\xBF\xBD";

std::string fffd(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += kFffd;
  return text;
}

// The examples of the Unicode Standard (tables 3-8 to 3-11), as every WHATWG decoder answers them.
TEST(SanitizeUtf8, ReplacesMaximalSubparts) {
  EXPECT_EQ(sanitize_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), fffd(8) + "A");
  EXPECT_EQ(sanitize_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), fffd(8) + "A");
  EXPECT_EQ(sanitize_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), fffd(5) + "A" + fffd(2) + "B");
  EXPECT_EQ(sanitize_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), fffd(4) + "A");
}

TEST(SanitizeUtf8, KeepsWhatIsValid) {
  const std::string text =
      "\xEF\xBB\xBF"
      "a\0b h\xC3\xA9 \xE6\x97\xA5 \xF0\x9F\x8E\xAC \xF4\x8F\xBF\xBF"s;
  EXPECT_EQ(sanitize_utf8(text), text);
  EXPECT_TRUE(is_utf8(text));
  EXPECT_FALSE(is_utf8("abcdefgh\xC3"));
}

TEST(SanitizeUtf8, ReplacesAnUnfinishedEndOnce) {
  EXPECT_EQ(sanitize_utf8("a\xF0\x9F\x8E"), "a" + fffd(1));
  EXPECT_EQ(sanitize_utf8("a\xF0\x9F"), "a" + fffd(1));
}

TEST(UnfinishedUtf8Suffix, CountsTheBytesOfACharacterNotYetWhole) {
  EXPECT_EQ(unfinished_utf8_suffix("a\xF0\x9F\x8E"), 3U);
  EXPECT_EQ(unfinished_utf8_suffix("a\xF0\x9F\x8E\xAC"), 0U);
  EXPECT_EQ(unfinished_utf8_suffix("a\xC3"), 1U);
  EXPECT_EQ(unfinished_utf8_suffix("\x80\x80\x80\x80"), 0U);
  EXPECT_EQ(unfinished_utf8_suffix("\xE0\x80"), 0U);  // cannot become a character
  EXPECT_EQ(unfinished_utf8_suffix(""), 0U);
}

TEST(Utf8Sanitizer, GivesTheSameHoweverTheTextIsCut) {
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same texts in every run
  const std::string_view alphabet = "ab\xC3\xA9\xE6\x97\xA5\xF0\x9F\x8E\xAC\xFF\x80\xED\xA0\xF4\x8F\xBF\xE0";
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::size_t n = random() % 40; n > 0; --n) text += alphabet[random() % alphabet.size()];
    std::string out;
    Utf8Sanitizer sanitizer;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t piece = random() % 4;
      sanitizer.append(std::string_view(text).substr(at, piece), out);
      at += piece;
    }
    sanitizer.finish(out);
    ASSERT_EQ(out, sanitize_utf8(text));
    ASSERT_TRUE(is_utf8(out));
  }
}

}  // namespace
}  // namespace helios::spec
