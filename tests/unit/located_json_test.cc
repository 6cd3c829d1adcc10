#include "core/spec/located_json.h"

#include <gtest/gtest.h>

namespace helios::spec {
namespace {

constexpr const char* kText = "{\n  \"a\": {\"b\": [1, \"two\"]},\n  \"c\": null\n}";

TEST(LocatedJson, KnowsWhereEachValueBegins) {
  const auto json = parse_located_json(kText, "p.json").value();
  EXPECT_EQ(json.root, nlohmann::json::parse(kText));
  EXPECT_EQ(json.positions.at(""), (TextPosition{1, 1}));
  EXPECT_EQ(json.positions.at("/a/b/1"), (TextPosition{2, 18}));
  EXPECT_EQ(json.positions.at("/c"), (TextPosition{3, 8}));
}

TEST(LocatedJson, NamesTheProblemOfAValue) {
  const auto json = parse_located_json(kText, "p.json").value();
  EXPECT_EQ(json.problem("/a/b/1", "a number").message, "p.json:2:18: /a/b/1: expected a number, found string \"two\"");
  EXPECT_EQ(json.problem("/c", "an object").message, "p.json:3:8: /c: expected an object, found null");
  EXPECT_EQ(json.problem("/a/x", "a string").message, "p.json:2:8: /a/x: expected a string, found nothing");
  EXPECT_EQ(json.problem("/a", "other", "this").code, ErrorCode::invalid_policy);
}

TEST(LocatedJson, RefusesWhatTheScannerRefuses) {
  const auto json = parse_located_json("{\"a\": 1,\n \"a\": 2}", "p.json");
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().message, "p.json:2:2: /a: expected each name once in an object, found \"a\" again");
  EXPECT_EQ(json.error().code, ErrorCode::invalid_policy);
}

TEST(LocatedJson, KeepsTheKindsOfNumbers) {
  const auto json = parse_located_json("[1, -1, 1.0, 18446744073709551615, 1e2]", "p").value();
  EXPECT_TRUE(json.root[0].is_number_unsigned());
  EXPECT_TRUE(json.root[1].is_number_integer());
  EXPECT_TRUE(json.root[2].is_number_float());
  EXPECT_EQ(json.root[3].get<std::uint64_t>(), 18446744073709551615U);
  EXPECT_TRUE(json.root[4].is_number_float());
}

}  // namespace
}  // namespace helios::spec
