#include "core/cgroup/delegation.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <mutex>

#include "core/cgroup/cgroup_file.h"
#include "core/cgroup/hierarchy.h"
#include "core/cgroup/members.h"
#include "core/cgroup/systemd_scope.h"

namespace helios::cgroup {
namespace {

// Memory first: with a process in the group it is refused (EBUSY), whereas cpu and pids "succeed" and turn the group
// into a threaded one that takes no more processes. One at a time: a single unavailable one fails the whole write.
constexpr std::array<const char*, 4> kWanted{"memory", "cpu", "pids", "io"};
constexpr const char* kParentRemedy =
    "name another place with --cgroup-parent, or start it under `systemd-run --scope -p Delegate=yes …`";

Status switch_on(const Group& group) {
  auto there = read_control(group.fd.get(), group.path, "cgroup.controllers");
  if (!there) return fail(there.error());
  auto on = read_control(group.fd.get(), group.path, "cgroup.subtree_control");
  if (!on) return fail(on.error());
  for (const char* controller : kWanted) {
    if (!has_word(*there, controller) || has_word(*on, controller)) continue;
    auto written = write_control(group.fd.get(), group.path, "cgroup.subtree_control", "+" + std::string(controller));
    if (!written) return fail(written.error());
  }
  return {};
}

Result<bool> all_on(const Group& group) {
  auto there = read_control(group.fd.get(), group.path, "cgroup.controllers");
  if (!there) return fail(there.error());
  auto on = read_control(group.fd.get(), group.path, "cgroup.subtree_control");
  if (!on) return fail(on.error());
  for (const char* controller : kWanted) {
    if (has_word(*there, controller) && !has_word(*on, controller)) return false;
  }
  return true;
}

Status check_domain(const Group& group) {
  auto type = read_control(group.fd.get(), group.path, "cgroup.type");
  if (!type) return {};  // the real root has no type
  if (*type == "domain\n") return {};
  type->pop_back();
  return fail(ErrorCode::setup_failed,
              "use " + group.path + " for control groups: its type is '" + *type + "', it takes no groups with limits",
              kParentRemedy);
}

Result<std::vector<pid_t>> own_members(const Group& group) {
  auto text = read_control(group.fd.get(), group.path, "cgroup.procs");
  if (!text) return fail(text.error());
  std::vector<pid_t> pids;
  for (std::size_t at = 0; at < text->size(); at = text->find('\n', at) + 1) {
    pids.push_back(static_cast<pid_t>(parse_number(std::string_view(*text).substr(at)).value_or(0)));
  }
  return pids;
}

// Processes keep forking while they are moved, hence the rounds.
Status move_members(const Group& from, const Group& to) {
  for (int round = 0; round < 100; ++round) {
    auto pids = own_members(from);
    if (!pids) return fail(pids.error());
    if (pids->empty()) return {};
    for (const pid_t pid : *pids) {
      if (pid == 0) {  // writing 0 would move ourselves
        return fail(ErrorCode::setup_failed,
                    "move the processes of " + from.path + " to a leaf: one is outside of our pid namespace",
                    kParentRemedy);
      }
      auto moved = write_control(to.fd.get(), to.path, "cgroup.procs", std::to_string(pid));
      if (!moved && moved.error().sys_errno != ESRCH) return fail(moved.error());
    }
  }
  return fail(ErrorCode::setup_failed,
              "move the processes of " + from.path + " to a leaf: they fork faster than they move", kParentRemedy);
}

Result<std::string> enter_supervisor(const std::string& parent) {
  auto group = open_group(parent);
  if (!group) return fail(group.error());
  auto ready = all_on(*group);
  if (!ready) return fail(ready.error());
  if (*ready) return parent;
  if (::flock(group->fd.get(), LOCK_EX) != 0) return fail_errno(ErrorCode::setup_failed, "lock " + parent, errno);
  auto leaf = make_group(parent + "/" + std::string(kSupervisor), Existing::accepted);
  if (!leaf) return fail(leaf.error());
  if (auto moved = move_members(*group, *leaf); !moved) return fail(moved.error());
  if (auto on = switch_on(*group); !on) return fail(on.error());
  if (auto type = check_domain(*group); !type) return fail(type.error());
  return parent;  // closing the directory unlocks it
}

// A group on the way down gets controllers only if it holds no processes: with some, memory is refused, and cpu or pids
// would make the group threaded under its owner's feet.
Status pass_controllers(const Group& group, bool real_root) {
  auto ready = all_on(group);
  if (!ready) return fail(ready.error());
  if (*ready) return {};
  if (!real_root) {
    auto pids = own_members(group);
    if (!pids) return fail(pids.error());
    if (!pids->empty()) {
      return fail(ErrorCode::unsupported,
                  "switch controllers on in " + group.path + ": it holds processes of its own (first: pid " +
                      std::to_string(pids->front()) + ")",
                  kParentRemedy);
    }
  }
  if (auto on = switch_on(group); !on) return on;
  return real_root ? Status{} : check_domain(group);
}

Result<std::string> enter_made_parent(const Placement& placement) {
  const std::string& top = placement.top_v2();
  const std::string& parent = placement.parent_v2();
  for (std::string at = top;;) {
    auto group = make_group(at, Existing::accepted);
    if (!group) return fail(group.error());
    if (auto passed = pass_controllers(*group, at == top && is_real_root(top)); !passed) {
      // A user need not be able to write above what was handed over.
      const bool above = at != parent && placement.options().uid != 0;
      if (!above) return fail(passed.error());
    }
    if (at == parent) return parent;
    const auto slash = parent.find('/', at.size() + 1);
    at = parent.substr(0, slash);
  }
}

Result<std::string> enter_scope(const Placement& placement) {
  auto again = Placement::find(placement.options());  // another thread may have been here
  if (again && again->entry() == Entry::supervisor) return enter_supervisor(again->parent_v2());
  if (auto moved = move_into_scope(placement.options().uid, owner_token() + ".scope"); !moved)
    return fail(moved.error());
  again = Placement::find(placement.options());
  if (!again) return fail(again.error());
  if (again->entry() == Entry::supervisor) return enter_supervisor(again->parent_v2());
  return fail(ErrorCode::setup_failed, "use the scope made by systemd: it was not delegated to us", kParentRemedy);
}

Result<std::string> enter_once(const Placement& placement) {
  switch (placement.entry()) {
    case Entry::none:
      break;
    case Entry::make_parent:
      return enter_made_parent(placement);
    case Entry::supervisor:
      return enter_supervisor(placement.parent_v2());
    case Entry::systemd_scope:
      return enter_scope(placement);
  }
  return fail(ErrorCode::internal, "enter a v2 group without a place");
}

}  // namespace

bool systemd_runs() { return ::access("/run/systemd/system", F_OK) == 0; }

bool is_real_root(const std::string& top) { return ::access((top + "/cgroup.type").c_str(), F_OK) != 0; }

int why_not_writable(const std::string& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0 ? 0 : errno;
}

bool is_delegated(const std::string& directory, uid_t uid, const std::string& top) {
  for (const char* file : {"", "/cgroup.procs", "/cgroup.subtree_control"}) {
    if (why_not_writable(directory + file) != 0) return false;
  }
  if (directory == top && is_real_root(top)) return false;
  if (uid != 0) return true;
  if (directory == top) return true;  // a container's own view, mounted writable for it
  char mark = 0;
  return ::getxattr(directory.c_str(), "user.delegate", &mark, 1) == 1 && mark == '1';
}

Result<std::string> enter(const Placement& placement) {
  // Entered once per process and place: the groups do not go away while we are in one of them.
  static std::mutex mutex;
  static std::map<std::string, std::string> entered;
  const std::lock_guard lock(mutex);
  const std::string key = std::to_string(static_cast<int>(placement.entry())) + placement.parent_v2();
  if (const auto known = entered.find(key); known != entered.end()) {
    if (::access(known->second.c_str(), F_OK) == 0) return known->second;
    entered.erase(known);
  }
  auto parent = enter_once(placement);
  if (parent) entered.emplace(key, *parent);
  return parent;
}

}  // namespace helios::cgroup
