#include "core/supervise/timeline.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace helios::supervise {
namespace {

void add(std::string& line, const char* key, const std::optional<double>& value) {
  if (!value) return;
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "%s\"%s\":%.1f", line.back() == '{' ? "" : ",", key, *value);
  line += text.data();
}

void add(std::string& line, const char* key, const std::optional<std::uint64_t>& value) {
  if (value) line += (line.back() == '{' ? "\"" : ",\"") + std::string(key) + "\":" + std::to_string(*value);
}

}  // namespace

std::string timeline_line(double ms, const cgroup::Counters& c, std::uint64_t helpers) {
  std::string line = "{";
  add(line, "ms", std::optional<double>(ms));
  add(line, "cpuMs", c.cpu_ms.value);
  add(line, "memoryBytes", c.current_memory_bytes.value);
  add(line, "anonymousBytes", c.memory_now.anonymous);
  add(line, "sharedBytes", c.memory_now.shared);
  add(line, "fileCacheBytes", c.memory_now.file_cache);
  std::optional<std::uint64_t> tasks = c.current_tasks.value;
  if (tasks) *tasks -= std::min(*tasks, helpers);
  add(line, "processes", tasks);
  add(line, "throttledMs", c.throttled_ms.value);
  add(line, "ioReadBytes", c.io_read_bytes.value);
  add(line, "ioWriteBytes", c.io_write_bytes.value);
  if (c.pressure_cpu_ms.value || c.pressure_memory_ms.value || c.pressure_io_ms.value) {
    line += ",\"pressure\":{";
    add(line, "cpuMs", c.pressure_cpu_ms.value);
    add(line, "memoryMs", c.pressure_memory_ms.value);
    add(line, "ioMs", c.pressure_io_ms.value);
    line += "}";
  }
  return line + "}\n";
}

}  // namespace helios::supervise
