#include "plugins/shell/shell_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "core/cgroup/cgroup.h"
#include "core/supervise/finish.h"
#include "core/supervise/last_words.h"
#include "core/supervise/program_search.h"
#include "core/supervise/run_limits.h"
#include "core/supervise/supervisor.h"
#include "core/sys/clone.h"
#include "core/sys/file.h"
#include "plugins/shell/child.h"
#include "plugins/shell/guardian.h"

namespace helios::shell {
namespace {

using supervise::Ended;

/// What plan() found out and run() uses.
struct Detail {
  supervise::LimitPlan limits;
  std::vector<EnvVar> env;
  std::vector<std::string> candidates;
};

Result<Detail> work_out(const ExecutionRequest& r) {
  Detail d;
  auto limits = supervise::plan_limits(r, 0);
  if (!limits) return fail(limits.error());
  d.limits = std::move(*limits);
  d.env = supervise::merge_env(r.caller_env, r.extra_env);
  d.candidates = supervise::program_candidates(r.argv.front(), supervise::value_of(d.env, "PATH", "/usr/bin:/bin"));
  return d;
}

std::vector<PlanItem> describe(const ExecutionRequest& r, const Detail& d) {
  std::vector<PlanItem> items;
  for (std::size_t i = 0; i < r.argv.size(); ++i) items.push_back({"argv", std::to_string(i), r.argv[i]});
  items.push_back({"working-directory", "path", r.workdir});
  items.push_back({"isolation", "namespaces", "none: the command sees and may touch what its user may"});
  for (const EnvVar& v : d.env) items.push_back({"environment", v.name, v.value});
  const auto limits = supervise::describe(d.limits);
  items.insert(items.end(), limits.begin(), limits.end());
  return items;
}

/// The running command, seen by the supervisor.
class ShellTarget final : public supervise::Target {
 public:
  ShellTarget(sys::Child child, cgroup::RunGroup* group) : child_(std::move(child)), group_(group) {}
  ShellTarget(const ShellTarget&) = delete;
  ShellTarget& operator=(const ShellTarget&) = delete;
  ~ShellTarget() override {
    kill();
    if (!reaped_) (void)sys::reap(child_);
  }

  [[nodiscard]] int event_fd() const override { return reaped_ ? -1 : child_.pidfd.get(); }
  [[nodiscard]] std::optional<Ended> on_event() override {
    auto r = sys::reap(child_);
    reaped_ = true;
    if (!r) {  // somebody else has reaped it: how it ended is lost, and that is no success
      problem_ = "how the command ended is not known: " + r.error().message;
      return Ended{SIGKILL, supervise::now_ns()};
    }
    usage_ = *r;
    return Ended{r->status, supervise::now_ns()};
  }
  [[nodiscard]] int memory_fd() const override { return group_ != nullptr ? group_->events_fd() : -1; }
  void signal(int number) override { (void)::kill(-child_.pid, number); }
  void kill() override {
    if (group_ == nullptr) {
      // Only the process group is promised here; the pid is ours until it is reaped, and its group as long as it
      // has members.
      (void)::kill(-child_.pid, SIGKILL);
      if (!reaped_) sys::kill_child(child_);
      return;
    }
    if (empty_) return;
    if (reaped_ && survivors_.empty()) name_survivors();
    empty_ = group_->kill() && reaped_;
  }
  [[nodiscard]] std::optional<std::uint64_t> cpu_us() override {
    return group_ != nullptr ? std::optional(group_->cpu_usage_us()) : std::nullopt;
  }
  [[nodiscard]] std::optional<cgroup::MemoryParts> sample() override {
    return group_ != nullptr ? std::optional(group_->sample()) : std::nullopt;
  }
  [[nodiscard]] std::optional<cgroup::Counters> counters() override {
    return group_ != nullptr ? std::optional(group_->read()) : std::nullopt;
  }
  [[nodiscard]] cgroup::CpuWait cpu_wait() override {
    return group_ != nullptr ? group_->cpu_wait() : cgroup::CpuWait();
  }
  [[nodiscard]] std::uint64_t oom_kills() override { return group_ != nullptr ? group_->oom_kill_count() : 0; }
  [[nodiscard]] std::vector<LastProcess> last_words() override {
    return supervise::last_words({group_ != nullptr ? group_->paths() : std::vector<std::string>(), child_.pid, false});
  }

