#include "plugins/isolated/launch_plan.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "core/loader_variables.h"
#include "core/supervise/program_search.h"
#include "core/sys/file.h"
#include "core/sys/path.h"
#include "plugins/isolated/handed_over.h"
#include "plugins/isolated/rootfs.h"
#include "plugins/isolated/visible_limits.h"

namespace helios::isolated {
namespace {

constexpr std::uint32_t kNoExtras = kNoSuid | kNoDev;

/// Where a path of the system's leads; itself, if nowhere.
std::string resolved(const std::string& path) {
  char real[PATH_MAX];
  return ::realpath(path.c_str(), real) != nullptr ? real : path;
}

/// The host's own programs and settings, shown at their own place.
bool is_host_view(const Mount& m) {
  if (!m.target.starts_with("/usr") && !m.target.starts_with("/etc")) return false;
  return m.source == m.target || m.source == resolved(m.target);
}

/// Some mount of the policy's or the flags' shows at `path`, or over what it lies in.
bool is_covered(const ExecutionRequest& r, std::string_view path) {
  return std::any_of(r.profile.mounts.begin(), r.profile.mounts.end(),
                     [&](const Mount& m) { return sys::lies_within(path, m.target); });
}

bool has_rootfs(const ExecutionRequest& r) { return !r.profile.rootfs.empty() && r.profile.rootfs != "host"; }

// ------------------------------------------------------------------------------------------------ environment

bool matches(std::string_view name, const std::vector<std::string>& patterns) {
  for (const std::string& p : patterns) {
    if (p.ends_with('*') ? name.starts_with(std::string_view(p).substr(0, p.size() - 1)) : name == p) return true;
  }
  return false;
}

std::vector<EnvVar> make_env(const ExecutionRequest& r) {
  std::vector<EnvVar> env;
  for (const EnvVar& v : r.caller_env) {
    if (matches(v.name, r.profile.env_allow) && !steers_the_loader(v.name)) env.push_back(v);
  }
  return supervise::merge_env(supervise::merge_env(std::move(env), r.profile.env_set), r.extra_env);
}

// ------------------------------------------------------------------------------------------------ the root

class RootBuilder {
 public:
  explicit RootBuilder(const ExecutionRequest& r) : request_(r) {}

  Result<std::vector<RootStep>> build(const std::string& home) {
    // A root file system of the user's own brings its programs and its /etc; the host's are not shown then.
    const bool own = has_rootfs(request_);
    if (!own) {
      if (auto s = host_links(); !s) return fail(s.error());
    }
    for (const Mount& m : request_.profile.mounts) {
      if (own && is_host_view(m)) continue;
      if (auto s = add(m); !s) return fail(s.error());
    }
    if (!own && !is_covered(request_, "/etc")) small_files();
    devices(own);
    proc(own);
    if (!has("/tmp")) tmpfs("/tmp", request_.profile.tmp_bytes, 01777, kNoExtras);
    if (sys::lies_within(home, "/tmp") && home != "/tmp" && !is_covered(request_, home))
      step({MountOp::directory, 0, 0700, 0, "", home, "", false});
    directory("/run");
    directory("/var");
    if (!is_covered(request_, "/var/tmp")) symlink("/var/tmp", "../tmp");
    RootStep workspace{MountOp::attach, kNoExtras, 0755, 0, request_.workspace, request_.workspace, "", true};
    step(std::move(workspace));
    // A parent is mounted before what lies in it; otherwise the order of the lists stays.
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const RootStep& a, const RootStep& b) { return depth(a.target) < depth(b.target); });
    // With a cgroup namespace of its own, the root of a nested user namespace could mount the control groups, and where
    // they belong to the user who started the run (v1, handed over) write its limits. The sandbox itself has one; that
    // stays the only one.
    if (request_.profile.nested_user_namespaces) setting("/proc/sys/user/max_cgroup_namespaces", "1");
    return std::move(steps_);
  }

 private:
  /// Written as soon as there is a /proc, before parts of it become read-only.
  void setting(const char* path, const std::string& value) {
    const auto proc =
        std::find_if(steps_.begin(), steps_.end(), [](const RootStep& s) { return s.op == MountOp::proc; });
    steps_.insert(std::next(proc), {MountOp::setting, 0, 0, 0, "", path, value + "\n", false});
  }

  static long depth(const std::string& path) { return std::count(path.begin(), path.end(), '/'); }

