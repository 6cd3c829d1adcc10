/// Limits: one table that the spec, the policy, the command line, the runners and the receipts all read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace helios {

/// Order is part of the plugin ABI: append only.
enum class Limit : std::uint32_t {
  memory,        ///< bytes of everything the tree holds: anonymous, page cache, tmpfs, kernel
  swap,          ///< bytes of swap beyond memory
  cpus,          ///< milli-CPUs: 1500 is one and a half processors
  cpu_time,      ///< milliseconds of CPU of the whole tree
  wall_time,     ///< milliseconds from exec to exit
  idle_time,     ///< milliseconds without output, CPU use or growth of the output file
  processes,     ///< tasks (threads included) as the kernel counts them, without our init
  output_bytes,  ///< bytes per stream; reaching it exactly is allowed
  disk_bytes,    ///< growth of the workspace, bytes
  disk_files,    ///< growth of the workspace, files
  open_files,    ///< RLIMIT_NOFILE
  file_size,     ///< RLIMIT_FSIZE, bytes
  memory_high,   ///< bytes of memory beyond which the tree is slowed, not ended; cgroup v2 only
};
inline constexpr std::size_t kLimitCount = 13;

enum class LimitUnit { bytes, milli_cpus, milliseconds, count };

struct LimitInfo {
  Limit limit;
  std::string_view key;   ///< JSON key in spec `resources`, policy `limits`/`ceilings`, and name in receipts
  std::string_view flag;  ///< command line option; the variable is HELIOS_ plus the same in capitals with '_'
  LimitUnit unit;
  std::uint64_t min;      ///< smaller values make no sense and are refused
  std::uint64_t max;
};

inline constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kMaxMillis = std::uint64_t{1000} * 60 * 60 * 24 * 366;

inline constexpr std::array<LimitInfo, kLimitCount> kLimits{{
    {Limit::memory, "memory", "--memory", LimitUnit::bytes, 1 << 20, kMaxBytes},
    {Limit::swap, "swap", "--swap", LimitUnit::bytes, 0, kMaxBytes},
    {Limit::cpus, "cpus", "--cpus", LimitUnit::milli_cpus, 10, 8192 * 1000},
    {Limit::cpu_time, "cpuTime", "--cpu-time", LimitUnit::milliseconds, 10, kMaxMillis},
    {Limit::wall_time, "wallTime", "--timeout", LimitUnit::milliseconds, 1, kMaxMillis},
    {Limit::idle_time, "idleTime", "--idle-timeout", LimitUnit::milliseconds, 100, kMaxMillis},
    {Limit::processes, "processes", "--pids", LimitUnit::count, 1, 4194304},
    {Limit::output_bytes, "outputBytes", "--output-limit", LimitUnit::bytes, 0, kMaxBytes},
    {Limit::disk_bytes, "diskBytes", "--disk-limit", LimitUnit::bytes, 0, kMaxBytes},
    {Limit::disk_files, "diskFiles", "--disk-files", LimitUnit::count, 0, std::uint64_t{1} << 40},
    {Limit::open_files, "openFiles", "--open-files", LimitUnit::count, 16, 1 << 20},
    {Limit::file_size, "fileSize", "--file-size", LimitUnit::bytes, 0, kMaxBytes},
    {Limit::memory_high, "memoryHigh", "--memory-high", LimitUnit::bytes, 1 << 20, kMaxBytes},
}};

[[nodiscard]] constexpr const LimitInfo& info(Limit l) { return kLimits[static_cast<std::size_t>(l)]; }

/// A set of limits, each in the unit of its table row; empty means "not limited" (or "not given").
struct Limits {
  std::array<std::optional<std::uint64_t>, kLimitCount> values{};

  [[nodiscard]] std::optional<std::uint64_t>& operator[](Limit l) { return values[static_cast<std::size_t>(l)]; }
  [[nodiscard]] const std::optional<std::uint64_t>& operator[](Limit l) const {
    return values[static_cast<std::size_t>(l)];
  }
  bool operator==(const Limits&) const = default;
};

}  // namespace helios
