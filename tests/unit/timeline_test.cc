// The lines of --timeline.
#include "core/supervise/timeline.h"

#include <gtest/gtest.h>

namespace helios::supervise {
namespace {

TEST(Timeline, ALineHasWhatWasMeasured) {
  cgroup::Counters c;
  c.cpu_ms.value = 812.14;
  c.current_memory_bytes.value = 4096;
  c.current_tasks.value = 4;
  EXPECT_EQ(timeline_line(1000, c, 1), "{\"ms\":1000.0,\"cpuMs\":812.1,\"memoryBytes\":4096,\"processes\":3}\n");
}

TEST(Timeline, ALineHasThePartsOfTheMemory) {
  cgroup::Counters c;
  c.current_memory_bytes.value = 7000;
  c.memory_now = {4000, 2000, 1000, 0};
  EXPECT_EQ(timeline_line(1, c, 0),
            "{\"ms\":1.0,\"memoryBytes\":7000,\"anonymousBytes\":4000,\"sharedBytes\":2000,\"fileCacheBytes\":1000}\n");
}

TEST(Timeline, WhatIsNotMeasuredIsAbsentAndNotZero) { EXPECT_EQ(timeline_line(0.5, {}, 1), "{\"ms\":0.5}\n"); }

TEST(Timeline, PressureIsAnObjectOfWhatTheKernelTells) {
  cgroup::Counters c;
  c.pressure_memory_ms.value = 40.2;
  c.pressure_io_ms.value = 0;
  EXPECT_EQ(timeline_line(2, c, 0), "{\"ms\":2.0,\"pressure\":{\"memoryMs\":40.2,\"ioMs\":0.0}}\n");
}

TEST(Timeline, OurHelpersNeverMakeItNegative) {
  cgroup::Counters c;
  c.current_tasks.value = 0;
  EXPECT_EQ(timeline_line(2, c, 1), "{\"ms\":2.0,\"processes\":0}\n");
}

}  // namespace
}  // namespace helios::supervise