  void step(RootStep s) { steps_.push_back(std::move(s)); }
  void directory(const char* path) { step({MountOp::directory, 0, 0755, 0, "", path, "", false}); }
  void symlink(const std::string& path, std::string to) {
    step({MountOp::symlink, 0, 0777, 0, "", path, std::move(to), false});
  }
  void file(const char* path, std::string text) { step({MountOp::file, 0, 0644, 0, "", path, std::move(text), false}); }
  /// In memory, and yet a disk to the command: none takes more than the disk limits allow. Mount points in it are ours.
  void tmpfs(const std::string& path, std::uint64_t size, std::uint32_t mode, std::uint32_t flags) {
    constexpr std::uint64_t kOurs = 256, kLeast = 4096;  // 0 would mean no limit to the kernel
    constexpr std::uint64_t kMostFiles = 1ULL << 31;
    RootStep s{MountOp::tmpfs, flags, mode, size, "", path, "", false};
    if (const auto& bytes = request_.limits[Limit::disk_bytes]) s.size = std::max(std::min(size, *bytes), kLeast);
    if (const auto& files = request_.limits[Limit::disk_files]) s.files = std::min(*files, kMostFiles) + kOurs;
    step(std::move(s));
  }

  /// /bin, /lib … as the host has them: symbolic links into /usr, or folders of their own.
  Status host_links() {
    for (const char* path : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
      struct stat st {};
      if (::lstat(path, &st) != 0) {
        if (errno == ENOENT) continue;
        return fail_errno(ErrorCode::io, std::string("look at ") + path, errno);
      }
      if (S_ISLNK(st.st_mode)) {
        char to[PATH_MAX];
        const ssize_t n = ::readlink(path, to, sizeof to);
        if (n < 0) return fail_errno(ErrorCode::io, std::string("read the link ") + path, errno);
        symlink(path, std::string(to, static_cast<std::size_t>(n)));
      } else if (S_ISDIR(st.st_mode)) {
        step({MountOp::attach, kReadOnly | kNoExtras, 0755, 0, path, path, "", false});
      }
    }
    return {};
  }

  Status add(const Mount& m) {
    for (const char* ours : {"/", "/dev", "/proc"}) {
      if (m.target != ours) continue;
      return fail(ErrorCode::invalid_argument,
                  "mount at " + m.target + ": the sandbox has its own " + (m.target == "/" ? "root" : m.target),
                  m.target == "/" ? "use --rootfs" : "name single things below it, or another place");
    }
    if (m.kind == MountKind::tmpfs) {
      tmpfs(m.target, m.size_bytes != 0 ? m.size_bytes : request_.profile.tmp_bytes, 0755, kNoExtras);
      return {};
    }
    struct stat st {};
    if (::stat(m.source.c_str(), &st) != 0) {
      const int err = errno;
      if (m.optional && (err == ENOENT || err == ENOTDIR)) return {};
      return fail_errno(ErrorCode::not_found, "mount source " + m.source, err,
                        "correct the path in --bind, --ro-bind or the policy's mounts");
    }
    std::uint32_t flags = kNoExtras | (m.optional ? kOptional : 0u) | (S_ISDIR(st.st_mode) ? 0u : kTargetIsFile);
    if (m.kind == MountKind::ro_bind) flags |= kReadOnly;
    step({MountOp::attach, flags, 0755, 0, m.source, m.target, "", false});
    return {};
  }

  bool has(std::string_view target) const {
    return std::any_of(steps_.begin(), steps_.end(), [&](const RootStep& s) { return s.target == target; });
  }