  /// The groups are empty, and nobody can be born in them any more.
  [[nodiscard]] bool nobody_left() const { return group_ != nullptr && empty_; }
  [[nodiscard]] const sys::Reaped& usage() const { return usage_; }
  [[nodiscard]] const std::vector<Survivor>& survivors() const { return survivors_; }
  [[nodiscard]] std::uint64_t survivor_count() const { return survivor_count_; }
  /// What is not known of its end, if anything.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void name_survivors() {
    survivors_ = group_->members(32);
    if (survivors_.empty()) return;
    survivor_count_ = std::max<std::uint64_t>(group_->population(), survivors_.size());
  }

  sys::Child child_;
  cgroup::RunGroup* group_;
  bool reaped_{false};
  bool empty_{false};
  sys::Reaped usage_;
  std::vector<Survivor> survivors_;
  std::uint64_t survivor_count_{0};
  std::string problem_;
};

/// Everything the child points into, alive until it has exec'ed.
class Spawn {
 public:
  Spawn(const ExecutionRequest& r, const Detail& d, const cgroup::RunGroup* group)
      : env_(supervise::env_strings(d.env)), argv_(supervise::c_pointers(r.argv)), envp_(supervise::c_pointers(env_)) {
    for (const std::string& c : d.candidates) candidates_.push_back(c.c_str());
    candidates_.push_back(nullptr);
    shell_argv_.resize(r.argv.size() + 2);
    for (const auto& l : d.limits.rlimits) rlimits_.push_back({l.resource, {l.soft, l.hard}});
    if (group != nullptr) task_fds_ = group->join_fds();
    plan_.task_fds = task_fds_.data();
    plan_.task_fd_count = static_cast<unsigned>(task_fds_.size());
    plan_.workdir = r.workdir.c_str();
    plan_.rlimits = rlimits_.data();
    plan_.rlimit_count = static_cast<unsigned>(rlimits_.size());
    plan_.candidates = candidates_.data();
    plan_.argv = argv_.data();
    plan_.shell_argv = shell_argv_.data();
    plan_.envp = envp_.data();
  }

  Result<sys::Child> start(int in, int out, int err, int cgroup_fd) {
    plan_.stdio[0] = in;
    plan_.stdio[1] = out;
    plan_.stdio[2] = err;
    sys::CloneOptions options;
    options.cgroup_fd = cgroup_fd;
    return sys::clone_vfork(options, child_main, &plan_);
  }
  [[nodiscard]] Stage failed_stage() const { return plan_.error != 0 ? plan_.stage : Stage::none; }
  [[nodiscard]] int error() const { return plan_.error; }

 private:
  std::vector<std::string> env_;
  std::vector<char*> argv_, envp_, shell_argv_;
  std::vector<const char*> candidates_;
  std::vector<RlimitCall> rlimits_;
  std::vector<int> task_fds_;
  ChildPlan plan_{};
};

/// Descriptors at numbers that the child can rearrange without treading on one.
Result<sys::UniqueFd> raised(sys::UniqueFd fd) {
  if (fd.get() >= 10) return fd;
  const int n = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 10);
  if (n < 0) return fail_errno(ErrorCode::setup_failed, "duplicate a descriptor", errno);
  return sys::UniqueFd(n);
}

const char* stage_text(Stage s) {
  switch (s) {
    case Stage::none:
      return "nothing";
    case Stage::join_groups:
      return "enter the run's control group";
    case Stage::oom_score:
      return "be spared no more when memory runs out (/proc/self/oom_score_adj)";
    case Stage::process_group:
      return "make a process group";
    case Stage::stdio:
      return "set up stdin, stdout and stderr";
    case Stage::working_directory:
      return "enter the working directory";
    case Stage::rlimits:
      return "set resource limits";
    case Stage::signals:
      return "set signals as a fresh program has them";
    case Stage::exec:
      return "execute the command";
  }
  return "?";
}

