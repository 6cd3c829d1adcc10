#include "plugins/isolated/visible_limits.h"

#include <optional>
#include <string>
#include <utility>

namespace helios::isolated {
namespace {

constexpr std::uint64_t kPeriodUs = 100000;                  // the kernel's default
constexpr const char* kUnlimitedV1 = "9223372036854771712";  // LONG_MAX in whole pages: what the kernel shows

std::optional<std::uint64_t> in_force(const std::vector<cgroup::LimitWrite>& writes, Limit limit) {
  for (const cgroup::LimitWrite& w : writes) {
    if (w.limit == limit && !w.file.empty()) return w.requested;
  }
  return std::nullopt;
}

RootStep file(const std::string& name, std::string text) {
  return {MountOp::file, 0, 0444, 0, "", "/sys/fs/cgroup/" + name, std::move(text) + "\n", false};
}

}  // namespace

std::vector<RootStep> visible_limits(const std::vector<cgroup::LimitWrite>& writes) {
  std::vector<RootStep> files;
  if (const auto bytes = in_force(writes, Limit::memory)) {
    files.push_back(file("memory.max", std::to_string(*bytes)));
    const auto high = in_force(writes, Limit::memory_high);
    files.push_back(file("memory.high", high ? std::to_string(*high) : "max"));
    files.push_back(file("memory/memory.limit_in_bytes", std::to_string(*bytes)));
    files.push_back(file("memory/memory.soft_limit_in_bytes", kUnlimitedV1));
  }
  if (const auto milli = in_force(writes, Limit::cpus)) {
    const std::string quota = std::to_string(*milli * kPeriodUs / 1000), period = std::to_string(kPeriodUs);
    files.push_back(file("cpu.max", quota + " " + period));
    files.push_back(file("cpu/cpu.cfs_quota_us", quota));
    files.push_back(file("cpu/cpu.cfs_period_us", period));
  }
  return files;
}

}  // namespace helios::isolated