  /// The few files of /etc that programs look into, with nothing of the host in them.
  void small_files() {
    const std::string id = std::to_string(kInsideId);
    if (!has("/etc/passwd")) {
      file("/etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\nhelios:x:" + id + ":" + id +
                              ":helios:/tmp/home:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n");
    }
    if (!has("/etc/group")) file("/etc/group", "root:x:0:\nhelios:x:" + id + ":\nnogroup:x:65534:\n");
    const bool host_network = request_.profile.network == Network::host;
    if (host_network) {
      for (const char* path : {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"}) {
        if (!has(path) && ::access(path, R_OK) == 0) {
          step({MountOp::attach, kReadOnly | kNoExtras | kTargetIsFile | kOptional, 0644, 0, resolved(path), path, "",
                false});
        }
      }
    } else if (!has("/etc/hosts")) {
      file("/etc/hosts", "127.0.0.1 localhost helios\n::1 localhost\n");
    }
  }

  /// In our own root an ordinary directory does, since that becomes read-only; in one of the user's, what its /dev
  /// holds must not show.
  void devices(bool own) {
    if (own) {
      step({MountOp::tmpfs, kNoSuid | kNoExec | kFinishReadOnly, 0755, 64 << 10, "", "/dev", "", false});
    } else {
      directory("/dev");
    }
    for (const char* node : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
      step({MountOp::attach, kNoSuid | kNoExec | kTargetIsFile, 0666, 0, node, node, "", false});
    }
    symlink("/dev/fd", "/proc/self/fd");
    symlink("/dev/stdin", "/proc/self/fd/0");
    symlink("/dev/stdout", "/proc/self/fd/1");
    symlink("/dev/stderr", "/proc/self/fd/2");
    symlink("/dev/ptmx", "pts/ptmx");
    step({MountOp::devpts, kNoSuid | kNoExec, 0620, 0, "", "/dev/pts", "", false});
    if (!has("/dev/shm")) tmpfs("/dev/shm", request_.profile.shm_bytes, 01777, kNoExtras | kNoExec);
  }

  /// A view of our own processes; what tells of the host or steers it is hidden or read-only.
  void proc(bool own) {
    const std::string empty = own || is_covered(request_, "/var/empty") ? "" : "/var/empty";
    if (!empty.empty()) step({MountOp::directory, 0, 0555, 0, "", empty, "", false});
    step({MountOp::proc, kNoSuid | kNoDev | kNoExec, 0, 0, "", "/proc", "", false});
    for (const char* path : {"/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq"}) {
      step({MountOp::read_only, 0, 0, 0, "", path, "", false});
    }
    for (const char* path : {"/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/kallsyms",
                             "/proc/kmsg", "/proc/sched_debug", "/proc/sysrq-trigger", "/proc/acpi", "/proc/scsi",
                             "/proc/latency_stats", "/proc/config.gz"}) {
      step({MountOp::mask, 0, 0, 0, empty, path, "", false});
    }
  }

  const ExecutionRequest& request_;
  std::vector<RootStep> steps_;
};

std::vector<std::string> writable_paths(const std::vector<RootStep>& root) {
  std::vector<std::string> out;
  for (const RootStep& s : root) {
    const bool dir = (s.flags & kTargetIsFile) == 0;
    const bool tmpfs = s.op == MountOp::tmpfs && (s.flags & kFinishReadOnly) == 0;
    if (dir && (tmpfs || (s.op == MountOp::attach && (s.flags & kReadOnly) == 0))) out.push_back(s.target);
  }
  return out;
}

// ------------------------------------------------------------------------------------------------ ids

Result<Identity> make_identity(const ExecutionRequest& r) {
  Identity id;
  id.caller_uid = ::geteuid();
  id.caller_gid = ::getegid();
  id.privileged = id.caller_uid == 0;
  auto workspace = sys::open_real_directory(r.workspace, O_PATH);
  if (!workspace) return fail(workspace.error().while_doing("look at the workspace"));
  struct stat st {};
  if (::fstat(workspace->get(), &st) != 0) return fail_errno(ErrorCode::io, "workspace " + r.workspace, errno);
  id.workspace_uid = st.st_uid;
  id.workspace_gid = st.st_gid;
  if (id.privileged) {
    if (const auto owner = recorded_owner(r.state_dir, st.st_uid, st)) {
      id.workspace_uid = owner->uid;
      id.workspace_gid = owner->gid;
    }
  }
  if (r.workspace_ids == WorkspaceIds::owner && id.privileged && st.st_uid == 0) {
    return fail(ErrorCode::invalid_argument, "--workspace-ids=owner: the workspace " + r.workspace + " belongs to root",
                "use --workspace-ids=map, or give the workspace to a user");
  }
  if (r.workspace_ids == WorkspaceIds::owner && id.privileged && st.st_gid == 0) {
    return fail(ErrorCode::invalid_argument,
                "--workspace-ids=owner: the workspace " + r.workspace + " belongs to the group root",
                "use --workspace-ids=map, or give it to a group of its owner's");
  }
  return id;
}

// ------------------------------------------------------------------------------------------------ layers

Status plan_layers(const ExecutionRequest& r, LaunchPlan& p) {
  p.namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  p.isolation = {"user", "mount", "pid"};
  if (r.profile.network == Network::none) {
    p.network = true;
    p.isolation.emplace_back("net");
  }
  p.isolation.insert(p.isolation.end(), {"ipc", "uts", "cgroup", "seccomp"});
  const int abi = landlock_abi();
  if (abi < 0) return fail_errno(ErrorCode::setup_failed, "ask for Landlock's ABI", -abi);
  // A browser's own sandbox mounts and chroots inside its user namespace, which Landlock forbids.
  if (abi > 0 && !r.profile.nested_user_namespaces) {
    p.landlock = plan_landlock(abi, writable_paths(p.root));
    p.isolation.emplace_back("landlock");
  }
  return {};
}

}  // namespace

