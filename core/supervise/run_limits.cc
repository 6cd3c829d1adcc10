#include "core/supervise/run_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace helios::supervise {
namespace {

/// Those that a control group holds, and that therefore go missing together where none can be had.
constexpr std::array kGroupLimits{Limit::memory, Limit::memory_high, Limit::swap, Limit::cpus, Limit::processes};

cgroup::GroupLimits group_limits(const Limits& limits, unsigned helpers) {
  cgroup::GroupLimits g;
  g.memory_bytes = limits[Limit::memory];
  g.memory_high_bytes = limits[Limit::memory_high];
  g.swap_bytes = limits[Limit::swap];
  g.milli_cpus = limits[Limit::cpus];
  if (limits[Limit::processes]) g.tasks = *limits[Limit::processes] + helpers;
  return g;
}

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

bool may_lack(const ExecutionRequest& r, std::string_view limit) {
  return std::find(r.allow_degraded.begin(), r.allow_degraded.end(), limit) != r.allow_degraded.end();
}

Status find_group(const ExecutionRequest& r, LimitPlan& p) {
  cgroup::PlacementOptions options;
  options.cgroup_parent = r.cgroup_parent;
  auto place = cgroup::Placement::find(options);
  if (place) {
    auto writes = cgroup::plan_limits(*place, p.group, r.allow_degraded);
    if (!writes) return fail(writes.error());
    p.writes = std::move(*writes);
    p.placement = std::move(*place);
    return {};
  }
  std::string lacking;
  for (const Limit l : kGroupLimits) {
    if (!r.limits[l]) continue;
    const std::string key(info(l).key);
    if (!may_lack(r, key)) lacking.append(lacking.empty() ? "" : ",").append(key);
    p.receipts.push_back({l, *r.limits[l], std::nullopt, "degraded"});
  }
  if (lacking.empty()) return {};
  Error why = place.error().while_doing("limit " + lacking);
  why.remedy += ", or run without: --allow-degraded=" + lacking;
  return fail(std::move(why));
}

Status hold_outside_group(const ExecutionRequest& r, LimitPlan& p) {
  const auto held = [&](Limit l, const char* by) {
    if (r.limits[l]) p.receipts.push_back({l, *r.limits[l], *r.limits[l], by});
  };
  held(Limit::wall_time, "timer");
  held(Limit::idle_time, "watch:output,cpu");
  held(Limit::output_bytes, "pipe");
  held(Limit::disk_bytes, "watch:workspace");
  held(Limit::disk_files, "watch:workspace");
  held(Limit::open_files, "rlimit:RLIMIT_NOFILE");
  held(Limit::file_size, "rlimit:RLIMIT_FSIZE");
  if (!r.limits[Limit::cpu_time]) return {};
  if (p.placement && p.placement->counts_cpu()) {
    held(Limit::cpu_time, "watch:cgroup");
  } else if (may_lack(r, "cpuTime")) {
    p.receipts.push_back({Limit::cpu_time, *r.limits[Limit::cpu_time], std::nullopt, "degraded"});
  } else {
    return fail(ErrorCode::unsupported, "limit cpuTime: no control group counts the CPU time of the whole tree here",
                "start under a delegated group (systemd-run --user --scope -p Delegate=yes ...), or pass "
                "--allow-degraded=cpuTime");
  }
  return {};
}

}  // namespace

Result<LimitPlan> plan_limits(const ExecutionRequest& request, unsigned helpers) {
  LimitPlan p;
  p.group = group_limits(request.limits, helpers);
  if (auto s = find_group(request, p); !s) return fail(s.error());
  if (auto s = hold_outside_group(request, p); !s) return fail(s.error());
  auto rlimits = rlimits_for(request.limits);
  if (!rlimits) return fail(rlimits.error());
  p.rlimits = std::move(*rlimits);
  return p;
}

std::vector<PlanItem> describe(const LimitPlan& p) {
  std::vector<PlanItem> items{{"cgroup", "placement", p.placement ? p.placement->describe() : "none"}};
  for (const auto& w : p.writes) {
    items.push_back({"limits", std::string(info(w.limit).key), w.file.empty() ? w.by : w.file + " = " + w.value});
  }
  for (const auto& l : p.receipts) {
    items.push_back({"limits", std::string(info(l.limit).key), std::to_string(l.requested) + " by " + l.by});
  }
  for (const auto& l : p.rlimits) items.push_back({"rlimits", l.name, std::to_string(l.soft)});
  return items;
}

void sort_receipts(std::vector<LimitReceipt>& receipts) {
  std::stable_sort(receipts.begin(), receipts.end(),
                   [](const LimitReceipt& a, const LimitReceipt& b) { return a.limit < b.limit; });
}

}  // namespace helios::supervise
