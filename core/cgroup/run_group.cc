#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/cgroup/cgroup.h"
#include "core/cgroup/cgroup_file.h"
#include "core/cgroup/delegation.h"
#include "core/cgroup/hierarchy.h"
#include "core/cgroup/leaf.h"
#include "core/cgroup/members.h"
#include "core/cgroup/swap.h"
#include "core/sys/file.h"

namespace helios::cgroup {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kRemovePatience{1};

std::size_t index(Controller c) { return static_cast<std::size_t>(c); }

// mkdir -p below the mount point, for the first run on a host.
Status make_parents(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT) return fail_errno(ErrorCode::setup_failed, "make the control group " + path, errno);
  if (auto above = make_parents(parent_of(path)); !above) return above;
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return fail_errno(ErrorCode::setup_failed, "make the control group " + path, errno);
}

Result<Group> make_run_group(const std::string& parent, std::string_view token) {
  const std::string path = parent + "/" + std::string(token);
  auto group = make_group(path, Existing::refused);
  if (group || group.error().sys_errno != ENOENT) return group;
  if (auto made = make_parents(parent); !made) return fail(made.error());
  return make_group(path, Existing::refused);
}

// What the kernel really holds, in the unit of the limit; empty: none.
std::optional<std::uint64_t> effective_of(const LimitWrite& write, const GroupLimits& limits, std::string_view text) {
  if (write.limit == Limit::cpus && write.file == "cpu.max") {
    const auto quota = parse_number(text);
    const auto period = parse_number(text.substr(std::min(text.find(' '), text.size() - 1) + 1));
    return quota && period && *period != 0 ? std::optional(*quota * 1000 / *period) : std::nullopt;
  }
  const auto value = parse_number(text);
  if (value && write.file == "memory.memsw.limit_in_bytes")
    return *value - std::min(*value, limits.memory_bytes.value_or(0));
  return value;
}

}  // namespace

// Builds a RunGroup step by step. Whatever was built is undone by the RunGroup's destructor when a step fails.
class RunGroupBuilder {
 public:
  RunGroupBuilder(const Placement& place, std::string_view token, const GroupLimits& limits,
                  std::span<const std::string> allowed)
      : place_(place), token_(token), limits_(limits), allowed_(allowed) {}

  Result<RunGroup> build() {
    if (token_.empty() || token_.find('/') != std::string_view::npos || token_.front() == '.') {
      return fail(ErrorCode::invalid_argument, "name a control group '" + std::string(token_) + "'");
    }
    auto writes = plan_limits(place_, limits_, allowed_);
    if (!writes) return fail(writes.error());
    if (auto made = make_v1(); !made) return fail(made.error());
    if (auto made = make_v2(); !made) return fail(made.error());
    if (auto written = write_limits(*writes); !written) return fail(written.error());
    if (auto leaf = make_leaf(); !leaf) return fail(leaf.error());
    open_readings();
    return std::move(run_);
  }

 private:
  RunGroup::Directory& add_directory(Group group, Version version) {
    RunGroup::Directory directory;
    directory.path = std::move(group.path);
    directory.version = version;
    directory.fd = std::move(group.fd);
    return run_.directories_.emplace_back(std::move(directory));
  }

  // Without a cpu limit there is nothing to read in the cpu group, and its scheduling is not free.
  [[nodiscard]] bool wanted_v1(Controller c) const {
    if (place_.seat(c).version != Version::v1) return false;
    return c == Controller::memory || c == Controller::cpuacct || c == Controller::pids ||
           (c == Controller::cpu && limits_.milli_cpus.has_value());
  }

  Status make_v1() {
    for (const auto c : {Controller::memory, Controller::cpu, Controller::cpuacct, Controller::pids}) {
      if (!wanted_v1(c)) continue;
      const std::string path = place_.seat(c).parent + "/" + std::string(token_);
      const auto same = std::find_if(run_.directories_.begin(), run_.directories_.end(),
                                     [&](const RunGroup::Directory& d) { return d.path == path; });
      if (same != run_.directories_.end()) {  // cpu,cpuacct mounted as one
        same->controllers[index(c)] = true;
        continue;
      }
      auto group = make_run_group(place_.seat(c).parent, token_);
      if (!group) return fail(group.error());
      auto& directory = add_directory(std::move(*group), Version::v1);
      directory.controllers[index(c)] = true;
      auto tasks = open_control(directory.fd.get(), directory.path, "tasks", O_WRONLY);
      if (!tasks) return fail(tasks.error());
      directory.tasks = std::move(*tasks);
    }
    return {};
  }

