#include "core/spec/json_scanner.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "core/spec/located_json.h"

namespace helios::spec {
namespace {

using namespace std::string_literals;

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Everything the scanner says about a text that comes in pieces of at most `piece` bytes.
std::string verdict(std::string_view text, std::size_t piece) {
  JsonScanner scanner([&](char* into, std::size_t size) {
    const std::size_t n = std::min({size, piece, text.size()});
    std::memcpy(into, text.data(), n);
    text.remove_prefix(n);
    return n;
  });
  return scanner.skip_value() && scanner.finish() ? "good" : to_string(*scanner.problem(), "t");
}

std::string verdict(std::string_view text) {
  JsonScanner scanner(text);
  const bool good = scanner.skip_value() && scanner.finish();
  EXPECT_EQ(good, scanner.ok());
  return good ? "good" : to_string(*scanner.problem(), "t");
}

/// What we refuse and the library accepts: it takes the last of several equal names, ends at a NUL byte, skips a byte
/// order mark, and knows no bounds.
bool deliberately_stricter(const std::string& message, std::string_view text) {
  return message.find("each name once") != std::string::npos ||
         message.find("levels of nesting") != std::string::npos ||
         message.find("a byte order mark") != std::string::npos || text.find('\0') != std::string_view::npos;
}

/// Ours and the library's reading of one text: the same verdict, the same values, however it is cut.
void expect_agreement(std::string_view text) {
  const auto theirs = nlohmann::json::parse(text, nullptr, false);
  const auto ours = parse_located_json(text, "t");
  if (ours) {
    ASSERT_FALSE(theirs.is_discarded()) << "accepted: " << text;
    ASSERT_EQ(ours->root, theirs) << text;
  } else if (!theirs.is_discarded()) {
    ASSERT_TRUE(deliberately_stricter(ours.error().message, text)) << ours.error().message << "\nrefused: " << text;
  }
  const std::string whole = verdict(text);
  ASSERT_EQ(whole, ours ? "good" : ours.error().message);
  ASSERT_EQ(verdict(text, 1), whole) << text;
  ASSERT_EQ(verdict(text, 5), whole) << text;
}

TEST(JsonScanner, AgreesWithTheLibraryOnSmallTexts) {
  for (const std::string& text :
       {"{}"s, "[]"s, "null"s, "true"s, "false"s, "0"s, "-0"s, "1.5e-3"s, "1E+2"s, "\"\""s, " [1 , 2]\r\n\t"s,
        "\"\\ud83c\\udfac\""s, "\"\\u0000\\b\\f\\n\\r\\t\\/\\\\\\\"\""s, "{\"a\":{\"b\":[{}]}}"s,
        "123456789012345678901234567890"s, "1e-400"s, "\"\x7F\""s,
        // refused by both
        ""s, " "s, "nul"s, "nulll"s, "truefalse"s, "NaN"s, "Infinity"s, "-"s, "01"s, "1."s, ".1"s, "1e"s, "+1"s, "0x1"s,
        "1e400"s, "--1"s, "1-2"s, "'a'"s, "\"a"s, "\"\\"s, "\"\\x\""s, "\"\\u12\""s, "\"\\u12g4\""s, "\"\\ud800\""s,
        "\"\\udc00\""s, "\"\\ud800\\u0041\""s, "\"\\ud800x\""s, "\"\\u+123\""s, "\"\\u 123\""s, "\"\n\""s, "\"\t\""s,
        "\"\xFF\""s, "\"\xC0\xAF\""s, "\"\xED\xA0\x80\""s, "\"\xF4\x90\x80\x80\""s, "\"\xE2\x82\""s, "\"\xE2"s, "[1,]"s,
        "[,1]"s, "[1 2]"s, "[1"s, "["s, "]"s, "{"s, "}"s, "{\"a\"}"s, "{\"a\":}"s, "{\"a\":1,}"s, "{,}"s, "{a:1}"s,
        "{1:1}"s, "{\"a\" 1}"s, "{\"a\":1 \"b\":2}"s, "{\"a\":1}}"s, "{} {}"s, "[] x"s, "// c\n1"s, "/* */ 1"s,
        "\xC3\xA9"s,
        // refused by us
        "{\"a\":1,\"a\":2}"s, "{\"a\":1,\"\\u0061\":2}"s, "{}\0"s, "\xEF\xBB\xBF{}"s}) {
    expect_agreement(text);
  }
}

TEST(JsonScanner, AgreesWithTheLibraryOnTheJsonSchemaTestSuite) {
  const std::filesystem::path suite = "/usr/share/json-schema-test-suite";
  if (!std::filesystem::exists(suite)) {
    if (std::getenv("HELIOS_TESTS_MUST_RUN") != nullptr) FAIL() << "the package json-schema-test-suite is missing";
    GTEST_SKIP() << "the package json-schema-test-suite is missing";
  }
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(suite)) {
    if (entry.path().extension() != ".json") continue;
    ++files;
    expect_agreement(file_text(entry.path()));
  }
  EXPECT_GT(files, 100);
}

TEST(JsonScanner, AgreesWithTheLibraryOnMutatedSpecs) {
  std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same texts in every run
  const std::string_view bytes(
      "{}[]:,\"\\ \n\te0123456789.-+u\0tfn\xC3\xA9\xFF"
      "ad",
      36);
  for (const auto& entry : std::filesystem::directory_iterator(HELIOS_SOURCE_DIR "/tests/data/specs")) {
    const std::string original = file_text(entry.path());
    expect_agreement(original);
    for (int round = 0; round < 300; ++round) {
      std::string text = original.substr(0, 900);
      if (round % 3 == 0) text = original;
      for (std::size_t n = 1 + random() % 3; n > 0; --n) {
        const std::size_t at = random() % text.size();
        const char byte = bytes[random() % bytes.size()];
        if (const std::size_t how = random() % 3; how == 0) {
          text[at] = byte;
        } else if (how == 1) {
          text.insert(at, 1, byte);
        } else {
          text.erase(at, 1 + random() % 3);
        }
      }
      ASSERT_NO_FATAL_FAILURE(expect_agreement(text));
    }
  }
}

TEST(JsonScanner, SaysWhereAndWhat) {
  EXPECT_EQ(verdict(""), "t:1:1: expected a value, found the end of the text");
  EXPECT_EQ(verdict("[1,\n 2 3]"), "t:2:4: expected ',' or ']', found number 3");
  EXPECT_EQ(verdict("{\"a\": [true, fals]}"), "t:1:14: /a/1: expected a value, found fals");
  EXPECT_EQ(verdict("{\"a/b~\": NaN}"), "t:1:10: /a~1b~0: expected a value, found NaN");
  EXPECT_EQ(verdict("{\"a\":1,\n\"a\":2}"), "t:2:1: /a: expected each name once in an object, found \"a\" again");
  EXPECT_EQ(verdict("{\"a\": 01}"), "t:1:7: /a: expected a number as JSON writes it, found number 01");
  EXPECT_EQ(verdict("{\"a\": 1e999}"), "t:1:7: /a: expected a number that a double can hold, found number 1e999");
  EXPECT_EQ(verdict("{} x"), "t:1:4: expected nothing after the document's end, found x");
  EXPECT_EQ(verdict("{'a':1}"), "t:1:2: expected a name in quotes or '}', found '''");
  EXPECT_EQ(verdict("{\"a\" 1}"), "t:1:6: /a: expected ':', found number 1");
  EXPECT_EQ(verdict("\"a\xFF\""), "t:1:3: expected valid UTF-8, found byte 0xff");
  EXPECT_EQ(verdict("\"a\x01\""), "t:1:3: expected control characters in strings as \\u escapes, found byte 0x01");
  EXPECT_EQ(verdict("\"a\\ud800b\""), "t:1:3: expected surrogates in pairs, found a lone \\ud800");
  EXPECT_EQ(verdict("\"a\\q\""), "t:1:3: expected an escape sequence of JSON, found \"\\q\"");
  EXPECT_EQ(verdict("\"abc"), "t:1:5: expected a closing quote, found the end of the text");
  EXPECT_EQ(verdict("[\0]"s), "t:1:2: /0: expected a value, found '\\x00'");
  EXPECT_EQ(verdict("\xEF\xBB\xBF{}"), "t:1:1: expected a value, found a byte order mark");
}

TEST(JsonScanner, CountsColumnsInCharacters) {
  EXPECT_EQ(verdict("[\"h\xC3\xA9\xF0\x9F\x8E\xAC\", x]"), "t:1:9: /1: expected a value, found x");
}

TEST(JsonScanner, TellsThePositionAtEveryQuestion) {
  // More than one window of it, so that the counting goes on from where a forgotten piece ended.
  std::string text = "[\n";
  const std::size_t lines = 40'000;
  for (std::size_t i = 0; i < lines; ++i) text += R"("äöü", "b")" + std::string(i + 1 < lines ? ",\n" : "\n]");
  std::string_view rest = text;
  JsonScanner scanner([&](char* into, std::size_t size) {
    const std::size_t n = std::min(size, rest.size());
    std::memcpy(into, rest.data(), n);
    rest.remove_prefix(n);
    return n;
  });
  ASSERT_TRUE(scanner.enter_array());
  std::string value;
  for (std::size_t i = 0; scanner.next_element(); ++i) {
    static_cast<void>(scanner.peek());
    const TextPosition before = scanner.position();
    ASSERT_EQ(before, (TextPosition{2 + i / 2, i % 2 == 0 ? 1U : 8U})) << i;
    ASSERT_TRUE(scanner.read_string(value));
    ASSERT_EQ(scanner.position(), before) << "the same token, asked again";
  }
  EXPECT_TRUE(scanner.finish());
}

TEST(JsonScanner, KnowsThePositionFarBehindItsWindow) {
  std::string text = "[\n";
  for (int i = 0; i < 100000; ++i) text += "\"\xC3\xA9 some words\",\n";
  EXPECT_EQ(verdict(text + "    \xC2\xB0]", 65536), "t:100002:5: /100000: expected a value, found '\xC2\xB0'");
  std::string line = "[";
  for (int i = 0; i < 100000; ++i) line += "\"\xC3\xA9 some words\",";
  EXPECT_EQ(verdict(line + "x]", 65536), "t:1:1500002: /100000: expected a value, found x");
}

TEST(JsonScanner, BoundsNesting) {
  EXPECT_EQ(verdict(std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']')), "good");
  const std::string deep = verdict(std::string(100000, '['));
  EXPECT_EQ(deep.substr(0, 8), "t:1:65: ");
  EXPECT_NE(deep.find("expected at most 64 levels of nesting, found one more"), std::string::npos);
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_NE(verdict(objects).find("expected at most 64 levels of nesting"), std::string::npos);
}

