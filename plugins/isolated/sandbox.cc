#include "plugins/isolated/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/supervise/last_words.h"
#include "core/sys/file.h"
#include "core/sys/memfd.h"
#include "plugins/isolated/child.h"
#include "plugins/isolated/workspace_ids.h"

extern "C" const char helios_helios_init_start[], helios_helios_init_end[];

namespace helios::isolated {
namespace {

constexpr int kSetupPatienceMs = 60'000;  // a network file system may be slow to answer a mount
constexpr int kTeardownPatienceMs = 10'000;

/// Sealed once, executed many times: nothing inside can alter it for the next run.
const Result<sys::UniqueFd>& init_program() {
  static const Result<sys::UniqueFd> fd = sys::sealed_memfd(
      "helios-init",
      {helios_helios_init_start, static_cast<std::size_t>(helios_helios_init_end - helios_helios_init_start)}, true);
  return fd;
}

/// The descriptors that init will find at 0, 1, 2 …
class FdTable {
 public:
  /// `fd` stays its owner's; returns the number it will have inside.
  int add(int fd) {
    fds_.push_back(fd);
    return static_cast<int>(fds_.size()) - 1;
  }
  void replace(int number, int fd) { fds_[static_cast<std::size_t>(number)] = fd; }
  /// Moves everything above the targets, so that the child can place them in any order.
  Status raise() {
    const int base = static_cast<int>(fds_.size()) + 8;
    for (int& fd : fds_) {
      if (fd >= base) continue;
      const int n = ::fcntl(fd, F_DUPFD_CLOEXEC, base);
      if (n < 0) return fail_errno(ErrorCode::setup_failed, "duplicate a descriptor", errno);
      copies_.emplace_back(n);
      fd = n;
    }
    return {};
  }
  [[nodiscard]] const int* data() const { return fds_.data(); }
  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(fds_.size()); }

 private:
  std::vector<int> fds_;
  std::vector<sys::UniqueFd> copies_;
};

bool wait_readable(int fd, int timeout_ms) {
  pollfd p{fd, POLLIN, 0};
  int r;
  do {
    r = ::poll(&p, 1, timeout_ms);
  } while (r < 0 && errno == EINTR);
  return r > 0;
}

/// One report, with the descriptor it may carry. False at the end of file.
bool receive(int fd, InitReport& report, sys::UniqueFd& passed) {
  iovec iov{&report, sizeof report};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t n;
  do {
    n = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    // ECONNRESET comes once when init ended with our byte unread, and before what it said last.
  } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
  if (n != static_cast<ssize_t>(sizeof report)) return false;
  if (const cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr && c->cmsg_type == SCM_RIGHTS) {
    int received = -1;
    std::memcpy(&received, CMSG_DATA(c), sizeof received);
    passed = sys::UniqueFd(received);
  }
  return true;
}

constexpr const char* kUserNamespaceRemedy =
    "user namespaces must be allowed: sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, and "
    "on Ubuntu an AppArmor profile with 'userns,'; helios-run doctor tells which";

}  // namespace

Status Sandbox::choose_ids() {
  const Identity& id = plan_.identity;
  host_uid_ = id.caller_uid;
  host_gid_ = id.caller_gid;
  if (!id.privileged) return {};
  if (request_.workspace_ids == WorkspaceIds::owner) {
    host_uid_ = id.workspace_uid;
    host_gid_ = id.workspace_gid;
    return {};
  }
  auto lease = lease_uid(request_.state_dir, request_.uid_first, request_.uid_count);
  if (!lease) return fail(lease.error());
  lease_ = std::move(*lease);
  host_uid_ = host_gid_ = lease_.uid;
  return {};
}

Status Sandbox::hand_workspace_over() {
  const Identity& id = plan_.identity;
  if (!id.privileged || request_.workspace_ids != WorkspaceIds::chown) return {};
  handed_over_ = true;
  return hand_over(request_.workspace, {id.workspace_uid, id.workspace_gid}, {host_uid_, host_gid_});
}