  Status make_v2() {
    if (place_.entry() == Entry::none) return {};
    auto parent = enter(place_);
    if (!parent) return fail(parent.error());
    auto group = make_run_group(*parent, token_);
    if (!group) return fail(group.error());
    auto& outer = add_directory(std::move(*group), Version::v2);
    for (std::size_t i = 0; i < kControllerCount; ++i) {
      outer.controllers[i] = place_.seat(static_cast<Controller>(i)).version == Version::v2;
    }
    if (auto fd = sys::open_at(outer.fd.get(), "cgroup.kill", O_WRONLY)) run_.kill_ = std::move(*fd);
    if (outer.controllers[index(Controller::memory)]) {
      // One OOM kill takes the whole run. Missing before 4.19: the caller ends the run when the count moves.
      auto whole = write_control(outer.fd.get(), outer.path, "memory.oom.group", "1");
      if (!whole && whole.error().sys_errno != ENOENT) return whole;
    }
    return {};
  }

  // After the limits, so that nobody can join before they hold.
  Status make_leaf() {
    if (place_.entry() == Entry::none) return {};
    const auto& outer = run_.directories_.back();
    auto leaf = make_group(outer.path + "/" + kLeaf, Existing::refused);
    if (!leaf) return fail(leaf.error());
    auto procs = open_control(leaf->fd.get(), leaf->path, "cgroup.procs", O_WRONLY);
    if (!procs) return fail(procs.error());
    run_.leaf_procs_ = std::move(*procs);
    run_.leaf_ = std::move(leaf->fd);
    return {};
  }

  void add_receipt(const LimitWrite& write, std::optional<std::uint64_t> effective, std::string by) {
    run_.receipts_.push_back({write.limit, write.requested, effective, std::move(by)});
  }

  [[nodiscard]] bool may_lack(Limit limit) const {
    return std::find(allowed_.begin(), allowed_.end(), info(limit).key) != allowed_.end();
  }

  Status write_limits(const std::vector<LimitWrite>& writes) {
    for (const auto& write : writes) {
      if (write.file.empty()) {
        add_receipt(write, write.by == kNoSwap ? std::optional<std::uint64_t>(0) : std::nullopt, write.by);
        continue;
      }
      if (auto done = write_limit(write); !done) return done;
    }
    return {};
  }

  Status write_limit(const LimitWrite& write) {
    const auto* directory = run_.directory_of(write.controller);
    if (directory == nullptr)
      return fail(ErrorCode::internal, "no group for the limit " + std::string(info(write.limit).key));
    auto written = write_control(directory->fd.get(), directory->path, write.file.c_str(), write.value);
    if (!written) return without(write, written.error());
    if (write.file == "cpu.cfs_period_us") return {};  // half of a limit; the quota's receipt stands for both
    auto text = read_control(directory->fd.get(), directory->path, write.file.c_str());
    if (!text) return fail(text.error());
    auto effective = effective_of(write, limits_, *text);
    if (write.file == "cpu.cfs_quota_us") effective = effective_v1_cpus(*directory, effective);
    if (!effective) {
      return fail(ErrorCode::setup_failed, "limit " + std::string(info(write.limit).key) + ": " + directory->path +
                                               "/" + write.file + " reads '" + text->substr(0, text->find('\n')) +
                                               "' after " + write.value + " was written");
    }
    add_receipt(write, effective, write.by);
    return {};
  }

  static std::optional<std::uint64_t> effective_v1_cpus(const RunGroup::Directory& d,
                                                        std::optional<std::uint64_t> quota) {
    auto text = read_control(d.fd.get(), d.path, "cpu.cfs_period_us");
    const auto period = text ? parse_number(*text) : std::nullopt;
    return quota && period && *period != 0 ? std::optional(*quota * 1000 / *period) : std::nullopt;
  }

