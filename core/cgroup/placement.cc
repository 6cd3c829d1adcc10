#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "core/cgroup/cgroup.h"
#include "core/cgroup/cgroup_file.h"
#include "core/cgroup/delegation.h"
#include "core/cgroup/hierarchy.h"
#include "core/cgroup/systemd_scope.h"
#include "core/sys/file.h"

namespace helios::cgroup {
namespace {

constexpr std::string_view kDefaultParent = "/helios";

/// What v2 offers. `parent` is empty for a scope that does not exist yet.
struct PlaceV2 {
  Entry entry{Entry::none};
  std::string parent;
  std::string controllers;  // text as in cgroup.controllers
  std::string missing;
};

std::string controllers_of(const std::string& directory) {
  return sys::read_file(directory + "/cgroup.controllers", 4096).value_or("");
}

std::string because(const std::string& path, int err) { return path + ": " + std::strerror(err); }

// The nearest existing directory at or above `path`.
std::string existing(std::string path) {
  while (path != "/" && ::access(path.c_str(), F_OK) != 0) path = parent_of(path);
  return path;
}

}  // namespace

// Fills a Placement; split from it so that a Placement stays a plain value.
class PlacementSearch {
 public:
  static Result<Placement> run(const PlacementOptions& options) {
    auto mounts = mounted_hierarchies();
    if (!mounts) return fail(mounts.error().while_doing("find the control groups"));
    auto own = own_groups();
    if (!own) return fail(own.error().while_doing("find our control group"));
    PlacementSearch search(options, std::move(*mounts), std::move(*own));
    search.seat_v1();
    search.seat_v2();
    return search.verdict();
  }

 private:
  PlacementSearch(const PlacementOptions& options, std::vector<Hierarchy> mounts, std::vector<OwnGroup> own)
      : mounts_(std::move(mounts)), own_(std::move(own)) {
    place_.options_ = options;
    std::string& parent = place_.options_.cgroup_parent;
    while (!parent.empty() && parent.back() == '/') parent.pop_back();
    if (!parent.empty() && parent.front() != '/') parent.insert(0, "/");
  }

  Seat& seat(Controller c) { return place_.seats_[static_cast<std::size_t>(c)]; }
  const PlacementOptions& options() const { return place_.options_; }
  bool root() const { return options().uid == 0; }

  const Hierarchy* hierarchy_v1(Controller c) const {
    for (const auto& mount : mounts_) {
      if (mount.version == Version::v1 && mount.has(name(c))) return &mount;
    }
    return nullptr;
  }

  // As root a group of our own at the top, as Docker has /docker; a user has only what was handed over.
  Seat find_seat_v1(const Hierarchy& mount) const {
    Seat seat;
    if (!options().cgroup_parent.empty()) {
      seat.parent = mount.mount_point + options().cgroup_parent;
    } else if (root()) {
      seat.parent = mount.mount_point + std::string(kDefaultParent);
    } else if (const auto own = own_directory(mount, own_)) {
      seat.parent = *own;
    } else {
      seat.missing = "our own group is not visible in " + mount.mount_point;
      return seat;
    }
    const std::string there = existing(seat.parent);
    const int err = why_not_writable(there);
    if (err == 0 && there.size() >= mount.mount_point.size()) {
      seat.version = Version::v1;
    } else {
      seat.missing = because(there, err == 0 ? ENOENT : err);
    }
    return seat;
  }

  void seat_v1() {
    for (const auto c :
         {Controller::memory, Controller::cpu, Controller::cpuacct, Controller::pids, Controller::cpuset}) {
      if (const auto* mount = hierarchy_v1(c)) seat(c) = find_seat_v1(*mount);
    }
    if (hierarchy_v1(Controller::io) == nullptr && hierarchy_v1_blkio()) {
      seat(Controller::io).missing = "v1 blkio counts nothing without a throttling rule";
    }
  }