Result<LaunchPlan> make_plan(const ExecutionRequest& request) {
  if (request.argv.empty()) return fail(ErrorCode::invalid_argument, "no command");
  LaunchPlan p;
  p.env = make_env(request);
  p.path = std::string(supervise::value_of(p.env, "PATH", "/usr/local/bin:/usr/bin:/bin"));
  auto identity = make_identity(request);
  if (!identity) return fail(identity.error());
  p.identity = *identity;
  if (has_rootfs(request)) {
    auto found = find_rootfs(request.profile.rootfs);
    if (!found) return fail(found.error());
    p.rootfs = std::move(*found);
  }
  auto root = RootBuilder(request).build(std::string(supervise::value_of(p.env, "HOME", "")));
  if (!root) return fail(root.error());
  p.root = std::move(*root);
  auto limits = supervise::plan_limits(request, kHelpers);
  if (!limits) return fail(limits.error());
  p.limits = std::move(*limits);
  if (!is_covered(request, "/sys/fs/cgroup")) {
    const std::vector<RootStep> shown = visible_limits(p.limits.writes);
    p.root.insert(p.root.end(), shown.begin(), shown.end());
  }
  if (p.root.size() > kMaxMounts) {
    return fail(ErrorCode::unsupported,
                std::to_string(p.root.size()) + " mounts, files and links make up the root, at most " +
                    std::to_string(kMaxMounts) + " can",
                "show a folder instead of each of its files");
  }
  if (auto s = plan_layers(request, p); !s) return fail(s.error());
  auto filter = filter_for(request.profile, request.cache_dir);
  if (!filter) return fail(filter.error());
  p.filter = std::move(*filter);
  return p;
}

// ---------------------------------------------------------------------------------------------------- for people

namespace {

std::string flag_words(std::uint32_t flags) {
  std::string s = (flags & kReadOnly) != 0 ? "ro" : "rw";
  if ((flags & kNoSuid) != 0) s += ",nosuid";
  if ((flags & kNoDev) != 0) s += ",nodev";
  if ((flags & kNoExec) != 0) s += ",noexec";
  return s;
}

std::string step_words(const RootStep& s, const ExecutionRequest& r) {
  switch (s.op) {
    case MountOp::directory:
      return "empty directory";
    case MountOp::symlink:
      return "-> " + s.text;
    case MountOp::file:
      return "file of " + std::to_string(s.text.size()) + " bytes, made by helios-run";
    case MountOp::attach:
      return "bind " + s.source + " (" + flag_words(s.flags) + ")" +
             (s.workspace && r.workspace_ids == WorkspaceIds::map ? ", id-mapped when started by root" : "");
    case MountOp::tmpfs:
      return "tmpfs of " + std::to_string(s.size) + " bytes" +
             (s.files != 0 ? " and " + std::to_string(s.files) + " files" : "") + " (" + flag_words(s.flags) + ")";
    case MountOp::proc:
      return "proc of the run's own processes";
    case MountOp::devpts:
      return "devpts of its own";
    case MountOp::mask:
      return "hidden";
    case MountOp::read_only:
      return "read-only";
    case MountOp::setting:
      return "set to " + s.text.substr(0, s.text.find('\n'));
  }
  return "?";
}

}  // namespace