Result<Execution> run_it(const Plan& plan, const Detail& d, Host& host) {
  const std::int64_t begin = supervise::now_ns();
  const ExecutionRequest& r = plan.request;
  Guardian guardian;  // destroyed last: after the groups are gone
  std::optional<cgroup::RunGroup> group;
  if (d.limits.placement) {
    auto g = cgroup::RunGroup::create(*d.limits.placement, cgroup::owner_token(), d.limits.group, r.allow_degraded);
    if (!g) return fail(g.error());
    group.emplace(std::move(*g));
    auto watch = Guardian::start(group->paths());
    if (!watch) return fail(watch.error());
    std::destroy_at(&guardian);
    std::construct_at(&guardian, std::move(*watch));
  }
  auto disk = supervise::measure_before(r, host.cancel_fd());
  if (!disk) return fail(disk.error());
  constexpr std::size_t kPipeBytes = 1 << 20;
  auto out = sys::make_pipe(kPipeBytes);
  auto err = sys::make_pipe(kPipeBytes);
  if (!out || !err) return fail((out ? err : out).error());
  auto null = sys::open_file("/dev/null", O_RDONLY);
  if (!null) return fail(null.error());
  auto in_fd = raised(std::move(*null));
  auto out_fd = raised(std::move(out->write));
  auto err_fd = raised(std::move(err->write));
  if (!in_fd || !out_fd || !err_fd) return fail(ErrorCode::setup_failed, "no descriptors left");

  Spawn spawn(r, d, group ? &*group : nullptr);
  const std::int64_t started = supervise::now_ns();
  auto child = spawn.start(in_fd->get(), out_fd->get(), err_fd->get(), group ? group->clone_into_fd() : -1);
  if (!child) return fail(child.error().while_doing("start the command"));
  in_fd->reset();
  out_fd->reset();
  err_fd->reset();
  const supervise::RunFacts facts{r, group ? &*group : nullptr, 0, d.limits.receipts, begin, started};
  if (const Stage s = spawn.failed_stage(); s != Stage::none) {
    (void)sys::reap(*child);
    if (s != Stage::exec) return fail_errno(ErrorCode::setup_failed, stage_text(s), spawn.error());
    const std::int64_t end = supervise::now_ns();
    Execution x =
        supervise::finish_not_started(facts, spawn.error(), supervise::value_of(d.env, "PATH", "/usr/bin:/bin"));
    supervise::conclude(x, group ? &*group : nullptr, d.limits.placement, end);
    return x;
  }

  ShellTarget target(std::move(*child), group ? &*group : nullptr);
  const supervise::Observation seen =
      supervise::supervise(target, {std::move(out->read), std::move(err->read)}, r, host, {started, *disk});
  // From here on nobody has to be ended; should we die now, the next run removes the empty groups.
  if (group && target.nobody_left()) guardian.dismiss();
  Execution x = supervise::finish(facts, seen);
  if (!group && seen.ended) {
    constexpr const char* kSource = "rusage: children that were waited for";
    x.usage.set(Figure::user_ms, static_cast<double>(target.usage().user_us) / 1e3, kSource);
    x.usage.set(Figure::system_ms, static_cast<double>(target.usage().system_us) / 1e3, kSource);
    x.notes.emplace_back("no control group: only the command's process group could be ended, and only it is accounted");
  }
  if (!target.problem().empty()) x.notes.push_back(target.problem());
  x.survivors = target.survivors();
  x.survivor_count = target.survivor_count();
  supervise::conclude(x, group ? &*group : nullptr, d.limits.placement, seen.end_ns);
  return x;
}

}  // namespace

Result<std::vector<Finding>> ShellRunner::probe(Host&) noexcept {
  std::vector<Finding> out;
  const auto place = cgroup::Placement::find({});
  if (place) {
    out.push_back({"cgroup", Severity::ok, place->describe(), ""});
  } else {
    out.push_back({"cgroup", Severity::degraded,
                   place.error().message + "; only the command's process group can be ended, nothing is limited by the "
                                           "kernel",
                   place.error().remedy});
  }
  return out;
}

Result<Plan> ShellRunner::plan(const ExecutionRequest& request, Host&) noexcept {
  auto detail = work_out(request);
  if (!detail) return fail(detail.error());
  Plan p;
  p.request = request;
  p.detail = std::make_shared<const Detail>(std::move(*detail));
  return p;
}

Result<std::vector<PlanItem>> ShellRunner::describe(const Plan& plan) noexcept {
  return shell::describe(plan.request, *static_cast<const Detail*>(plan.detail.get()));
}

Result<Execution> ShellRunner::run(const Plan& plan, Host& host) noexcept {
  return run_it(plan, *static_cast<const Detail*>(plan.detail.get()), host);
}

}  // namespace helios::shell
