#include "core/cgroup/hierarchy.h"

#include <algorithm>
#include <mutex>

#include "core/sys/file.h"

namespace helios::cgroup {
namespace {

constexpr std::size_t kMaxProcFile = 16 << 20;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

// mountinfo writes space, tab, newline and backslash as three octal digits.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t k) { return k < text.size() && text[k] >= '0' && text[k] <= '7'; };
    if (text[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// ID PARENT MAJ:MIN ROOT MOUNT-POINT OPTIONS [TAGS…] - TYPE SOURCE SUPER-OPTIONS (proc_pid_mountinfo(5))
std::optional<Hierarchy> parse_mount(std::string_view line) {
  const auto dash = line.find(" - ");
  if (dash == std::string_view::npos) return std::nullopt;
  const auto before = split(line.substr(0, dash), ' ');
  const auto after = split(line.substr(dash + 3), ' ');
  if (before.size() < 6 || after.size() < 3) return std::nullopt;
  Hierarchy mount;
  mount.version = after[0] == "cgroup2" ? Version::v2 : after[0] == "cgroup" ? Version::v1 : Version::none;
  if (mount.version == Version::none) return std::nullopt;
  mount.root = unescape(before[3]);
  mount.mount_point = unescape(before[4]);
  if (mount.version == Version::v1) {
    for (const auto option : split(after[2], ',')) mount.controllers.emplace_back(option);
  }
  return mount;
}

}  // namespace

bool Hierarchy::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

std::vector<Hierarchy> parse_mountinfo(std::string_view text) {
  std::vector<Hierarchy> mounts;
  for (const auto line : split(text, '\n')) {
    if (auto mount = parse_mount(line)) mounts.push_back(std::move(*mount));
  }
  return mounts;
}

std::vector<OwnGroup> parse_own_groups(std::string_view text) {
  std::vector<OwnGroup> groups;
  for (const auto line : split(text, '\n')) {  // ID:CONTROLLERS:PATH; the path may hold colons
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    OwnGroup group;
    group.path = std::string(line.substr(second + 1));
    const auto names = line.substr(first + 1, second - first - 1);
    group.version = names.empty() ? Version::v2 : Version::v1;
    if (!names.empty()) {
      for (const auto controller : split(names, ',')) group.controllers.emplace_back(controller);
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

std::optional<std::string> directory_of(const Hierarchy& mount, std::string_view path) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.size() > kDeleted.size() && path.substr(path.size() - kDeleted.size()) == kDeleted) return std::nullopt;
  if (path.substr(0, 3) == "/.." || mount.root.compare(0, 3, "/..") == 0) return std::nullopt;
  if (mount.root != "/") {
    if (path.substr(0, mount.root.size()) != mount.root) return std::nullopt;
    path.remove_prefix(mount.root.size());
    if (!path.empty() && path.front() != '/') return std::nullopt;
  }
  std::string directory = mount.mount_point;
  if (path != "/") directory += path;
  return directory;
}

std::optional<std::string> own_directory(const Hierarchy& mount, const std::vector<OwnGroup>& own) {
  for (const auto& group : own) {
    const bool same = mount.version == Version::v2
                          ? group.version == Version::v2
                          : group.version == Version::v1 && !group.controllers.empty() &&
                                std::all_of(group.controllers.begin(), group.controllers.end(),
                                            [&](const std::string& c) { return mount.has(c); });
    if (same) return directory_of(mount, group.path);
  }
  return std::nullopt;
}

Result<std::vector<Hierarchy>> mounted_hierarchies() {
  static std::mutex mutex;
  static std::optional<std::vector<Hierarchy>> known;
  const std::lock_guard lock(mutex);
  if (!known) {
    auto text = sys::read_file("/proc/self/mountinfo", kMaxProcFile);
    if (!text) return fail(text.error());
    known = parse_mountinfo(*text);
  }
  return *known;
}

Result<std::vector<OwnGroup>> own_groups() {
  auto text = sys::read_file("/proc/self/cgroup", kMaxProcFile);
  if (!text) return fail(text.error());
  return parse_own_groups(*text);
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace helios::cgroup
