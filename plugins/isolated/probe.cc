#include "plugins/isolated/probe.h"

#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "core/cgroup/cgroup.h"
#include "core/freestanding/syscalls.h"
#include "core/sys/clone.h"
#include "core/sys/file.h"
#include "plugins/isolated/landlock.h"

namespace helios::isolated {
namespace {

/// [child]
void leave(void*) {
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

Finding probe_namespaces() {
  sys::CloneOptions options;
  options.namespaces =
      CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  auto child = sys::clone_vfork(options, leave, nullptr);
  if (!child) return {"namespaces", Severity::blocking, child.error().message, user_namespace_remedy()};
  (void)sys::reap(*child);
  if (sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" && ::geteuid() != 0) {
    return {"namespaces", Severity::degraded, "made, but AppArmor takes the capabilities away in them",
            user_namespace_remedy()};
  }
  return {"namespaces", Severity::ok, "user, mount, pid, net, ipc, uts and cgroup can be made together", ""};
}

Finding probe_seccomp() {
  const std::uint32_t action = SECCOMP_RET_USER_NOTIF;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) {
    return {"seccomp", Severity::ok, "filters, and notification of refused calls", ""};
  }
  const std::uint32_t plain = SECCOMP_RET_ERRNO;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &plain) == 0) {
    return {"seccomp", Severity::degraded, "filters, but refused calls cannot be counted", "Linux 5.0 or newer"};
  }
  return {"seccomp", Severity::blocking, std::string("no filters: ") + std::strerror(errno),
          "a kernel with CONFIG_SECCOMP_FILTER"};
}

Finding probe_landlock() {
  const int abi = landlock_abi();
  if (abi > 0) return {"landlock", Severity::ok, "ABI " + std::to_string(abi), ""};
  return {"landlock", Severity::degraded, "not available: the mount namespace alone confines files",
          "Linux 5.13 or newer with 'landlock' in the lsm= list"};
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

void probe_groups(std::vector<Finding>& out) {
  const auto place = cgroup::Placement::find({});
  if (!place) {
    out.push_back({"cgroup", Severity::blocking, place.error().message, place.error().remedy});
    return;
  }
  out.push_back({"cgroup", Severity::ok, place->describe(), ""});
  for (const auto c : {cgroup::Controller::memory, cgroup::Controller::cpu, cgroup::Controller::pids}) {
    const std::string feature = "cgroup:" + std::string(cgroup::name(c));
    if (place->has(c)) {
      out.push_back({feature, Severity::ok, "in " + place->seat(c).parent, ""});
    } else {
      out.push_back({feature, Severity::blocking, place->seat(c).missing,
                     "systemd-run --user --scope -p Delegate=yes helios-run ..., or --allow-degraded"});
    }
  }
}

}  // namespace

Result<std::vector<Finding>> probe_host() {
  std::vector<Finding> out{probe_namespaces(), probe_mount_api(), probe_seccomp(), probe_landlock()};
  probe_groups(out);
  return out;
}

}  // namespace helios::isolated
