/// The cgroup hierarchies of this host and our own place in each, from /proc/self/{mountinfo,cgroup}.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/cgroup/cgroup.h"

namespace helios::cgroup {

/// One mounted hierarchy. Shape: `controllers` are the kernel's names ("memory", "cpu" …), empty on v2.
struct Hierarchy {
  Version version{Version::none};
  std::vector<std::string> controllers;
  std::string mount_point;
  std::string root;  ///< which group the mount point shows: "/" normally, "/.." when it lies above our cgroup namespace

  [[nodiscard]] bool has(std::string_view controller) const;
};

/// One line of /proc/self/cgroup. v2: `controllers` is empty.
struct OwnGroup {
  Version version{Version::none};
  std::vector<std::string> controllers;
  std::string path;
};

[[nodiscard]] std::vector<Hierarchy> parse_mountinfo(std::string_view text);
[[nodiscard]] std::vector<OwnGroup> parse_own_groups(std::string_view text);

/// The directory that shows group `path` through `mount`; empty if it cannot be reached there.
[[nodiscard]] std::optional<std::string> directory_of(const Hierarchy& mount, std::string_view path);
/// Our own directory in `mount`; empty when we are not in that hierarchy or it is not visible.
[[nodiscard]] std::optional<std::string> own_directory(const Hierarchy& mount, const std::vector<OwnGroup>& own);

/// The host's mounts: read once per process, since a parse costs more than the rest of a launch's probing. [any thread]
[[nodiscard]] Result<std::vector<Hierarchy>> mounted_hierarchies();
[[nodiscard]] Result<std::vector<OwnGroup>> own_groups();

[[nodiscard]] std::string parent_of(const std::string& path);
[[nodiscard]] std::string last_part(const std::string& path);

}  // namespace helios::cgroup
