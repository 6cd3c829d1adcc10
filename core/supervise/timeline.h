/// A run over time: one JSON line per sample.
#pragma once

#include <cstdint>
#include <string>

#include "core/cgroup/cgroup.h"

namespace helios::supervise {

/// {"ms":1000.0,"cpuMs":812.1,"memoryBytes":4096,"processes":3,…}\n  `ms`: since the command was executed. Keys are
/// those of the result's `resources`; CPU, throttling, I/O and pressure count from the start, memory and processes are
/// those of the moment, without our own `helpers`. What cannot be measured is absent.
[[nodiscard]] std::string timeline_line(double ms, const cgroup::Counters& counters, std::uint64_t helpers);

}  // namespace helios::supervise