std::vector<PlanItem> describe(const ExecutionRequest& r, const LaunchPlan& p) {
  std::vector<PlanItem> items;
  for (std::size_t i = 0; i < r.argv.size(); ++i) items.push_back({"argv", std::to_string(i), r.argv[i]});
  items.push_back({"working-directory", "path", r.workdir});
  for (const EnvVar& v : p.env) items.push_back({"environment", v.name, v.value});
  for (const EnvVar& v : r.caller_env) {
    const bool passed = std::any_of(p.env.begin(), p.env.end(), [&](const EnvVar& e) { return e.name == v.name; });
    if (!passed) items.push_back({"environment-withheld", v.name, "not on the policy's list"});
  }
  const std::string inside = std::to_string(kInsideId);
  items.push_back({"ids", "uid",
                   p.identity.privileged ? inside + " inside, an unused host id of " + std::to_string(r.uid_first) +
                                               "+" + std::to_string(r.uid_count) + " outside"
                                         : inside + " inside, " + std::to_string(p.identity.caller_uid) + " outside"});
  for (const std::string& layer : p.isolation) items.push_back({"isolation", layer, "on"});
  if (r.profile.nested_user_namespaces) items.push_back({"isolation", "landlock", "off: nestedUserNamespaces"});
  if (!p.rootfs.empty()) items.push_back({"root", "/", "overlay over " + p.rootfs + " (ro)"});
  for (const RootStep& s : p.root) items.push_back({"root", s.target, step_words(s, r)});
  items.push_back({"capabilities", "all five sets", "empty"});
  items.push_back({"seccomp", "profile", "sha256 " + p.filter.sha256_of_profile});
  items.push_back({"seccomp", "allowed-calls", std::to_string(p.filter.allowed_calls)});
  items.push_back({"seccomp", "instructions", std::to_string(p.filter.instructions.size())});
  if (r.learn)
    items.push_back({"seccomp", "learning", "calls answered with SCMP_ACT_LOG are let through and recorded"});
  if (p.landlock) {
    items.push_back({"landlock", "abi", std::to_string(p.landlock->abi)});
    for (const auto& rule : p.landlock->rules) items.push_back({"landlock", rule.path, std::to_string(rule.access)});
  }
  const auto limits = supervise::describe(p.limits);
  items.insert(items.end(), limits.begin(), limits.end());
  return items;
}

std::string describe_stage(Stage stage, std::uint32_t index, const LaunchPlan& p) {
  switch (stage) {
    case Stage::exec_init:
      return "execute helios-init";
    case Stage::descriptors:
      return "close what the command must not inherit";
    case Stage::signals:
      return "set signals as a fresh program has them";
    case Stage::hostname:
      return "set the sandbox's host name";
    case Stage::read_plan:
      return "read the launch plan";
    case Stage::network:
      return "make a network namespace";
    case Stage::wait_for_ids:
      return "wait for the id maps";
    case Stage::loopback:
      return "bring the loopback up";
    case Stage::groups:
      return "drop supplementary groups";
    case Stage::gid:
      return "change the group id";
    case Stage::uid:
      return "change the user id";
    case Stage::receive_trees:
      return "receive the trees to mount";
    case Stage::new_root:
      return "mount the new root";
    case Stage::rootfs_overlay:
      return "mount an overlay over the root file system named by rootfs";
    case Stage::mounts:
      if (index < p.root.size()) {
        const RootStep& s = p.root[index];
        return "build the root: " + s.target + (s.source.empty() ? "" : " (from " + s.source + ")");
      }
      return "build the root";
    case Stage::pivot_root:
      return "make the new root the only one";
    case Stage::read_only_root:
      return "make the root read-only";
    case Stage::working_directory:
      return "enter the working directory";
    case Stage::wait_for_start:
      return "wait until the limits are in force";
    case Stage::join_groups:
      return "enter the run's control group";
    case Stage::cgroup_namespace:
      return "make a cgroup namespace";
    case Stage::capabilities:
      return "drop capabilities";
    case Stage::landlock:
      return "restrict files with Landlock" + (p.landlock && index < p.landlock->rules.size()
                                                   ? " (" + p.landlock->rules[index].path + ")"
                                                   : std::string());
    case Stage::rlimits:
      return "set " +
             (index < p.limits.rlimits.size() ? p.limits.rlimits[index].name : std::string("a resource limit"));
    case Stage::session:
      return "make a session";
    case Stage::no_new_privs:
      return "set no_new_privs";
    case Stage::clone_command:
      return "create the command's process";
    case Stage::seccomp:
      return "install the system call filter";
    case Stage::exec:
      return "execute the command";
    case Stage::count:
      break;
  }
  return "unknown stage";
}

// ---------------------------------------------------------------------------------------------------- the block

