#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>

#include "core/cgroup/cgroup.h"
#include "core/cgroup/cgroup_file.h"
#include "core/cgroup/delegation.h"
#include "core/cgroup/hierarchy.h"
#include "core/cgroup/members.h"

namespace helios::cgroup {
namespace {

constexpr std::chrono::seconds kPatience{2};

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  // A group's link count is two plus its children: without any there is nothing to read, and this is on every launch.
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0 || st.st_nlink <= 2) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

std::optional<pid_t> dead_scope(std::string_view name) {
  constexpr std::string_view kSuffix = ".scope";
  if (name.size() <= kSuffix.size() || name.substr(name.size() - kSuffix.size()) != kSuffix) return std::nullopt;
  return dead_owner(name.substr(0, name.size() - kSuffix.size()));
}

// Run groups of a dead process in a scope that we made lie in that scope, beside ours.
std::string scopes_directory(const Placement& place) {
  if (place.entry() == Entry::supervisor && last_part(place.parent_v2()).compare(0, 7, "helios-") == 0) {
    return parent_of(place.parent_v2());
  }
  if (place.entry() != Entry::systemd_scope) return "";
  const std::string uid = std::to_string(place.options().uid);
  if (place.options().uid == 0) return place.top_v2() + "/system.slice";
  return place.top_v2() + "/user.slice/user-" + uid + ".slice/user@" + uid + ".service/app.slice";
}

std::set<std::string> parents_of_runs(const Placement& place) {
  std::set<std::string> parents;
  for (std::size_t i = 0; i < kControllerCount; ++i) {
    const Seat& seat = place.seat(static_cast<Controller>(i));
    if (!seat.parent.empty()) parents.insert(seat.parent);
  }
  if (!place.parent_v2().empty()) parents.insert(place.parent_v2());
  if (const auto scopes = scopes_directory(place); !scopes.empty()) {
    for (const auto& name : names_in(scopes)) {
      if (dead_scope(name)) parents.insert(scopes + "/" + name);
    }
  }
  return parents;
}

void end_group(Stale& stale) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  if (auto group = open_group(stale.path)) {  // on v1 and before 5.14 there is no such file
    (void)write_control(group->fd.get(), group->path, "cgroup.kill", "1");
  }
  if (!kill_members({stale.path}, deadline)) {
    stale.reason = "owner is gone, but a process in it does not end";
    return;
  }
  const auto left = remove_tree(stale.path, deadline);
  stale.removed = left.path.empty();
  if (!stale.removed) stale.reason = "owner is gone, but " + left.path + ": " + std::strerror(left.sys_errno);
}

}  // namespace

Result<std::vector<Stale>> sweep(const Placement& placement, bool remove) {
  std::vector<Stale> found;
  for (const auto& parent : parents_of_runs(placement)) {
    for (const auto& name : names_in(parent)) {
      const auto pid = dead_owner(name);
      if (!pid) continue;
      Stale stale{parent + "/" + name, *pid, "owner is gone", false};
      if (remove) end_group(stale);
      found.push_back(std::move(stale));
    }
  }
  return found;
}

}  // namespace helios::cgroup
