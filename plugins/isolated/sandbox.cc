#include "plugins/isolated/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/supervise/last_words.h"
#include "core/sys/file.h"
#include "core/sys/memfd.h"
#include "plugins/isolated/child.h"
#include "plugins/isolated/handed_over.h"
#include "plugins/isolated/workspace_ids.h"

extern "C" const char helios_helios_init_start[], helios_helios_init_end[];

namespace helios::isolated {
namespace {

constexpr int kWordOfStartMs = 500;
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
  /// `fd` stays its owner's.
  void add(int fd) { fds_.push_back(fd); }
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

Error init_is_gone() {
  Error e{ErrorCode::setup_failed, "helios-init was killed while it built the sandbox"};
  e.remedy = "the memory limit may be too low for the sandbox itself, or something outside kills processes";
  return e;
}

constexpr const char* kKept = "; the workspace is given back by the next run or helios-run gc";

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
  // A run that was killed may have left its workspace with its id.
  if (auto left = left_over(request_.state_dir, Undo::give_back); !left) return fail(left.error());
  auto lease = lease_uid(request_.state_dir, request_.uid_first, request_.uid_count);
  if (!lease) return fail(lease.error());
  lease_ = std::move(*lease);
  host_uid_ = host_gid_ = lease_.uid;
  return {};
}

Status Sandbox::hand_workspace_over() {
  const Identity& id = plan_.identity;
  if (!id.privileged || request_.workspace_ids != WorkspaceIds::chown) return {};
  const Owner owner{id.workspace_uid, id.workspace_gid};
  if (auto s = record_hand_over(request_.state_dir, host_uid_, owner, request_.workspace); !s) return s;
  handed_over_ = true;
  return hand_over(request_.workspace, owner, {host_uid_, host_gid_});
}

void Sandbox::give_workspace_back() {
  if (!handed_over_) return;
  handed_over_ = false;
  const Identity& id = plan_.identity;
  const auto back = hand_over(request_.workspace, {host_uid_, host_gid_}, {id.workspace_uid, id.workspace_gid});
  if (back) {
    forget_hand_over(request_.state_dir, host_uid_);
  } else {
    problem_ = "the workspace could not be given back to its owner: " + back.error().message + " (see helios-run gc)";
  }
}

/// It was looked at by its path, and root is about to give it to the command: what is there now must be what was
/// planned for.
Result<sys::UniqueFd> Sandbox::open_workspace() const {
  auto directory = sys::open_real_directory(request_.workspace, O_PATH);
  if (!directory) return directory;
  struct stat st {};
  if (::fstat(directory->get(), &st) != 0) return fail_errno(ErrorCode::io, "stat " + request_.workspace, errno);
  const bool handed_over = request_.workspace_ids == WorkspaceIds::chown && st.st_uid == host_uid_;
  if (handed_over || (st.st_uid == plan_.identity.workspace_uid && st.st_gid == plan_.identity.workspace_gid)) {
    return directory;
  }
  return fail(ErrorCode::setup_failed,
              "workspace " + request_.workspace + ": it has changed its owner since the run was planned",
              "let nobody else change the folders above it");
}

Result<sys::UniqueFd> Sandbox::clone_step(const RootStep& s) {
  if (!s.workspace) return clone_tree(s.source);
  auto workspace = open_workspace();
  if (!workspace) return workspace;
  auto tree = clone_tree_at(*workspace, s.source);
  if (!tree || request_.workspace_ids != WorkspaceIds::map) return tree;
  auto ns = MappingNamespace::make(plan_.identity.workspace_uid, plan_.identity.workspace_gid, host_uid_, host_gid_);
  if (!ns) return fail(ns.error());
  if (auto mapped = map_tree(*tree, ns->fd(), s.source); !mapped) return fail(mapped.error());
  mapping_.emplace(std::move(*ns));
  return tree;
}

/// In the order of the steps, as init takes them.
Status Sandbox::send_trees() {
  std::vector<sys::UniqueFd> trees;
  std::vector<int> fds;
  const auto send = [&]() -> Status {
    if (fds.empty()) return {};
    auto sent = tell(kTrees, fds);
    trees.clear();
    fds.clear();
    return sent;
  };
  for (const RootStep& s : plan_.root) {
    if (!sends_tree(plan_, s)) continue;
    auto tree = clone_step(s);
    if (!tree) return fail(tree.error());
    fds.push_back(tree->get());
    trees.push_back(std::move(*tree));
    if (fds.size() < kMaxFdsPerMessage) continue;
    if (auto sent = send(); !sent) return sent;
  }
  return send();
}

Status Sandbox::start_init(const cgroup::RunGroup* born_in, Stdio stdio) {
  const auto& program = init_program();
  if (!program) return fail(program.error());
  auto block = encode(request_, plan_);
  if (!block) return fail(block.error());
  auto plan_fd = sys::sealed_memfd("helios-plan", *block, false);
  if (!plan_fd) return fail(plan_fd.error());
  auto null = sys::open_file("/dev/null", O_RDONLY);
  if (!null) return fail(null.error());
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return fail_errno(ErrorCode::setup_failed, "create the socket to helios-init", errno);
  }
  control_ = sys::UniqueFd(pair[0]);
  const sys::UniqueFd inside(pair[1]);

