#include "core/spec/chunk_ids.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace helios::spec {
namespace {

TEST(ChunkIds, NamesRangesInAscendingOrder) {
  ChunkIds ids;
  for (const std::uint64_t id : {9, 2, 1, 0, 7, 3, 11, 10}) ASSERT_TRUE(ids.insert(id));
  EXPECT_EQ(ids.ranges(10), "0-3, 7, 9-11");
  EXPECT_EQ(ids.ranges(2), "0-3, 7, …");
}

TEST(ChunkIds, JoinsARangeAcrossTheDenseBound) {
  ChunkIds ids;
  constexpr std::uint64_t kBound = std::uint64_t{1} << 24;
  for (const std::uint64_t id : {kBound + 1, kBound, kBound - 1}) ASSERT_TRUE(ids.insert(id));
  EXPECT_EQ(ids.ranges(10), "16777215-16777217");
}

TEST(ChunkIds, HoldsNothingAtFirst) {
  const ChunkIds ids;
  EXPECT_FALSE(ids.contains(0));
  EXPECT_FALSE(ids.contains((std::uint64_t{1} << 53) - 1));
  EXPECT_EQ(ids.ranges(10), "");
}

TEST(ChunkIds, AgreesWithASetOnRandomIds) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc51-cpp): the same ids in every run
  std::set<std::uint64_t> expected;
  ChunkIds ids;
  for (int i = 0; i < 200000; ++i) {
    const std::uint64_t id = (random() >> 11) >> (random() % 53);
    ASSERT_EQ(ids.insert(id), expected.insert(id).second) << id;
  }
  EXPECT_EQ(ids.size(), expected.size());
  for (const std::uint64_t id : expected) ASSERT_TRUE(ids.contains(id)) << id;
}

}  // namespace
}  // namespace helios::spec
