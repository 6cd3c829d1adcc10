#include "core/executor/bottleneck.h"

#include <gtest/gtest.h>

namespace helios {
namespace {

Execution lasting(double ms) {
  Execution x;
  x.usage.set(Figure::duration_ms, ms, "clock");
  return x;
}

TEST(Bottleneck, NamesThrottlingAsAShareOfTheRun) {
  Execution x = lasting(1000);
  x.usage.set(Figure::throttled_ms, 630, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "throttled for 63 % of its run time: raise cpus");
}

TEST(Bottleneck, CutsWhatIsSummedOverProcessorsAtTheWhole) {
  Execution x = lasting(1000);
  x.usage.set(Figure::throttled_ms, 3000, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "throttled for 100 % of its run time: raise cpus");
}

TEST(Bottleneck, NamesALimitThatWasNearlyReached) {
  Execution x = lasting(1000);
  x.limits = {{Limit::memory, 1000, 1000, "cgroup"}};
  x.usage.set(Figure::peak_memory_bytes, 970, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "3 % below the memory limit at its peak");
}

TEST(Bottleneck, NamesTheSoftLimitThatSlowedTheRun) {
  Execution x = lasting(1000);
  x.limits = {{Limit::memory_high, 1000, 1000, "cgroup-v2:memory.high"}};
  x.usage.set(Figure::pressure_memory_ms, 400, "cgroup");
  x.usage.set(Figure::memory_high_hits, 0, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "waited for memory 40 % of its run time: raise memory") << "never above it";
  x.usage.set(Figure::memory_high_hits, 12, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "slowed at memoryHigh for 40 % of its run time: raise memoryHigh");
  x.usage.set(Figure::pressure_memory_ms, 5, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "") << "page cache that was given back costs nothing worth telling";
  Execution uncounted = lasting(1000);
  uncounted.limits = x.limits;
  uncounted.usage.set(Figure::memory_high_hits, 12, "cgroup");
  EXPECT_EQ(bottleneck_of(uncounted), "slowed at memoryHigh 12 times: raise memoryHigh");
}

TEST(Bottleneck, PageCacheUpToTheLimitHoldsNobodyUp) {
  Execution x = lasting(1000);
  x.limits = {{Limit::memory, 1000, 1000, "cgroup"}};
  x.usage.set(Figure::peak_memory_bytes, 1000, "cgroup");
  x.usage.set(Figure::peak_file_cache_bytes, 800, "cgroup");
  x.usage.set(Figure::peak_anonymous_bytes, 150, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "");
  x.usage.set(Figure::peak_shared_bytes, 800, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "5 % below the memory limit at its peak") << "the cache was given back for the rest";
  x.usage.set(Figure::peak_shared_bytes, 0, "cgroup");
  x.usage.set(Figure::peak_file_cache_bytes, 30, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "3 % below the memory limit at its peak") << "the samples missed what was not cache";
}

TEST(Bottleneck, TellsTheWorstOnly) {
  Execution x = lasting(1000);
  x.usage.set(Figure::throttled_ms, 200, "cgroup");
  x.usage.set(Figure::pressure_memory_ms, 500, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "waited for memory 50 % of its run time: raise memory");
  x.usage.set(Figure::pressure_io_ms, 600, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "waited for input and output 60 % of its run time");
  x.usage.set(Figure::pressure_cpu_ms, 700, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "waited for a processor 70 % of its run time");
}

TEST(Bottleneck, WhatCostTimeComesBeforeALimitThatWasNearlyReached) {
  Execution x = lasting(1000);
  x.limits = {{Limit::memory, 1000, 1000, "cgroup"}, {Limit::processes, 50, 50, "cgroup"}};
  x.usage.set(Figure::peak_memory_bytes, 910, "cgroup");
  x.usage.set(Figure::peak_processes, 49, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "2 % below the process limit at its peak") << "the nearer one";
  x.usage.set(Figure::throttled_ms, 150, "cgroup");
  EXPECT_EQ(bottleneck_of(x), "throttled for 15 % of its run time: raise cpus");
}

TEST(Bottleneck, SaysNothingOfShortRunsSmallSharesAndWhatWasNotMeasured) {
  EXPECT_EQ(bottleneck_of(lasting(1000)), "");
  Execution brief = lasting(99);
  brief.usage.set(Figure::throttled_ms, 99, "cgroup");
  EXPECT_EQ(bottleneck_of(brief), "");
  Execution little = lasting(1000);
  little.usage.set(Figure::throttled_ms, 99, "cgroup");
  little.limits = {{Limit::memory, 1000, std::nullopt, "degraded"}};
  little.usage.set(Figure::peak_memory_bytes, 999, "cgroup");
  EXPECT_EQ(bottleneck_of(little), "");
}

}  // namespace
}  // namespace helios
