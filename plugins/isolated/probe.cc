#include "plugins/isolated/probe.h"

#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <string>

#include "core/cgroup/cgroup.h"
#include "core/cgroup/swap.h"
#include "core/freestanding/syscalls.h"
#include "core/supervise/run_limits.h"
#include "core/sys/clone.h"
#include "core/sys/file.h"
#include "core/sys/memfd.h"
#include "plugins/isolated/ids.h"
#include "plugins/isolated/landlock.h"
#include "plugins/isolated/uid_lease.h"

namespace helios::isolated {
namespace {

constexpr const char* kStateDir = "/run/helios";  // where helios-run started by root keeps its locks
constexpr std::uint64_t kUidFirst = 1900000000, kUidCount = 65536;

/// What the child found out in namespaces of its own: 0 or -errno each. It shares our memory.
struct Tried {
  long tmpfs{0};
  long proc{0};
  long overlay{0};
};

/// [child] A detached mount, which goes with its descriptor.
long try_mount(const char* type) {
  const long fs = raw::call(__NR_fsopen, type, 1 /* FSOPEN_CLOEXEC */);
  if (fs < 0) return fs;
  long r = raw::call(__NR_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, 0, 0, 0);
  if (r >= 0) r = raw::call(__NR_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
  return r < 0 ? r : 0;
}

/// [child]
__attribute__((no_sanitize("address", "undefined", "thread"))) void try_mounts(void* arg) {
  auto& tried = *static_cast<Tried*>(arg);
  tried.tmpfs = try_mount("tmpfs");
  tried.proc = try_mount("proc");
  const long overlay = raw::call(__NR_fsopen, "overlay", 1);  // more would take directories
  tried.overlay = overlay < 0 ? overlay : 0;
  for (;;) raw::call(__NR_exit_group, 0);
}

std::optional<std::string> sysctl(const char* path) {
  auto text = sys::read_file(path, 64);
  if (!text) return std::nullopt;
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

/// Which switch is off, for the remedy.
std::string user_namespace_remedy() {
  if (sysctl("/proc/sys/kernel/unprivileged_userns_clone") == "0") {
    return "sysctl -w kernel.unprivileged_userns_clone=1";
  }
  if (sysctl("/proc/sys/user/max_user_namespaces") == "0") return "sysctl -w user.max_user_namespaces=15000";
  if (sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" && ::geteuid() != 0) {
    return "give helios-run an AppArmor profile with the rule 'userns,' or sysctl -w "
           "kernel.apparmor_restrict_unprivileged_userns=0";
  }
  return "a container's seccomp profile or a chroot forbids it: start helios-run outside, or allow clone3 and unshare";
}

std::string error_text(long negative) { return std::strerror(static_cast<int>(-negative)); }

Finding judge_namespaces(const Tried& tried) {
  if (tried.tmpfs == 0) {
    return {"namespaces", Severity::ok, "user, mount, pid, net, ipc, uts and cgroup can be made together, and used",
            ""};
  }
  const bool apparmor = sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" && ::geteuid() != 0;
  return {"namespaces", Severity::blocking,
          std::string("can be made, but nothing can be mounted in them: ") + error_text(tried.tmpfs) +
              (apparmor ? " (AppArmor takes the capabilities away)" : ""),
          user_namespace_remedy()};
}

Finding judge_proc(const Tried& tried) {
  if (tried.proc == 0) return {"proc", Severity::ok, "a /proc of its own can be mounted", ""};
  return {"proc", Severity::blocking, "a new /proc cannot be mounted: " + error_text(tried.proc),
          "the kernel allows it only where all of the caller's /proc is visible: in a container unmask it (docker: "
          "--security-opt systempaths=unconfined; podman: --security-opt unmask=ALL), or start outside"};
}

Finding judge_overlay(const Tried& tried) {
  if (tried.overlay == 0)
    return {"overlay", Severity::ok, "root file systems of your own get an ephemeral upper layer", ""};
  return {"overlay", Severity::degraded, "--rootfs DIR cannot be used: " + error_text(tried.overlay),
          "modprobe overlay; Linux 5.11 or newer for overlays in user namespaces"};
}

void probe_namespaces(std::vector<Finding>& out) {
  sys::CloneOptions options;
  options.namespaces =
      CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  Tried tried;
  auto child = sys::clone_vfork(options, try_mounts, &tried);
  if (!child) {
    out.push_back({"namespaces", Severity::blocking, child.error().message, user_namespace_remedy()});
    return;
  }
  (void)sys::reap(*child);
  out.push_back(judge_namespaces(tried));
  if (tried.tmpfs != 0) return;  // the rest would only repeat it
  out.push_back(judge_proc(tried));
  out.push_back(judge_overlay(tried));
}

bool has_action(std::uint32_t action) { return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0; }

Finding probe_seccomp() {
  if (!has_action(SECCOMP_RET_ERRNO)) {
    return {"seccomp", Severity::blocking, std::string("no filters: ") + std::strerror(errno),
            "a kernel with CONFIG_SECCOMP_FILTER; in a container, a profile that lets seccomp(2) through"};
  }
  if (!has_action(SECCOMP_RET_KILL_PROCESS)) {
    return {"seccomp", Severity::degraded, "filters, but policies that end the process cannot be used",
            "Linux 4.14 or newer"};
  }
  if (!has_action(SECCOMP_RET_USER_NOTIF)) {
    return {"seccomp", Severity::degraded, "filters, but refused calls cannot be counted", "Linux 5.0 or newer"};
  }
  return {"seccomp", Severity::ok, "filters with errno, kill-process and notification of refused calls", ""};
}

Finding probe_landlock() {
  const int abi = landlock_abi();
  constexpr int kWithScopes = 6;
  if (abi >= kWithScopes) return {"landlock", Severity::ok, "ABI " + std::to_string(abi) + ", scopes included", ""};
  if (abi > 0) {
    return {"landlock", Severity::ok,
            "ABI " + std::to_string(abi) +
                ": files; scopes for signals and abstract sockets came with ABI 6 (the "
                "namespaces hold those too)",
            ""};
  }
  return {"landlock", Severity::degraded, "not available: the mount namespace alone confines files",
          "Linux 5.13 or newer with 'landlock' in the lsm= list"};
}

/// Root runs the command as an id of its own and shows it the workspace mapped; tried on the current folder.
Finding probe_id_maps() {
  if (::geteuid() != 0) return {"id-mapped-mounts", Severity::ok, "not needed: the command runs as the caller", ""};
  char path[PATH_MAX];
  struct stat st {};
  if (::getcwd(path, sizeof path) == nullptr || ::stat(path, &st) != 0) {
    return {"id-mapped-mounts", Severity::degraded, "not tried: there is no current folder",
            "start in one that exists"};
  }
  const auto id = static_cast<std::uint32_t>(kUidFirst);
  auto ns = MappingNamespace::make(st.st_uid, st.st_gid, id, id);
  auto tree = clone_tree(path);
  if (!ns || !tree)
    return {"id-mapped-mounts", Severity::degraded, (ns ? tree.error() : ns.error()).message, "--workspace-ids=chown"};
  if (auto mapped = map_tree(*tree, ns->fd(), path); !mapped) {
    return {"id-mapped-mounts", Severity::degraded, mapped.error().message, mapped.error().remedy};
  }
  return {"id-mapped-mounts", Severity::ok, std::string("work on the file system of ") + path, ""};
}

Finding probe_state_dir() {
  if (::geteuid() != 0) return {"state", Severity::ok, "not needed: the command runs as the caller", ""};
  auto lease = lease_uid(kStateDir, kUidFirst, kUidCount);
  if (lease) return {"state", Severity::ok, std::string(kStateDir) + " holds the locks on user ids", ""};
  return {"state", Severity::blocking, lease.error().message, lease.error().remedy};
}

/// Init is executed from memory.
Finding probe_memfd() {
  auto fd = sys::sealed_memfd("helios-probe", "x", true);
  if (fd) return {"memfd", Severity::ok, "programs can be executed from memory (vm.memfd_noexec)", ""};
  return {"memfd", Severity::blocking, fd.error().message, fd.error().remedy};
}

Finding probe_swap(const cgroup::Placement& place) {
  if (!cgroup::host_has_swap()) return {"swap-accounting", Severity::ok, "this host has no swap", ""};
  const auto& seat = place.seat(cgroup::Controller::memory);
  const bool counted = seat.version == cgroup::Version::v2 || cgroup::v1_counts_swap(seat.parent);
  if (counted) return {"swap-accounting", Severity::ok, "swap is counted and can be limited", ""};
  return {"swap-accounting", Severity::degraded, "this host has swap and does not count it: a limit on swap is refused",
          "boot with swapaccount=1, or --allow-degraded=swap"};
}

/// The soft stage of memory, which nobody gets without asking for it.
Finding probe_memory_high(const cgroup::Placement& place) {
  const bool has = place.seat(cgroup::Controller::memory).version == cgroup::Version::v2;
  return {"memory-high", has ? Severity::ok : Severity::degraded,
          has ? "a run can be slowed before it is ended (--memory-high)"
              : "cgroup v1 slows no run before it is ended: --memory-high is refused",
          has ? "" : "a host with cgroup v2"};
}

/// Would a crash inside start the host's handler, as root and outside?
Finding probe_crash_handler() {
  const auto pattern = sys::read_file("/proc/sys/kernel/core_pattern", 4096);
  if (!pattern) return {"crash-handler", Severity::ok, "the kernel has no core_pattern", ""};
  rlimit ours{};
  if (pattern->starts_with('|') && ::getrlimit(RLIMIT_CORE, &ours) == 0 && ours.rlim_max < supervise::kNoCore) {
    return {"crash-handler", Severity::degraded,
            "the host starts a program, as root, for every crash, and our hard core limit of 0 does not stop it",
            "start helios-run with a hard core limit of 1 or more (prlimit --core=:unlimited)"};
  }
  if (pattern->starts_with('@')) {
    return {"crash-handler", Severity::degraded, "a service of the host hears of every crash, by a socket",
            "set kernel.core_pattern to a file or a program"};
  }
  return {"crash-handler", Severity::ok, "a crash inside starts no program of the host", ""};
}

Finding probe_mount_api() {
  const long fd = ::syscall(SYS_fsopen, "tmpfs", 1);
  if (fd >= 0) ::close(static_cast<int>(fd));
  const bool has = fd >= 0 || errno == EPERM;
  if (!has)
    return {"mount-api", Severity::blocking, std::string("fsopen: ") + std::strerror(errno), "Linux 5.12 or newer"};
  if (::syscall(SYS_mount_setattr, -1, "", 0, nullptr, 0) < 0 && errno == ENOSYS) {
    return {"mount-api", Severity::blocking, "mount_setattr is missing", "Linux 5.12 or newer"};
  }
  return {"mount-api", Severity::ok, "fsopen, move_mount and mount_setattr", ""};
}

/// Makes a run's groups with every limit that the place has controllers for, and removes them.
Status make_groups(const cgroup::Placement& place) {
  cgroup::GroupLimits limits;
  if (place.has(cgroup::Controller::memory)) limits.memory_bytes = 64 << 20;
  if (place.has(cgroup::Controller::cpu)) limits.milli_cpus = 1000;
  if (place.has(cgroup::Controller::pids)) limits.tasks = 64;
  auto group = cgroup::RunGroup::create(place, cgroup::owner_token(), limits, {});
  if (!group) return fail(group.error());
  return group->remove();
}

void probe_groups(std::vector<Finding>& out) {
  const auto place = cgroup::Placement::find({});
  if (!place) {
    out.push_back({"cgroup", Severity::blocking, place.error().message, place.error().remedy});
    return;
  }
  if (const Status made = make_groups(*place); !made) {
    out.push_back({"cgroup", Severity::blocking, made.error().message, made.error().remedy});
    return;
  }
  const bool by_systemd = place->entry() == cgroup::Entry::systemd_scope;
  out.push_back({"cgroup", Severity::ok,
                 place->describe() + (by_systemd ? " (in a scope that systemd is asked for, delegated)" : ""), ""});
  for (const auto c : {cgroup::Controller::memory, cgroup::Controller::cpu, cgroup::Controller::pids}) {
    const std::string feature = "cgroup:" + std::string(cgroup::name(c));
    if (place->has(c)) {
      out.push_back({feature, Severity::ok, "in " + place->seat(c).parent, ""});
    } else {
      // Of these, the shipped policies leave the processors alone.
      const bool optional = c == cgroup::Controller::cpu;
      out.push_back({feature, optional ? Severity::degraded : Severity::blocking, place->seat(c).missing,
                     "systemd-run --user --scope -p Delegate=yes helios-run ..., or --allow-degraded=" +
                         std::string(c == cgroup::Controller::memory ? "memory,swap"
                                     : c == cgroup::Controller::cpu  ? "cpus"
                                                                     : "processes")});
    }
  }
  if (!place->has(cgroup::Controller::memory)) return;
  out.push_back(probe_swap(*place));
  out.push_back(probe_memory_high(*place));
}

}  // namespace

Result<std::vector<Finding>> probe_host() {
  std::vector<Finding> out;
  probe_namespaces(out);
  for (const auto probe : {probe_mount_api, probe_seccomp, probe_landlock, probe_memfd, probe_id_maps, probe_state_dir,
                           probe_crash_handler}) {
    out.push_back(probe());
  }
  probe_groups(out);
  return out;
}

}  // namespace helios::isolated