namespace {

/// Appends aligned pieces to one block; offsets fit 32 bits by the bound.
class Block {
 public:
  std::uint32_t put(const void* data, std::size_t size, std::size_t align = 8) {
    bytes_.resize((bytes_.size() + align - 1) / align * align);
    const auto at = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(static_cast<const char*>(data), size);
    return at;
  }
  std::uint32_t text(const std::string& s) { return put(s.c_str(), s.size() + 1, 1); }
  template <class T>
  std::uint32_t list(const std::vector<T>& v) {
    return put(v.data(), v.size() * sizeof(T));
  }
  std::uint32_t strings(const std::vector<std::string>& v) {
    std::vector<std::uint32_t> offsets;
    offsets.reserve(v.size());
    for (const std::string& s : v) offsets.push_back(text(s));
    return list(offsets);
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

constexpr std::size_t kMaxBlock = 64 << 20;  // argv and environment: the kernel's own bound is 6 MiB

std::vector<MountStep> mount_steps(Block& b, const ExecutionRequest& r, const LaunchPlan& p) {
  std::vector<MountStep> out;
  for (const RootStep& s : p.root) {
    MountStep m{};
    m.op = s.op;
    m.flags = s.flags | (sends_tree(p, s) ? kSent : 0u);
    m.mode = s.mode;
    m.size = s.size;
    m.files = s.files;
    m.source = b.text(s.op == MountOp::mask && !s.source.empty() ? s.source.substr(1) : s.source);
    m.target = b.text(s.target.substr(1));
    m.text = b.text(s.text);
    m.text_size = static_cast<std::uint32_t>(s.text.size());
    const bool in_workspace = s.target != r.workspace && sys::lies_within(s.target, r.workspace);
    m.no_links_from = in_workspace ? static_cast<std::uint32_t>(r.workspace.size() - 1) : 0;
    out.push_back(m);
  }
  return out;
}

}  // namespace

Result<std::string> encode(const ExecutionRequest& r, const LaunchPlan& p) {
  Block b;
  InitPlan h{};
  b.put(&h, sizeof h);
  h.magic = kPlanMagic;
  h.flags = (p.network ? kNewNetwork : 0u) | (p.identity.privileged ? kDropGroups : 0u) | (p.landlock ? kLandlock : 0u);
  if (p.limits.placement && p.limits.placement->seat(cgroup::Controller::cpuacct).version == cgroup::Version::v1) {
    h.flags |= kCpuCountedLate;
  }
  h.uid = h.gid = kInsideId;
  h.umask = 022;
  const auto steps = mount_steps(b, r, p);
  h.mounts = b.list(steps);
  h.mount_count = static_cast<std::uint32_t>(steps.size());
  std::vector<RlimitStep> rlimits;
  for (const auto& l : p.limits.rlimits) rlimits.push_back({static_cast<std::uint32_t>(l.resource), 0, l.soft, l.hard});
  h.rlimits = b.list(rlimits);
  h.rlimit_count = static_cast<std::uint32_t>(rlimits.size());
  h.argv = b.strings(r.argv);
  h.argc = static_cast<std::uint32_t>(r.argv.size());
  const auto env = supervise::env_strings(p.env);
  h.envp = b.strings(env);
  h.envc = static_cast<std::uint32_t>(env.size());
  h.path = b.text(p.path);
  h.workdir = b.text(r.workdir);
  h.hostname = b.text("helios");
  if (!p.rootfs.empty()) h.rootfs = b.text(p.rootfs);
  h.filter = b.list(p.filter.instructions);
  h.filter_len = static_cast<std::uint32_t>(p.filter.instructions.size());
  const SeccompProgram asking = r.learn ? with_learning_notification(p.filter) : with_user_notification(p.filter);
  h.notify_filter = b.list(asking.instructions);
  h.notify_len = static_cast<std::uint32_t>(asking.instructions.size());
  if (p.landlock) {
    h.landlock_fs = p.landlock->handled_fs;
    h.landlock_scope = p.landlock->scope;
    std::vector<LandlockRule> rules;
    for (const auto& rule : p.landlock->rules) rules.push_back({rule.access, b.text(rule.path), 0});
    h.landlock_rules = b.list(rules);
    h.landlock_rule_count = static_cast<std::uint32_t>(rules.size());
  }
  if (b.bytes().size() > kMaxBlock) return fail(ErrorCode::invalid_argument, "the command line is too long");
  h.size = static_cast<std::uint32_t>(b.bytes().size());
  std::copy_n(reinterpret_cast<const char*>(&h), sizeof h, b.bytes().data());
  return std::move(b.bytes());
}

}  // namespace helios::isolated