  // The write failed: is the limit one that nothing can exceed here, or that may be missing?
  Status without(const LimitWrite& write, const Error& why) {
    if (write.limit == Limit::swap && why.sys_errno == ENOENT && !host_has_swap()) {
      add_receipt(write, 0, std::string(kNoSwap));
      return {};
    }
    if (may_lack(write.limit)) {
      if (write.file != "cpu.cfs_period_us") add_receipt(write, std::nullopt, "degraded");
      return {};
    }
    Error error = why.while_doing("limit " + std::string(info(write.limit).key));
    error.code = ErrorCode::unsupported;
    error.remedy = "let it be missing with --allow-degraded=" + std::string(info(write.limit).key) +
                   ", or name another place with --cgroup-parent";
    return fail(std::move(error));
  }

  // v1 counts kills without saying who had run out of memory: of the group's own limit, and of those above it, it tells
  // whoever asked before.
  void listen_for_memory() {
    const auto* memory = run_.directory_of(Controller::memory);
    if (!limits_.memory_bytes || memory == nullptr || memory->version != Version::v1 || !run_.memory_events_) return;
    sys::UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) return;
    const std::string wish = std::to_string(event.get()) + " " + std::to_string(run_.memory_events_.get());
    if (write_control(memory->fd.get(), memory->path, "cgroup.event_control", wish)) run_.ran_out_ = std::move(event);
  }

  void open_readings() {
    const auto fd_of = [&](Controller c, const char* v1, const char* v2) -> sys::UniqueFd {
      const auto* d = run_.directory_of(c);
      if (d == nullptr) return {};
      const char* file = d->version == Version::v1 ? v1 : v2;
      return file == nullptr ? sys::UniqueFd{} : open_reading(d->fd.get(), file);
    };
    const auto is_v2 = [&](Controller c) { return place_.seat(c).version == Version::v2; };
    run_.cpu_v2_ = is_v2(Controller::cpuacct);
    run_.memory_v2_ = is_v2(Controller::memory);
    run_.pids_v2_ = is_v2(Controller::pids);
    run_.cpu_usage_ = fd_of(Controller::cpuacct, "cpuacct.usage", nullptr);
    run_.cpu_user_ = fd_of(Controller::cpuacct, "cpuacct.usage_user", nullptr);
    run_.cpu_system_ = fd_of(Controller::cpuacct, "cpuacct.usage_sys", nullptr);
    run_.cpu_stat_ = fd_of(run_.cpu_v2_ ? Controller::cpuacct : Controller::cpu, "cpu.stat", "cpu.stat");
    run_.memory_peak_ = fd_of(Controller::memory, "memory.max_usage_in_bytes", "memory.peak");
    run_.memory_current_ = fd_of(Controller::memory, "memory.usage_in_bytes", "memory.current");
    run_.memory_events_ = fd_of(Controller::memory, "memory.oom_control", "memory.events");
    run_.wakes_on_memory_ = run_.memory_v2_ && run_.memory_events_;
    listen_for_memory();
    run_.pids_peak_ = fd_of(Controller::pids, "pids.peak", "pids.peak");
    run_.pids_current_ = fd_of(Controller::pids, "pids.current", "pids.current");
    run_.pids_events_ = fd_of(Controller::pids, "pids.events", "pids.events");
    run_.io_stat_ = fd_of(Controller::io, nullptr, "io.stat");
    if (place_.entry() == Entry::none) return;
    const int outer = run_.directories_.back().fd.get();
    run_.populated_ = open_reading(outer, "cgroup.events");
    run_.cpu_pressure_ = open_reading(outer, "cpu.pressure");
    run_.memory_pressure_ = open_reading(outer, "memory.pressure");
    run_.io_pressure_ = open_reading(outer, "io.pressure");
    (void)read_again(run_.populated_.get());  // a file that was never read polls as changed
    (void)read_again(run_.memory_events_.get());
  }

  const Placement& place_;
  std::string_view token_;
  const GroupLimits& limits_;
  std::span<const std::string> allowed_;
  RunGroup run_;
};

Result<RunGroup> RunGroup::create(const Placement& placement, std::string_view token, const GroupLimits& limits,
                                  std::span<const std::string> allow_degraded) {
  return RunGroupBuilder(placement, token, limits, allow_degraded).build();
}

RunGroup::RunGroup(RunGroup&& other) noexcept = default;

