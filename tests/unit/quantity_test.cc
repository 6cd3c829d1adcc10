#include "core/spec/quantity.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace helios::spec {
namespace {

constexpr std::uint64_t kMebi = 1 << 20;

struct Case {
  LimitUnit unit;
  const char* text;
  std::uint64_t value;
};

TEST(ParseQuantity, ReadsEveryForm) {
  for (const auto& [unit, text, value] : {Case{LimitUnit::bytes, "0", 0},
                                          Case{LimitUnit::bytes, "4096", 4096},
                                          Case{LimitUnit::bytes, "4K", 4096},
                                          Case{LimitUnit::bytes, "512M", 512 * kMebi},
                                          Case{LimitUnit::bytes, "64MiB", 64 * kMebi},
                                          Case{LimitUnit::bytes, "1.5G", 1536 * kMebi},
                                          Case{LimitUnit::bytes, "0.001K", 1},
                                          Case{LimitUnit::bytes, "2T", 2 * kMebi * kMebi},
                                          Case{LimitUnit::bytes, "1TiB", kMebi * kMebi},
                                          Case{LimitUnit::bytes, "0.1G", 107374182},
                                          Case{LimitUnit::milliseconds, "500ms", 500},
                                          Case{LimitUnit::milliseconds, "90s", 90000},
                                          Case{LimitUnit::milliseconds, "1.5m", 90000},
                                          Case{LimitUnit::milliseconds, "2h", 7200000},
                                          Case{LimitUnit::milliseconds, "0.001s", 1},
                                          Case{LimitUnit::milli_cpus, "1.5", 1500},
                                          Case{LimitUnit::milli_cpus, "0.25", 250},
                                          Case{LimitUnit::milli_cpus, "4", 4000},
                                          Case{LimitUnit::milli_cpus, "0.001", 1},
                                          Case{LimitUnit::count, "64", 64},
                                          Case{LimitUnit::count, "18446744073709551615", 18446744073709551615U}}) {
    const auto parsed = parse_quantity(unit, text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, value) << text;
  }
}

TEST(ParseQuantity, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "M",
                           "-5",
                           "+5",
                           "5 M",
                           " 5",
                           "5 ",
                           "5m",
                           "5k",
                           "5KB",
                           "5B",
                           "5mib",
                           "0x10",
                           "1e3",
                           "007",
                           "00",
                           "1.",
                           ".5",
                           ".5G",
                           "1.5",
                           "1.0001G",
                           "1..5G",
                           "1,5G",
                           "nan",
                           "inf",
                           "16777216T",
                           "18446744073709551616",
                           "17179869184G",
                           "512MM",
                           "512M\n"}) {
    EXPECT_FALSE(parse_quantity(LimitUnit::bytes, text)) << text;
  }
  for (const char* text : {"90", "0", "1.5ms", "5M", "5d", "5 s", "-1s", "5S", "1h30m", "5124095576031h"}) {
    EXPECT_FALSE(parse_quantity(LimitUnit::milliseconds, text)) << text;
  }
  for (const char* text : {"1.5000", "50%", "2c", "1500m", "-1"}) {
    EXPECT_FALSE(parse_quantity(LimitUnit::milli_cpus, text)) << text;
  }
  for (const char* text : {"1.5", "1K", "64M", "-1", "2.0"})
    EXPECT_FALSE(parse_quantity(LimitUnit::count, text)) << text;
  EXPECT_FALSE(parse_quantity(LimitUnit::bytes, std::string_view("5\0M", 3)));
}

TEST(ParseLimit, NamesFlagValueAndWhatIsAllowed) {
  EXPECT_EQ(parse_limit(Limit::memory, "4K").error().message,
            "--memory: expected a size from 1M to 1048576T, such as 512M or 1.5G, found \"4K\"");
  EXPECT_EQ(
      parse_limit(Limit::wall_time, "90").error().message,
      "--timeout: expected a duration with its unit from 1ms to 8784h, such as 500ms, 90s, 1.5m or 2h, found \"90\"");
  EXPECT_EQ(parse_limit(Limit::cpus, "-1").error().message,
            "--cpus: expected a number of processors from 0.01 to 8192, such as 1.5, found \"-1\"");
  EXPECT_EQ(parse_limit(Limit::processes, "a\nb").error().message,
            "--pids: expected a whole number from 1 to 4194304, such as 64, found \"a\\nb\"");
  EXPECT_EQ(parse_limit(Limit::memory, "4K").error().code, ErrorCode::invalid_argument);
}

TEST(ParseLimit, HoldsTheBoundsOfEveryLimit) {
  for (const LimitInfo& row : kLimits) {
    EXPECT_EQ(parse_limit(row.limit, format_quantity(row.unit, row.min)).value(), row.min) << row.key;
    EXPECT_EQ(parse_limit(row.limit, format_quantity(row.unit, row.max)).value(), row.max) << row.key;
    EXPECT_FALSE(parse_limit(row.limit, format_quantity(row.unit, row.max + 1))) << row.key;
    if (row.min > 0) {
      EXPECT_FALSE(parse_limit(row.limit, format_quantity(row.unit, row.min - 1))) << row.key;
    }
  }
}

TEST(FormatQuantity, ParsesBackToTheSameValue) {
  std::mt19937_64 random(7);  // NOLINT(cert-msc51-cpp): the same values in every run
  for (const LimitUnit unit : {LimitUnit::bytes, LimitUnit::milliseconds, LimitUnit::milli_cpus, LimitUnit::count}) {
    for (int i = 0; i < 20000; ++i) {
      const std::uint64_t value = (random() >> (random() % 64)) << (random() % 20);
      ASSERT_EQ(parse_quantity(unit, format_quantity(unit, value)), value) << format_quantity(unit, value);
    }
  }
  EXPECT_EQ(format_quantity(LimitUnit::bytes, 512 * kMebi), "512M");
  EXPECT_EQ(format_quantity(LimitUnit::bytes, 0), "0");
  EXPECT_EQ(format_quantity(LimitUnit::milliseconds, 90000), "90s");
  EXPECT_EQ(format_quantity(LimitUnit::milliseconds, 1500), "1500ms");
  EXPECT_EQ(format_quantity(LimitUnit::milli_cpus, 1500), "1.5");
  EXPECT_EQ(format_quantity(LimitUnit::milli_cpus, 2000), "2");
}

TEST(LimitFromJson, TakesNumbersAndStrings) {
  EXPECT_EQ(limit_from_json(Limit::memory, 268435456).value(), 268435456U);
  EXPECT_EQ(limit_from_json(Limit::memory, "256M").value(), 268435456U);
  EXPECT_EQ(limit_from_json(Limit::cpus, 0.5).value(), 500U);
  EXPECT_EQ(limit_from_json(Limit::cpus, 2).value(), 2000U);
  EXPECT_EQ(limit_from_json(Limit::wall_time, 1500).value(), 1500U);
  EXPECT_EQ(limit_from_json(Limit::wall_time, "90s").value(), 90000U);
  for (const nlohmann::json& bad :
       {nlohmann::json(-1), nlohmann::json(1.5), nlohmann::json(true), nlohmann::json(nullptr), nlohmann::json::array(),
        nlohmann::json("4K"), nlohmann::json(1e300)}) {
    EXPECT_FALSE(limit_from_json(Limit::memory, bad)) << bad;
  }
  EXPECT_EQ(limit_from_json(Limit::processes, true).error().message,
            "expected a whole number from 1 to 4194304, such as 64, found true");
}

}  // namespace
}  // namespace helios::spec
