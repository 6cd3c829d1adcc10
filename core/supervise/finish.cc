#include "core/supervise/finish.h"

#include <algorithm>

#include "core/supervise/program_search.h"
#include "core/supervise/run_limits.h"
#include "core/supervise/verdict.h"

namespace helios::supervise {
namespace {

double ms(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

void add_limits(const RunFacts& f, Execution& x) {
  if (f.group != nullptr) x.limits = f.group->receipts();
  // The file holds the limit plus our helpers; asked for was the limit.
  for (LimitReceipt& l : x.limits) {
    if (l.limit == Limit::processes) l.requested -= std::min<std::uint64_t>(l.requested, f.helpers);
  }
  x.limits.insert(x.limits.end(), f.other_limits.begin(), f.other_limits.end());
  sort_receipts(x.limits);
  x.cgroup = f.group != nullptr ? std::string(cgroup::name(f.group->version())) : "none";
}

/// Where the kernel keeps no peak and no sample met the command there is nothing to tell: one process there was.
void leave_out_helpers(ResourceUsage& usage, unsigned helpers) {
  auto& peak = usage.values[static_cast<std::size_t>(Figure::peak_processes)];
  if (peak && *peak > helpers) {
    *peak -= helpers;
  } else {
    peak.reset();
  }
}

/// Last words taken near the memory limit are nobody's business if the run then ended otherwise.
bool ended_by_a_limit(const Observation& seen, Reason reason) {
  if (seen.cause) return *seen.cause != Reason::cancelled;
  return reason == Reason::memory_limit || reason == Reason::host_out_of_memory;
}

}  // namespace

Execution finish(const RunFacts& f, const Observation& seen) {
  Execution x;
  cgroup::Counters counters;
  if (f.group != nullptr) counters = f.group->read();
  counters.add_to(x.usage);
  leave_out_helpers(x.usage, f.helpers);
  add_limits(f, x);
  x.termination = judge(seen, counters, f.request);
  if (ended_by_a_limit(seen, x.termination.reason)) x.last_processes = seen.last_processes;
  x.usage.set(Figure::duration_ms, ms(seen.end_ns - f.started_ns), "clock");
  x.usage.set(Figure::setup_ms, ms(f.started_ns - f.begin_ns), "clock");
  return x;
}

namespace {

Execution without_command(const RunFacts& f) {
  Execution x;
  add_limits(f, x);
  x.usage.set(Figure::duration_ms, 0, "clock");
  return x;
}

}  // namespace

Execution finish_cancelled(const RunFacts& f, int signal) {
  Execution x = without_command(f);
  x.termination.reason = Reason::cancelled;
  x.termination.cancel_signal = signal;
  x.termination.detail = "cancelled while the sandbox was built";
  return x;
}

Execution finish_not_started(const RunFacts& f, int exec_errno, std::string_view path) {
  Execution x = without_command(f);
  x.termination.reason = Reason::not_started;
  x.termination.exit_code = not_started_code(exec_errno);
  x.termination.detail = not_started_detail(f.request.argv.front(), exec_errno, path);
  return x;
}

void conclude(Execution& x, cgroup::RunGroup* group, const std::optional<cgroup::Placement>& placement,
              std::int64_t end_ns) {
  if (group != nullptr) {
    if (auto s = group->remove(); !s) x.notes.push_back(s.error().message);
  }
  if (placement) (void)cgroup::sweep(*placement, true);  // what a runner that was killed could not remove
  x.usage.set(Figure::teardown_ms, ms(now_ns() - end_ns), "clock");
}

}  // namespace helios::supervise