  FdTable table;
  for (const int fd : {null->get(), stdio.out.get(), stdio.err.get(), inside.get(), plan_fd->get(),
                       lease_.lock ? lease_.lock.get() : null->get(), program->get()}) {
    table.add(fd);
  }
  if (auto s = table.raise(); !s) return s;

  sys::CloneOptions options;
  options.namespaces = plan_.namespaces;
  options.cgroup_fd = born_in != nullptr ? born_in->clone_into_fd() : -1;
  ChildPlan child{table.data(), kFirstFreeFd, table.data()[kFirstFreeFd], 0};
  auto cloned = sys::clone_vfork(options, child_main, &child);
  if (!cloned) {
    Error e = cloned.error().while_doing("create the sandbox's namespaces");
    e.remedy = kUserNamespaceRemedy;
    return fail(e);
  }
  init_ = std::move(*cloned);
  if (child.error != 0) return fail_errno(ErrorCode::setup_failed, "execute helios-init", child.error);
  if (auto s = map_ids(init_.pid, kInsideId, host_uid_, host_gid_, plan_.identity.privileged); !s) {
    return told_by_init(s.error());
  }
  return tell(kGo);
}

/// One message to init, with copies of `fds`.
Status Sandbox::tell(std::uint8_t what, const std::vector<int>& fds) const {
  Order order{what, static_cast<std::uint8_t>(fds.size())};
  iovec iov{&order, sizeof order};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFdsPerMessage)> control{};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * fds.size());
  }
  ssize_t n;
  do {
    n = ::sendmsg(control_.get(), &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n == static_cast<ssize_t>(sizeof order)) return {};
  return told_by_init(Error::from_errno(ErrorCode::setup_failed, "send helios-init what it waits for", errno));
}

/// What init said before it ended is the cause; what we could not do with it then is the consequence.
Status Sandbox::told_by_init(Error otherwise) const {
  InitReport report{};
  sys::UniqueFd none;
  if (!wait_readable(control_.get(), 0)) return fail(std::move(otherwise));
  if (receive(control_.get(), report, none) && report.kind == ReportKind::failed) return fail(explain(report));
  return fail(init_is_gone());
}

Error Sandbox::explain(const InitReport& report) const {
  Error e = Error::from_errno(ErrorCode::setup_failed, describe_stage(report.stage, report.index, plan_), report.error);
  const bool denied = report.error == EPERM || report.error == EACCES;
  if (report.stage == Stage::mounts && report.error == ELOOP) {
    e.remedy =
        "a link stands where something is to be mounted in the workspace: remove it, or mount outside of the workspace";
    return e;
  }
  if (report.error == EBADMSG) {
    e.remedy = "raise the limit of open files (ulimit -n)";
    return e;
  }
  if (report.stage == Stage::network && (report.error == ENOSPC || report.error == EINVAL)) {
    e.remedy = report.error == ENOSPC ? "raise the sysctl user.max_net_namespaces"
                                      : "the kernel has no network namespaces (CONFIG_NET_NS)";
    return e;
  }
  if (report.stage == Stage::mounts && report.index < plan_.root.size() && denied) {
    const RootStep& s = plan_.root[report.index];
    e.remedy =
        s.op == MountOp::proc
            ? "a new /proc is refused where parts of the caller's are hidden (inside a container): run outside it, "
              "or give the container an unmasked /proc"
            : "the caller must be able to reach " + (s.source.empty() ? s.target : s.source);
  } else if ((report.stage == Stage::new_root || report.stage == Stage::uid || report.stage == Stage::network ||
              report.stage == Stage::loopback) &&
             denied) {
    e.remedy = kUserNamespaceRemedy;
  } else if (report.stage == Stage::working_directory) {
    e.remedy = "the working directory must exist and be readable for the workspace's owner";
  }
  return e;
}