/// Root clones the trees itself: behind the new user namespace it could neither pass closed folders nor map ids.
Result<std::vector<sys::UniqueFd>> Sandbox::clone_trees() {
  std::vector<sys::UniqueFd> trees(plan_.root.size());
  if (!plan_.identity.privileged) return trees;
  for (std::size_t i = 0; i < plan_.root.size(); ++i) {
    const RootStep& s = plan_.root[i];
    if (s.op != MountOp::attach) continue;
    auto tree = clone_tree(s.source);
    if (!tree) return fail(tree.error());
    trees[i] = std::move(*tree);
    if (!s.workspace || request_.workspace_ids != WorkspaceIds::map) continue;
    auto ns = mapping_namespace(plan_.identity.workspace_uid, plan_.identity.workspace_gid, host_uid_, host_gid_);
    if (!ns) return fail(ns.error());
    if (auto mapped = map_tree(trees[i], *ns, s.source); !mapped) return fail(mapped.error());
  }
  return trees;
}

Status Sandbox::start_init(Stdio stdio) {
  const auto& program = init_program();
  if (!program) return fail(program.error());
  auto trees = clone_trees();
  if (!trees) return fail(trees.error());
  auto null = sys::open_file("/dev/null", O_RDONLY);
  if (!null) return fail(null.error());
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return fail_errno(ErrorCode::setup_failed, "create the socket to helios-init", errno);
  }
  control_ = sys::UniqueFd(pair[0]);
  const sys::UniqueFd inside(pair[1]);

  FdTable table;
  table.add(null->get());
  table.add(stdio.out.get());
  table.add(stdio.err.get());
  table.add(inside.get());
  table.add(null->get());  // kPlanFd, replaced below: the plan names the numbers that come after it
  table.add(lease_.lock ? lease_.lock.get() : null->get());
  PassedFds passed;
  for (const auto& tree : *trees) passed.trees.push_back(tree ? table.add(tree.get()) : -1);
  if (group_ != nullptr) {
    for (const int fd : group_->join_fds()) passed.tasks.push_back(table.add(fd));
  }
  auto block = encode(request_, plan_, passed, true);
  if (!block) return fail(block.error());
  auto plan_fd = sys::sealed_memfd("helios-plan", *block, false);
  if (!plan_fd) return fail(plan_fd.error());
  table.replace(kPlanFd, plan_fd->get());
  const int init_fd = table.add(program->get());
  if (auto s = table.raise(); !s) return s;

  sys::CloneOptions options;
  options.namespaces = plan_.namespaces | (passed.tasks.empty() ? CLONE_NEWCGROUP : 0u);
  options.cgroup_fd = group_ != nullptr ? group_->clone_into_fd() : -1;
  ChildPlan child{table.data(), static_cast<unsigned>(init_fd), table.data()[init_fd], 0};
  auto cloned = sys::clone_vfork(options, child_main, &child);
  if (!cloned) {
    Error e = cloned.error().while_doing("create the sandbox's namespaces");
    e.remedy = kUserNamespaceRemedy;
    return fail(e);
  }
  init_ = std::move(*cloned);
  if (child.error != 0) return fail_errno(ErrorCode::setup_failed, "execute helios-init", child.error);

  const std::uint8_t go = kGo;
  if (auto s = map_ids(init_.pid, kInsideId, host_uid_, host_gid_, plan_.identity.privileged); !s) {
    return told_by_init(s.error());
  }
  if (::send(control_.get(), &go, 1, MSG_NOSIGNAL) != 1) {
    return told_by_init(Error{ErrorCode::setup_failed, "helios-init ended before its ids were mapped"});
  }
  return {};
}

/// What init said before it ended is the cause; what we could not do with it then is the consequence.
Status Sandbox::told_by_init(Error otherwise) const {
  InitReport report{};
  sys::UniqueFd none;
  if (wait_readable(control_.get(), 0) && receive(control_.get(), report, none) && report.kind == ReportKind::failed) {
    return fail(explain(report));
  }
  return fail(std::move(otherwise));
}

Error Sandbox::explain(const InitReport& report) const {
  Error e = Error::from_errno(ErrorCode::setup_failed, describe_stage(report.stage, report.index, plan_), report.error);
  const bool denied = report.error == EPERM || report.error == EACCES;
  if (report.stage == Stage::mounts && report.index < plan_.root.size() && denied) {
    const RootStep& s = plan_.root[report.index];
    e.remedy =
        s.op == MountOp::proc
            ? "a new /proc is refused where parts of the caller's are hidden (inside a container): run outside it, "
              "or give the container an unmasked /proc"
            : "the caller must be able to reach " + (s.source.empty() ? s.target : s.source);
  } else if ((report.stage == Stage::new_root || report.stage == Stage::uid || report.stage == Stage::loopback) &&
             denied) {
    e.remedy = kUserNamespaceRemedy;
  } else if (report.stage == Stage::working_directory) {
    e.remedy = "the working directory must exist and be readable for the workspace's owner";
  }
  return e;
}

