#include "plugins/isolated/isolated_runner.h"

#include <optional>

#include "core/supervise/finish.h"
#include "core/supervise/supervisor.h"
#include "core/sys/file.h"
#include "plugins/isolated/launch_plan.h"
#include "plugins/isolated/probe.h"
#include "plugins/isolated/sandbox.h"

namespace helios::isolated {
namespace {

/// Leaves `group` empty where none can be had and that was allowed.
Status make_group(const ExecutionRequest& r, const LaunchPlan& p, std::optional<cgroup::RunGroup>& group) {
  if (!p.limits.placement) return {};
  auto made = cgroup::RunGroup::create(*p.limits.placement, cgroup::owner_token(), p.limits.group, r.allow_degraded);
  if (!made) return fail(made.error());
  group.emplace(std::move(*made));
  return {};
}

/// What only this runner knows.
void add_own(Execution& x, Sandbox& sandbox, const LaunchPlan& p) {
  x.isolation = p.isolation;
  x.denied = sandbox.denials();
  x.used = sandbox.used();
  x.survivors = sandbox.survivors();
  x.survivor_count = sandbox.survivor_count();
  if (!sandbox.counts_denials() && !sandbox.not_started() && sandbox.cancelled_by() == 0) {
    x.notes.emplace_back(
        "refused system calls are not counted: another program already listens to this process tree's "
        "filter");
  }
  if (!sandbox.problem().empty()) x.notes.push_back(sandbox.problem());
}

Result<Execution> run_it(const ExecutionRequest& r, const LaunchPlan& p, Host& host) {
  const std::int64_t begin = supervise::now_ns();
  constexpr std::size_t kPipeBytes = 1 << 20;
  auto out = sys::make_pipe(kPipeBytes);
  auto err = sys::make_pipe(kPipeBytes);
  if (!out || !err) return fail((out ? err : out).error());

  // On v2 process 1 is born in its group. On v1 it joins at the end, so that the group can be made while it builds.
  std::optional<cgroup::RunGroup> group;
  const bool born_inside = p.limits.placement && p.limits.placement->entry() != cgroup::Entry::none;
  if (born_inside) {
    if (auto made = make_group(r, p, group); !made) return fail(made.error());
  }
  auto built = Sandbox::build(r, p, group ? &*group : nullptr, {std::move(out->write), std::move(err->write)});
  if (!built) return fail(built.error());
  Sandbox& sandbox = **built;
  if (!born_inside) {
    if (auto made = make_group(r, p, group); !made) return fail(made.error());
  }
  cgroup::RunGroup* const g = group ? &*group : nullptr;
  auto disk = supervise::measure_before(r, host.cancel_fd());
  if (!disk) return fail(disk.error());
  if (auto started = sandbox.start(g, host.cancel_fd()); !started) return fail(started.error());
  const supervise::RunFacts facts{r, g, kHelpers, p.limits.receipts, begin, sandbox.started_ns()};
  Execution x;
  std::int64_t end = supervise::now_ns();
  if (sandbox.cancelled_by() != 0) {
    x = supervise::finish_cancelled(facts, sandbox.cancelled_by());
  } else if (const auto& failed = sandbox.not_started()) {
    x = supervise::finish_not_started(facts, failed->exec_errno, p.path);
  } else {
    const supervise::Observation seen = supervise::supervise(sandbox, {std::move(out->read), std::move(err->read)}, r,
                                                             host, {sandbox.started_ns(), *disk, kHelpers});
    end = seen.end_ns;
    x = supervise::finish(facts, seen);
  }
  sandbox.end();
  add_own(x, sandbox, p);
  x.notes.insert(x.notes.end(), p.notes.begin(), p.notes.end());
  built->reset();  // before the groups: a namespace that still dies keeps them busy
  supervise::conclude(x, g, p.limits.placement, end);
  return x;
}

}  // namespace

Result<std::vector<Finding>> IsolatedRunner::probe(Host&) noexcept { return probe_host(); }

Result<Plan> IsolatedRunner::plan(const ExecutionRequest& request, Host&) noexcept {
  auto detail = make_plan(request);
  if (!detail) return fail(detail.error());
  Plan p;
  p.request = request;
  p.detail = std::make_shared<const LaunchPlan>(std::move(*detail));
  return p;
}

Result<std::vector<PlanItem>> IsolatedRunner::describe(const Plan& plan) noexcept {
  return isolated::describe(plan.request, *static_cast<const LaunchPlan*>(plan.detail.get()));
}

Result<Execution> IsolatedRunner::run(const Plan& plan, Host& host) noexcept {
  return run_it(plan.request, *static_cast<const LaunchPlan*>(plan.detail.get()), host);
}

}  // namespace helios::isolated