/// What the runner waits for while the sandbox is built. A cancel that comes then ends the run before it began.
Sandbox::Heard Sandbox::wait_for_report(int cancel_fd, int timeout_ms) {
  pollfd fds[2] = {{control_.get(), POLLIN, 0}, {cancel_fd, POLLIN, 0}};
  for (;;) {
    const int r = ::poll(fds, 2, timeout_ms);
    if (r < 0 && errno == EINTR) continue;
    if (r <= 0) return Heard::nothing;
    if (fds[0].revents != 0) return Heard::report;
    // Once it was told to start, the command may run, and the word of that be on its way: then this is a cancel like
    // any other, with a signal to the command, its grace and its figures.
    if (timeout_ms != 0 && ::poll(fds, 1, kWordOfStartMs) > 0) return Heard::report;
    unsigned char signal = 0;
    if (::read(cancel_fd, &signal, 1) == 1) {
      cancelled_by_ = signal;
      return Heard::cancel;
    }
    fds[1].fd = -1;  // closed: nobody cancels any more
  }
}

Status Sandbox::wait_until_started(int cancel_fd) {
  InitReport report{};
  sys::UniqueFd listener;
  switch (wait_for_report(cancel_fd, kSetupPatienceMs)) {
    case Heard::report:
      break;
    case Heard::cancel:
      return {};
    case Heard::nothing:
      return fail(
          ErrorCode::setup_failed, "building the sandbox took longer than 60 s",
          "see whether a file system that is shown hangs (the workspace, --bind, --rootfs), or process 1 is stopped");
  }
  if (!receive(control_.get(), report, listener)) return fail(init_is_gone());
  if (report.kind == ReportKind::failed && report.stage == Stage::exec) {
    not_started_ = NotStarted{report.error};
    return {};
  }
  if (report.kind != ReportKind::started) return fail(explain(report));
  started_ns_ = report.time_ns;
  notifying_ = report.notifying != 0;
  if (group_ != nullptr)
    group_->count_from_here(static_cast<double>(std::max<std::int64_t>(0, report.setup_cpu_ns)) / 1e6);
  if (listener) denials_.listen(std::move(listener));
  return {};
}

Result<std::unique_ptr<Sandbox>> Sandbox::build(const ExecutionRequest& request, const LaunchPlan& plan,
                                                const cgroup::RunGroup* born_in, Stdio stdio) {
  std::unique_ptr<Sandbox> s(new Sandbox(request, plan));
  auto status = s->choose_ids();
  if (status) status = s->hand_workspace_over();
  if (status) status = s->start_init(born_in, std::move(stdio));
  if (status) status = s->send_trees();
  if (!status) return fail(status.error());
  return s;
}

Status Sandbox::start(cgroup::RunGroup* group, int cancel_fd) {
  group_ = group;
  const std::vector<int> tasks = group != nullptr ? group->join_fds() : std::vector<int>();
  if (tasks.size() > kMaxTaskFds) return fail(ErrorCode::internal, "too many control group hierarchies");
  if (wait_for_report(cancel_fd, 0) == Heard::cancel) return {};
  if (auto told = tell(kStart, tasks); !told) return told;
  mapping_.reset();
  return wait_until_started(cancel_fd);
}

Sandbox::~Sandbox() { end(); }

void Sandbox::end() {
  kill();
  // A process that does not end may go on making files with the run's id. The record stays: the next run or gc gives
  // back, and until then the id is not leased.
  if (init_.pidfd && !gone_) {
    if (handed_over_) problem_ += kKept;
    return;
  }
  give_workspace_back();
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
  return group_ != nullptr ? std::optional(group_->cpu_usage_us()) : std::nullopt;
}

std::optional<cgroup::MemoryParts> Sandbox::sample() {
  return group_ != nullptr ? std::optional(group_->sample()) : std::nullopt;
}

std::vector<LastProcess> Sandbox::last_words() {
  return supervise::last_words({group_ != nullptr ? group_->paths() : std::vector<std::string>(), init_.pid, true});
}

}  // namespace helios::isolated