TEST(JsonScanner, BoundsStrings) {
  EXPECT_EQ(verdict('"' + std::string(kMaxStringBytes, 'x') + '"'), "good");
  const std::string too_long = '"' + std::string(kMaxStringBytes + 1, 'x') + '"';
  const std::string message = "t:1:1: expected a string of at most 1048576 bytes, found a longer one";
  EXPECT_EQ(verdict(too_long), message);
  EXPECT_EQ(verdict(too_long, 100000), message);
  EXPECT_EQ(verdict(std::string(kMaxStringBytes + 2, '1'), 100000),
            "t:1:1: expected a number, found one that is too long");
}

TEST(JsonScanner, BoundsNames) {
  std::string text = "{";
  for (std::size_t i = 0; i <= kMaxMembers; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  EXPECT_NE(verdict(text + "}").find("expected at most 65536 names in one object, found one more"), std::string::npos);
  text = "{";
  for (int i = 0; i < 17; ++i)
    text += (i == 0 ? "\"" : ",\"") + std::string(kMaxStringBytes - 2, 'x') + std::to_string(10 + i) + "\":0";
  EXPECT_NE(verdict(text + "}").find("bytes of names in open objects"), std::string::npos);
  EXPECT_EQ(verdict("{\"" + std::string(kMaxStringBytes, 'x') + "\":0}"), "good");
}

TEST(JsonScanner, FindsADuplicateAmongManyNames) {
  for (const int first : {0, 1, 31, 32, 33, 500, 998}) {
    std::string text = "{";
    for (int i = 0; i < 999; ++i) text += '"' + std::to_string(i) + "\": {\"x\": {\"x\": 1}},";
    EXPECT_NE(
        verdict(text + '"' + std::to_string(first) + "\":0}").find("found \"" + std::to_string(first) + "\" again"),
        std::string::npos);
    EXPECT_EQ(verdict(text + "\"999\":0}"), "good");
  }
}

TEST(JsonScanner, AllowsANameAgainInAnotherObject) { EXPECT_EQ(verdict("[{\"a\":{\"a\":1}},{\"a\":1}]"), "good"); }

TEST(PlainInteger, TakesOnlyPlainOnes) {
  EXPECT_EQ(plain_integer("0"), 0U);
  EXPECT_EQ(plain_integer("9007199254740991"), 9007199254740991U);
  for (const char* text : {"9007199254740992", "-0", "-1", "1.0", "1e2", "18446744073709551617", ""}) {
    EXPECT_EQ(plain_integer(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace helios::spec