  bool hierarchy_v1_blkio() const {
    return std::any_of(mounts_.begin(), mounts_.end(), [](const Hierarchy& m) { return m.has("blkio"); });
  }
  bool any_v1() const {
    return std::any_of(mounts_.begin(), mounts_.end(), [](const Hierarchy& m) {
      return m.version == Version::v1 && (m.has("memory") || m.has("cpu") || m.has("pids") || m.has("cpuacct"));
    });
  }

  PlaceV2 made_parent(const std::string& top, const std::string& own, std::string parent) const {
    PlaceV2 place;
    place.parent = std::move(parent);
    if (place.parent == own || own == place.parent + "/" + std::string(kSupervisor)) {
      place.entry = Entry::supervisor;
      place.controllers = controllers_of(place.parent);
      return place;
    }
    const std::string there = existing(place.parent);
    if (const int err = why_not_writable(there); err != 0) {
      place.missing = because(there, err);
      return place;
    }
    place.entry = Entry::make_parent;
    place.controllers = controllers_of(root() ? top : there);
    return place;
  }

  PlaceV2 in_scope(const std::string& top) const {
    PlaceV2 place;
    const std::string uid = std::to_string(options().uid);
    if (!options().allow_systemd_scope) {
      place.missing = "our own group is not delegated, and asking systemd was not allowed";
    } else if (systemd_sockets(options().uid).empty()) {
      place.missing = root() ? "our own group is not delegated, and systemd has no socket here"
                             : "our own group is not delegated, and there is no user manager to ask for a scope";
    } else {
      place.entry = Entry::systemd_scope;
      place.controllers =
          controllers_of(root() ? top : top + "/user.slice/user-" + uid + ".slice/user@" + uid + ".service");
      if (place.controllers.empty()) place.controllers = "cpu memory pids";
    }
    return place;
  }

  /// All groups of a user's manager are the user's to write: only the manager knows which of them it will leave alone.
  bool is_the_managers(const std::string& own) const {
    if (root() || !options().allow_systemd_scope) return false;
    if (own.find("/user@" + std::to_string(options().uid) + ".service/") == std::string::npos) return false;
    static std::mutex mutex;
    static std::map<std::string, bool> known;  // once per process: it takes a millisecond
    const std::lock_guard lock(mutex);
    const auto [it, is_new] = known.emplace(own, false);
    if (is_new) it->second = unit_is_delegated(options().uid, own) == false;
    return it->second;
  }

  PlaceV2 find_v2(const std::string& top, const std::string& own) const {
    const uid_t uid = options().uid;
    if (!options().cgroup_parent.empty()) return made_parent(top, own, top + options().cgroup_parent);
    const std::string above = parent_of(own);
    // First: a user owns the supervisor leaf too.
    if (own != top && last_part(own) == kSupervisor && is_delegated(above, uid, top)) {
      return {Entry::supervisor, above, controllers_of(above), ""};
    }
    if (is_delegated(own, uid, top) && !is_the_managers(own)) return {Entry::supervisor, own, controllers_of(own), ""};
    if (root() && (any_v1() || own == top)) return made_parent(top, own, top + std::string(kDefaultParent));
    if (root() && !systemd_runs()) return made_parent(top, own, above + std::string(kDefaultParent));
    auto place = in_scope(top);
    if (place.entry == Entry::none && !root() && why_not_writable(own) == EROFS) place.missing = because(own, EROFS);
    return place;
  }

