#include "core/supervise/run_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace helios::supervise {

cgroup::GroupLimits group_limits(const Limits& limits, unsigned helpers) {
  cgroup::GroupLimits g;
  g.memory_bytes = limits[Limit::memory];
  g.memory_high_bytes = limits[Limit::memory_high];
  g.swap_bytes = limits[Limit::swap];
  g.milli_cpus = limits[Limit::cpus];
  if (limits[Limit::processes]) g.tasks = *limits[Limit::processes] + helpers;
  return g;
}

namespace {

/// No core file needs less than a page, and exactly 1 is what makes the kernel start no crash handler either
/// (core_pattern with `|`: it would run as root on the host, and with a limit of 0 it does). A hard limit of 0 of our
/// own cannot be raised without privileges on the host.
Result<std::uint64_t> core_limit() {
  rlimit ours{};
  if (::getrlimit(RLIMIT_CORE, &ours) != 0) {
    return fail_errno(ErrorCode::setup_failed, "read our own RLIMIT_CORE", errno);
  }
  return ours.rlim_max >= kNoCore ? kNoCore : 0;
}

}  // namespace

Result<std::vector<Rlimit>> rlimits_for(const Limits& limits) {
  const auto core = core_limit();
  if (!core) return fail(core.error());
  // Whoever starts us may be allowed real-time priorities: a quota of processor time does not hold for those.
  std::vector<Rlimit> out{{RLIMIT_CORE, *core, *core, "RLIMIT_CORE"},
                          {RLIMIT_RTPRIO, 0, 0, "RLIMIT_RTPRIO"},
                          {RLIMIT_NICE, 0, 0, "RLIMIT_NICE"}};
  const auto add = [&](int resource, Limit limit, const char* name) -> Status {
    const auto& value = limits[limit];
    if (!value) return {};
    rlimit ours{};
    if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &ours) != 0) {
      return fail_errno(ErrorCode::setup_failed, "read our own " + std::string(name), errno);
    }
    if (ours.rlim_max != RLIM_INFINITY && *value > ours.rlim_max) {
      return fail(ErrorCode::unsupported,
                  std::string(info(limit).key) + ": " + std::to_string(*value) + " is above our own hard limit of " +
                      std::to_string(ours.rlim_max) + " (" + name + ")",
                  "ask for less, or start helios-run with a higher hard limit");
    }
    out.push_back({resource, *value, *value, name});
    return {};
  };
  if (auto s = add(RLIMIT_NOFILE, Limit::open_files, "RLIMIT_NOFILE"); !s) return fail(s.error());
  if (auto s = add(RLIMIT_FSIZE, Limit::file_size, "RLIMIT_FSIZE"); !s) return fail(s.error());
  return out;
}

Result<std::vector<LimitReceipt>> receipts_outside_group(const Limits& limits, bool counts_cpu,
                                                         std::span<const std::string> allow_degraded) {
  std::vector<LimitReceipt> out;
  const auto held = [&](Limit l, const char* by) {
    if (limits[l]) out.push_back({l, *limits[l], *limits[l], by});
  };
  held(Limit::wall_time, "timer");
  held(Limit::idle_time, "watch:output,cpu");
  held(Limit::output_bytes, "pipe");
  held(Limit::disk_bytes, "watch:workspace");
  held(Limit::disk_files, "watch:workspace");
  held(Limit::open_files, "rlimit:RLIMIT_NOFILE");
  held(Limit::file_size, "rlimit:RLIMIT_FSIZE");
  if (limits[Limit::cpu_time]) {
    if (counts_cpu) {
      held(Limit::cpu_time, "watch:cgroup");
    } else if (std::find(allow_degraded.begin(), allow_degraded.end(), "cpuTime") != allow_degraded.end()) {
      out.push_back({Limit::cpu_time, *limits[Limit::cpu_time], std::nullopt, "degraded"});
    } else {
      return fail(ErrorCode::unsupported, "limit cpuTime: no control group counts the CPU time of the whole tree here",
                  "start under a delegated group (systemd-run --user --scope -p Delegate=yes ...), or pass "
                  "--allow-degraded=cpuTime");
    }
  }
  return out;
}

std::vector<PlanItem> describe_limits(const std::optional<cgroup::Placement>& placement,
                                      std::span<const cgroup::LimitWrite> writes, std::span<const LimitReceipt> outside,
                                      std::span<const Rlimit> rlimits) {
  std::vector<PlanItem> items{{"cgroup", "placement", placement ? placement->describe() : "none"}};
  for (const auto& w : writes) {
    items.push_back({"limits", std::string(info(w.limit).key), w.file.empty() ? w.by : w.file + " = " + w.value});
  }
  for (const auto& l : outside) {
    items.push_back({"limits", std::string(info(l.limit).key), std::to_string(l.requested) + " by " + l.by});
  }
  for (const auto& l : rlimits) items.push_back({"rlimits", l.name, std::to_string(l.soft)});
  return items;
}

void sort_receipts(std::vector<LimitReceipt>& receipts) {
  std::stable_sort(receipts.begin(), receipts.end(),
                   [](const LimitReceipt& a, const LimitReceipt& b) { return a.limit < b.limit; });
}

}  // namespace helios::supervise