Status Sandbox::wait_until_started() {
  InitReport report{};
  sys::UniqueFd listener;
  if (!wait_readable(control_.get(), kSetupPatienceMs)) {
    return fail(ErrorCode::setup_failed, "building the sandbox took longer than 60 s");
  }
  if (!receive(control_.get(), report, listener)) {
    return fail(ErrorCode::setup_failed, "helios-init was killed while it built the sandbox",
                "the memory limit may be too low for the sandbox itself, or something outside kills processes");
  }
  if (report.kind == ReportKind::failed && report.stage == Stage::exec) {
    not_started_ = NotStarted{report.error};
    return {};
  }
  if (report.kind != ReportKind::started) return fail(explain(report));
  started_ns_ = report.time_ns;
  notifying_ = report.notifying != 0;
  setup_cpu_ms_ = report.setup_cpu_ns >= 0 ? static_cast<double>(report.setup_cpu_ns) / 1e6 : 0;
  if (listener) denials_.listen(std::move(listener));
  return {};
}

Result<std::unique_ptr<Sandbox>> Sandbox::launch(const ExecutionRequest& request, const LaunchPlan& plan,
                                                 cgroup::RunGroup* group, Stdio stdio) {
  std::unique_ptr<Sandbox> s(new Sandbox(request, plan, group));
  auto status = s->choose_ids();
  if (status) status = s->hand_workspace_over();
  if (status) status = s->start_init(std::move(stdio));
  if (status) status = s->wait_until_started();
  if (!status) return fail(status.error());
  return s;
}

Sandbox::~Sandbox() {
  kill();
  if (handed_over_) {
    const Identity& id = plan_.identity;
    (void)hand_over(request_.workspace, {host_uid_, host_gid_}, {id.workspace_uid, id.workspace_gid});
  }
}

std::optional<supervise::Ended> Sandbox::on_event() {
  InitReport report{};
  sys::UniqueFd none;
  if (receive(control_.get(), report, none) && report.kind == ReportKind::exited) {
    ended_ = true;
    others_ = report.others != 0;
    return supervise::Ended{report.status, report.time_ns};
  }
  // Init was killed with everything else: by the kernel's whole-group OOM kill, or from outside.
  ended_ = true;
  return supervise::Ended{SIGKILL, supervise::now_ns()};
}

void Sandbox::signal(int number) {
  const auto byte = static_cast<std::uint8_t>(number);
  (void)::send(control_.get(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Sandbox::name_survivors() {
  if (group_ == nullptr) return;
  for (Survivor& s : group_->members(33)) {
    if (s.pid != init_.pid && survivors_.size() < 32) survivors_.push_back(std::move(s));
  }
  const std::uint64_t all = group_->population();
  survivor_count_ = std::max<std::uint64_t>(all > 0 ? all - 1 : 0, survivors_.size());
}

/// Process 1 takes its whole namespace with it; the kernel does that even if we die right after.
void Sandbox::kill() {
  if (gone_ || !init_.pidfd) return;
  if (ended_ && others_ && survivors_.empty()) name_survivors();
  if (denials_.learner() != nullptr) denials_.learner()->finish();
  sys::kill_child(init_);
  if (!wait_readable(init_.pidfd.get(), kTeardownPatienceMs)) {
    problem_ = "a process of the sandbox could not be ended within 10 s (uninterruptible sleep)";
    return;
  }
  gone_ = true;
  (void)sys::reap(init_);
}

std::optional<std::uint64_t> Sandbox::cpu_us() {
  if (group_ == nullptr) return std::nullopt;
  group_->sample();
  return group_->cpu_usage_us();
}

std::vector<LastProcess> Sandbox::last_words() {
  return supervise::last_words({group_ != nullptr ? group_->paths() : std::vector<std::string>(), init_.pid, true});
}

}  // namespace helios::isolated
