#include <unistd.h>

#include <algorithm>

#include "core/cgroup/cgroup.h"
#include "core/cgroup/hierarchy.h"
#include "core/cgroup/swap.h"

namespace helios::cgroup {
namespace {

constexpr std::uint64_t kMinQuotaUs = 1000;   // the kernel refuses less
constexpr std::uint64_t kPeriodV1Us = 50000;  // held at 0.45 to 0.50 of 0.5 where 100 ms gave coarser steps
constexpr std::uint64_t kPeriodV2Us = 100000;

// Collects the writes of one plan. `add_*` return an error for a limit that cannot be held and may not be missing.
struct Planner {
  const Placement& place;
  std::span<const std::string> allowed;
  std::vector<LimitWrite> writes;

  [[nodiscard]] bool may_lack(std::string_view what) const {
    return std::find(allowed.begin(), allowed.end(), what) != allowed.end();
  }

  /// `remedy` stands before the way that is always open; empty: another place might have the controller.
  Status lacking(Limit limit, Controller c, std::uint64_t requested, const std::string& cause,
                 std::string remedy = {}) {
    if (may_lack(info(limit).key)) {
      writes.push_back({limit, requested, c, "", "", "degraded"});
      return {};
    }
    const std::string key(info(limit).key);
    if (remedy.empty()) {
      remedy = place.options().uid == 0 ? "name a writable place with --cgroup-parent"
                                        : "start it under `systemd-run --user --scope -p Delegate=yes …`";
    }
    return fail(ErrorCode::unsupported,
                "limit " + key + " through the " + std::string(name(c)) + " controller: " + cause,
                remedy + ", or let it be missing with --allow-degraded=" + key);
  }

  void add(Limit limit, Controller c, std::uint64_t requested, const char* file, std::string value) {
    const std::string by = "cgroup-" + std::string(name(place.seat(c).version)) + ":" + file;
    writes.push_back({limit, requested, c, file, std::move(value), by});
  }

  Status add_memory(std::uint64_t bytes) {
    const Seat& seat = place.seat(Controller::memory);
    if (seat.version == Version::none) return lacking(Limit::memory, Controller::memory, bytes, seat.missing);
    add(Limit::memory, Controller::memory, bytes, seat.version == Version::v1 ? "memory.limit_in_bytes" : "memory.max",
        std::to_string(bytes));
    return {};
  }

  Status add_memory_high(std::uint64_t bytes) {
    const Seat& seat = place.seat(Controller::memory);
    if (seat.version == Version::none) return lacking(Limit::memory_high, Controller::memory, bytes, seat.missing);
    if (seat.version == Version::v2) {
      add(Limit::memory_high, Controller::memory, bytes, "memory.high", std::to_string(bytes));
      return {};
    }
    // memory.soft_limit_in_bytes slows nobody: it only steers whose pages go first when the whole host runs short.
    return lacking(Limit::memory_high, Controller::memory, bytes,
                   "cgroup v1 has no limit that slows a run down before the one that ends it",
                   "use a host with cgroup v2 (systemd.unified_cgroup_hierarchy=1)");
  }

  Status add_swap(std::uint64_t bytes, std::optional<std::uint64_t> memory) {
    const Seat& seat = place.seat(Controller::memory);
    if (seat.version == Version::none) return lacking(Limit::swap, Controller::memory, bytes, seat.missing);
    if (seat.version == Version::v2) {
      add(Limit::swap, Controller::memory, bytes, "memory.swap.max", std::to_string(bytes));
      return {};
    }
    // v1 counts memory and swap together: the file holds the sum, and is written after the memory limit.
    if (!memory)
      return lacking(Limit::swap, Controller::memory, bytes, "cgroup v1 limits swap only together with memory");
    if (v1_counts_swap(seat.parent)) {
      add(Limit::swap, Controller::memory, bytes, "memory.memsw.limit_in_bytes", std::to_string(*memory + bytes));
      return {};
    }
    if (!host_has_swap()) {
      writes.push_back({Limit::swap, bytes, Controller::memory, "", "", std::string(kNoSwap)});
      return {};
    }
    return lacking(Limit::swap, Controller::memory, bytes,
                   "the kernel does not count swap (boot with swapaccount=1), and the host has some");
  }

  Status add_cpus(std::uint64_t milli) {
    const Seat& seat = place.seat(Controller::cpu);
    if (seat.version == Version::none) return lacking(Limit::cpus, Controller::cpu, milli, seat.missing);
    std::uint64_t period = seat.version == Version::v1 ? kPeriodV1Us : kPeriodV2Us;
    if (milli * period / 1000 < kMinQuotaUs) period = kPeriodV2Us;
    const std::string quota = std::to_string(std::max(milli * period / 1000, kMinQuotaUs));
    if (seat.version == Version::v2) {
      add(Limit::cpus, Controller::cpu, milli, "cpu.max", quota + " " + std::to_string(period));
      return {};
    }
    add(Limit::cpus, Controller::cpu, milli, "cpu.cfs_period_us", std::to_string(period));
    add(Limit::cpus, Controller::cpu, milli, "cpu.cfs_quota_us", quota);
    return {};
  }

  Status add_tasks(std::uint64_t tasks) {
    const Seat& seat = place.seat(Controller::pids);
    if (seat.version == Version::none) return lacking(Limit::processes, Controller::pids, tasks, seat.missing);
    add(Limit::processes, Controller::pids, tasks, "pids.max", std::to_string(tasks));
    return {};
  }
};

}  // namespace

Result<std::vector<LimitWrite>> plan_limits(const Placement& placement, const GroupLimits& limits,
                                            std::span<const std::string> allow_degraded) {
  Planner planner{placement, allow_degraded, {}};
  Status status;
  if (limits.memory_bytes) status = planner.add_memory(*limits.memory_bytes);
  if (status && limits.memory_high_bytes) status = planner.add_memory_high(*limits.memory_high_bytes);
  if (status && limits.swap_bytes) status = planner.add_swap(*limits.swap_bytes, limits.memory_bytes);
  if (status && limits.milli_cpus) status = planner.add_cpus(*limits.milli_cpus);
  if (status && limits.tasks) status = planner.add_tasks(*limits.tasks);
  if (!status) return fail(status.error());
  return std::move(planner.writes);
}

}  // namespace helios::cgroup