RunGroup& RunGroup::operator=(RunGroup&& other) noexcept {
  if (this != &other) {
    std::destroy_at(this);  // ends the old run's groups
    std::construct_at(this, std::move(other));
  }
  return *this;
}

RunGroup::~RunGroup() {
  if (directories_.empty()) return;
  (void)kill();
  (void)remove();
}

const RunGroup::Directory* RunGroup::directory_of(Controller c) const {
  for (const auto& directory : directories_) {
    if (directory.controllers[index(c)]) return &directory;
  }
  return nullptr;
}

Version RunGroup::version() const {
  Version found = Version::none;
  for (const auto& directory : directories_) {
    if (found != Version::none && found != directory.version) return Version::mixed;
    found = directory.version;
  }
  return found;
}

std::vector<std::string> RunGroup::paths() const {
  std::vector<std::string> paths;
  for (const auto& directory : directories_) paths.push_back(directory.path);
  return paths;
}

std::vector<int> RunGroup::join_fds() const {
  std::vector<int> fds;
  for (const auto& directory : directories_) {
    if (directory.tasks) fds.push_back(directory.tasks.get());
  }
  return fds;
}

// Nobody can fork any more, so that a round of signals reaches everybody. Only for kernels and hierarchies without
// cgroup.kill; the refused forks that follow are not the command's, so its count is kept first.
void RunGroup::stop_forks() {
  const auto* directory = directory_of(Controller::pids);
  if (directory == nullptr || pids_hits_before_kill_) return;
  pids_hits_before_kill_ = keyed_number(read_again(pids_events_.get()), "max");
  (void)write_control(directory->fd.get(), directory->path, "pids.max", "0");
}

bool RunGroup::kill(std::chrono::milliseconds patience) {
  if (directories_.empty()) return true;
  const auto deadline = Clock::now() + patience;
  const auto all = paths();
  const bool killed_v2 = kill_ && ::write(kill_.get(), "1", 1) == 1;
  if (killed_v2 && directories_.size() == 1) return wait_until_empty(patience);
  if (pids_in(all).empty()) return true;
  stop_forks();
  return kill_members(all, deadline);
}

bool RunGroup::wait_until_empty(std::chrono::milliseconds patience) const {
  const auto deadline = Clock::now() + patience;
  if (!populated_ || directories_.size() != 1) return await_members(paths(), deadline);
  for (;;) {
    const auto populated = keyed_number(read_again(populated_.get()), "populated");
    if (populated.value_or(0) == 0) return true;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd p{populated_.get(), POLLPRI, 0};
    (void)::poll(&p, 1, static_cast<int>(std::min<long long>(left, 1000)));
  }
}

std::vector<Survivor> RunGroup::members(std::size_t max) const {
  std::vector<Survivor> found;
  for (const pid_t pid : pids_in(paths())) {
    if (found.size() == max) break;
    auto name = sys::read_file("/proc/" + std::to_string(pid) + "/comm", 4096);
    if (!name) continue;  // gone meanwhile
    if (!name->empty() && name->back() == '\n') name->pop_back();
    found.push_back({pid, std::move(*name)});
  }
  return found;
}

CpuWait RunGroup::cpu_wait() const { return cgroup::cpu_wait(paths()); }

std::uint64_t RunGroup::population() const { return pids_in(paths()).size(); }

Status RunGroup::remove() {
  const auto deadline = Clock::now() + kRemovePatience;
  // As a rule everything has ended and each goes at once; who is still inside is only looked for when one does not.
  const bool gone = std::all_of(directories_.begin(), directories_.end(),
                                [](const Directory& d) { return ::rmdir(d.path.c_str()) == 0 || errno == ENOENT; });
  if (!gone) (void)wait_until_empty(kRemovePatience);
  Status status;
  if (gone) directories_.clear();
  for (const auto& directory : directories_) {
    const auto left = remove_tree(directory.path, deadline);
    if (left.path.empty() || !status) continue;
    const auto who = members(3);
    std::string names;
    for (const auto& m : who) names += (names.empty() ? " (holds " : ", ") + m.name + " pid " + std::to_string(m.pid);
    status = fail_errno(ErrorCode::io, "remove the control group " + left.path + (names.empty() ? "" : names + ")"),
                        left.sys_errno);
  }
  if (status) directories_.clear();
  return status;
}

}  // namespace helios::cgroup