  void seat_v2() {
    const auto mount = std::find_if(mounts_.begin(), mounts_.end(), [&](const Hierarchy& m) {
      return m.version == Version::v2 && own_directory(m, own_).has_value();
    });
    if (mount == mounts_.end()) return;
    const std::string own = *own_directory(*mount, own_);
    // On a hybrid host whose unified tree has none of the controllers it would only add a second way to kill.
    const auto open = [&](Controller c) { return hierarchy_v1(c) == nullptr; };
    const std::string offered = controllers_of(mount->mount_point);
    const bool useful = !any_v1() || (open(Controller::memory) && has_word(offered, "memory")) ||
                        (open(Controller::cpu) && has_word(offered, "cpu")) ||
                        (open(Controller::pids) && has_word(offered, "pids"));
    if (!useful) return;
    const auto place = find_v2(mount->mount_point, own);
    for (std::size_t i = 0; i < kControllerCount; ++i) {
      const auto c = static_cast<Controller>(i);
      if (!open(c)) continue;
      // CPU time is counted in every v2 group, whatever controllers are on.
      const bool there =
          place.entry != Entry::none && (c == Controller::cpuacct || has_word(place.controllers, name(c)));
      if (there) {
        seat(c) = {Version::v2, place.parent, ""};
      } else {
        seat(c).missing = !place.missing.empty() ? place.missing
                                                 : "not among the controllers of " +
                                                       (place.parent.empty() ? mount->mount_point : place.parent);
      }
    }
    if (place.entry == Entry::none) return;
    place_.entry_ = place.entry;
    place_.parent_v2_ = place.parent;
    place_.top_v2_ = mount->mount_point;
  }

  Result<Placement> verdict() {
    std::string causes;
    bool any = false;
    for (const auto c : {Controller::memory, Controller::cpu, Controller::pids, Controller::cpuacct}) {
      Seat& s = seat(c);
      any = any || s.version != Version::none;
      if (s.version == Version::none && s.missing.empty()) s.missing = "the kernel offers no such controller";
      if (s.version == Version::none && causes.find(s.missing) == std::string::npos) {
        causes += (causes.empty() ? "" : "; ") + std::string(name(c)) + ": " + s.missing;
      }
    }
    if (any) return std::move(place_);
    return fail(ErrorCode::unsupported, "find a place for control groups: " + causes, remedy());
  }

  std::string remedy() const {
    if (root()) return "mount cgroupfs writable, or name a writable place with --cgroup-parent";
    return "start it under `systemd-run --user --scope -p Delegate=yes …` (`loginctl enable-linger USER` gives a user "
           "without a login a manager), or have root make groups that you own and name them with --cgroup-parent";
  }

  Placement place_;
  std::vector<Hierarchy> mounts_;
  std::vector<OwnGroup> own_;
};

Result<Placement> Placement::find(const PlacementOptions& options) { return PlacementSearch::run(options); }

Version Placement::version() const {
  Version found = Version::none;
  for (const auto c : {Controller::memory, Controller::cpu, Controller::cpuacct, Controller::pids}) {
    const Version v = seat(c).version;
    if (v == Version::none || v == found) continue;
    if (found != Version::none) return Version::mixed;
    found = v;
  }
  return found;
}

std::string Placement::describe() const {
  std::string text;
  const auto add = [&](std::string_view what) { text.append(text.empty() ? "" : "; ").append(what); };
  for (std::size_t i = 0; i < kControllerCount; ++i) {
    const auto c = static_cast<Controller>(i);
    const Seat& s = seat(c);
    if (s.version == Version::v1) add(std::string(name(c)) + ": v1 in " + s.parent);
  }
  std::string on_v2;
  for (std::size_t i = 0; i < kControllerCount; ++i) {
    const auto c = static_cast<Controller>(i);
    if (seat(c).version == Version::v2) on_v2 += (on_v2.empty() ? "" : ", ") + std::string(name(c));
  }
  if (!on_v2.empty()) {
    add(on_v2 + ": v2 in " + (entry_ == Entry::systemd_scope ? "a scope made by systemd" : parent_v2_));
  }
  for (const auto c : {Controller::memory, Controller::cpu, Controller::cpuacct, Controller::pids}) {
    if (!has(c)) add(std::string(name(c)) + ": none (" + seat(c).missing + ")");
  }
  return text;
}

}  // namespace helios::cgroup
