#include "core/policy/policy.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <set>
#include <utility>

#include "core/digest/sha256.h"
#include "core/edit_distance.h"
#include "core/policy/policy_file.h"
#include "core/spec/json_problem.h"
#include "core/spec/quantity.h"
#include "core/sys/path.h"
#include "core/sys/trusted_file.h"

namespace helios::policy {
namespace {

constexpr std::size_t kMaxFile = 1 << 20;  // the shipped ones have some 10 KiB
constexpr std::string_view kSuffix = ".json";
constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

bool is_file(std::string_view name_or_file) {
  return name_or_file.find('/') != std::string_view::npos ||
         (name_or_file.size() > kSuffix.size() && name_or_file.substr(name_or_file.size() - kSuffix.size()) == kSuffix);
}

std::string name_of(const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  return is_file(file) ? file.substr(0, file.size() - kSuffix.size()) : file;
}

/// What cannot be looked at is taken for there: opening it tells why.
bool exists(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

Result<std::string> find_by_name(const std::string& name, const std::vector<std::string>& dirs) {
  if (!name.empty() && name.find_first_not_of(kNameCharacters) == std::string::npos) {
    for (const std::string& dir : dirs) {
      std::string path = dir;
      path.append("/").append(name).append(kSuffix);
      if (exists(path)) return path;
    }
  }
  const std::vector<std::string> known = list_policies(dirs);
  const auto meant = nearest(name, known);
  return fail(
      ErrorCode::not_found,
      "no policy is called " + spec::quote_for_message(name) + " in " + (dirs.empty() ? "no folder" : joined(dirs)),
      meant           ? "did you mean \"" + *meant + "\"?"
      : known.empty() ? "name a file (with a '/' or ending in .json)"
                      : "choose one of " + joined(known) + ", or name a file (with a '/' or ending in .json)");
}

/// A file named in a policy is looked for beside it first; a name in the folders.
Result<std::string> find_from(const std::string& policy_path, const std::string& name,
                              const std::vector<std::string>& dirs) {
  if (!is_file(name)) return find_by_name(name, dirs);
  if (name.front() == '/') return name;
  std::string beside = sys::folder_of(policy_path) + "/" + name;
  if (exists(beside)) return beside;
  for (const std::string& dir : dirs) {
    std::string path = dir + "/" + name;
    if (exists(path)) return path;
  }
  return beside;
}

/// Puts what a file says over what the files it extends say.
class Merge {
 public:
  explicit Merge(const std::vector<std::string>& dirs) : dirs_(dirs) {}

  Status add(const std::string& path) {
    // Most policies name no other: then nobody asks what the file is called in the end (a call for each folder above
    // it).
    std::string identity = open_.empty() ? std::string() : identity_of(path);
    if (std::find(open_.begin(), open_.end(), identity) != open_.end()) {
      return fail(ErrorCode::invalid_policy, "the policy extends itself: " + cycle(identity));
    }
    auto text = sys::read_trusted(path, kMaxFile, ErrorCode::invalid_policy);
    if (!text) return fail(text.error());
    digest_.update(*text);
    policy_.files.push_back(path);
    auto file = read_policy_file(*text, path);
    if (!file) return fail(file.error());
    if (identity.empty() && (file->extends || file->seccomp_from)) identity = identity_of(path);
    open_.push_back(std::move(identity));
    if (file->extends) {
      if (auto parent = extend(path, *file->extends); !parent) return parent;
    }
    apply(*file);
    if (file->seccomp_from) {
      if (auto taken = take_filter(path, *file->seccomp_from); !taken) return taken;
    }
    open_.pop_back();
    return {};
  }

  Result<Policy> finish(const std::string& path) {
    if (auto mounts = check_mounts(); !mounts) return fail(mounts.error());
    if (auto ceilings = check_ceilings(); !ceilings) return fail(ceilings.error());
    if (policy_.profile.seccomp_json.empty()) {
      return fail(ErrorCode::invalid_policy, path + ": no \"seccomp\" section, and no extended policy has one",
                  "add \"extends\": \"default\", or \"seccomp\" with a profile or the name of one");
    }
    policy_.path = path;
    policy_.name = name_of(path);
    policy_.sha256 = digest_.hex();
    SandboxProfile& profile = policy_.profile;
    profile.policy_name = policy_.name;
    profile.policy_sha256 = policy_.sha256;
    profile.seccomp_sha256 = digest::sha256_hex(profile.seccomp_json);
    for (const std::string& dir : dirs_) profile.filter_dirs.push_back(dir + "/compiled");
    return std::move(policy_);
  }

 private:
  /// The same for every way to name the file.
  static std::string identity_of(const std::string& path) {
    const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
    return real ? real.get() : path;
  }

  std::string cycle(const std::string& again) const {
    std::string text;
    for (const std::string& path : open_) text += path + " -> ";
    return text + again;
  }

  Status extend(const std::string& path, const Reference& parent) {
    auto found = find_from(path, parent.name, dirs_);
    if (!found) return fail(found.error().while_doing(parent.where));
    auto added = add(*found);
    return added ? added : fail(added.error().while_doing(parent.where));
  }

  /// A profile from a file as it is (Docker's, Podman's), or the one of another policy.
  Status take_filter(const std::string& path, const Reference& from) {
    auto found = find_from(path, from.name, dirs_);
    if (!found) return fail(found.error().while_doing(from.where));
    if (!is_file(from.name)) {
      auto other = load_other(*found);
      if (!other) return fail(other.error().while_doing(from.where));
      digest_.update(*other);
      policy_.files.push_back(*found);
      policy_.profile.seccomp_json = std::move(*other);
      return {};
    }
    auto text = sys::read_trusted(*found, kMaxFile, ErrorCode::invalid_policy);
    if (!text) return fail(text.error().while_doing(from.where));
    digest_.update(*text);
    policy_.files.push_back(*found);
    policy_.profile.seccomp_json = std::move(*text);
    return {};
  }

  Result<std::string> load_other(const std::string& path) {
    Merge other(dirs_);
    other.open_ = open_;
    if (auto added = other.add(path); !added) return fail(added.error());
    if (other.policy_.profile.seccomp_json.empty()) {
      return fail(ErrorCode::invalid_policy, path + ": has no \"seccomp\" section to take");
    }
    return std::move(other.policy_.profile.seccomp_json);
  }

  void apply(PolicyFile& file) {
    SandboxProfile& profile = policy_.profile;
    for (LimitEntry& entry : file.limits) {
      policy_.defaults[entry.limit] = entry.value;
      default_where_[static_cast<std::size_t>(entry.limit)] = std::move(entry.where);
    }
    for (LimitEntry& entry : file.ceilings) {
      policy_.ceilings[entry.limit] = entry.value;
      ceiling_where_[static_cast<std::size_t>(entry.limit)] = std::move(entry.where);
    }
    for (std::string& name : file.env_allow) {
      if (std::find(profile.env_allow.begin(), profile.env_allow.end(), name) == profile.env_allow.end()) {
        profile.env_allow.push_back(std::move(name));
      }
    }
    for (EnvVar& variable : file.env_set) replace_or_add(std::move(variable));
    for (MountEntry& entry : file.mounts) replace_or_add(std::move(entry));
    if (file.network) profile.network = *file.network;
    if (file.rootfs) profile.rootfs = std::move(*file.rootfs);
    if (file.tmp_bytes) profile.tmp_bytes = *file.tmp_bytes;
    if (file.shm_bytes) profile.shm_bytes = *file.shm_bytes;
    if (file.nested_user_namespaces) profile.nested_user_namespaces = *file.nested_user_namespaces;
    if (file.seccomp_json) profile.seccomp_json = std::move(*file.seccomp_json);
  }

  void replace_or_add(EnvVar variable) {
    std::vector<EnvVar>& set = policy_.profile.env_set;
    const auto same = std::find_if(set.begin(), set.end(), [&](const EnvVar& v) { return v.name == variable.name; });
    if (same != set.end()) set.erase(same);
    set.push_back(std::move(variable));
  }

  void replace_or_add(MountEntry entry) {
    const auto same = std::find_if(mounts_.begin(), mounts_.end(),
                                   [&](const MountEntry& m) { return m.mount.target == entry.mount.target; });
    if (same != mounts_.end()) {
      *same = std::move(entry);
    } else {
      mounts_.push_back(std::move(entry));
    }
  }

  Status check_mounts() {
    if (policy_.profile.rootfs.empty()) policy_.profile.rootfs = "host";
    for (MountEntry& entry : mounts_) {
      const Mount& mount = entry.mount;
      if (mount.kind != MountKind::tmpfs && !mount.optional && !exists(mount.source)) {
        return fail(ErrorCode::invalid_policy, entry.where + ": the source " + mount.source + " does not exist",
                    "create it, take the mount out, or add \"optional\": true");
      }
      policy_.profile.mounts.push_back(std::move(entry.mount));
    }
    return {};
  }

  /// Where the policy says nothing about a ceiling, a spec may only ask for less than the default.
  Status check_ceilings() {
    for (const LimitInfo& known : kLimits) {
      const auto i = static_cast<std::size_t>(known.limit);
      const std::optional<std::uint64_t> by_default = policy_.defaults[known.limit];
      std::optional<std::uint64_t>& ceiling = policy_.ceilings[known.limit];
      if (ceiling_where_[i].empty()) ceiling = by_default;
      if (!ceiling) continue;
      if (!by_default) {
        policy_.defaults[known.limit] = ceiling;  // without one a run would be above its ceiling
      } else if (*by_default > *ceiling) {
        return fail(ErrorCode::invalid_policy,
                    ceiling_where_[i] + ": the ceiling " + spec::format_quantity(known.unit, *ceiling) +
                        " is below the default " + spec::format_quantity(known.unit, *by_default) + " (" +
                        default_where_[i] + ")");
      }
    }
    return check_memory_high();
  }

  Status check_memory_high() const {
    const auto memory = policy_.defaults[Limit::memory];
    const auto high = policy_.defaults[Limit::memory_high];
    if (!memory || !high || *high <= *memory) return {};
    // A default that came from a ceiling has the ceiling's place.
    const auto i = static_cast<std::size_t>(Limit::memory_high);
    return fail(ErrorCode::invalid_policy, (default_where_[i].empty() ? ceiling_where_[i] : default_where_[i]) +
                                               ": memoryHigh " + spec::format_quantity(LimitUnit::bytes, *high) +
                                               " is above memory " + spec::format_quantity(LimitUnit::bytes, *memory));
  }

  const std::vector<std::string>& dirs_;
  Policy policy_;
  std::vector<MountEntry> mounts_;
  std::array<std::string, kLimitCount> default_where_;
  std::array<std::string, kLimitCount> ceiling_where_;
  std::vector<std::string> open_;  ///< files under way, for cycles
  digest::Sha256 digest_;
};

void describe_limits(std::vector<std::string>& lines, const std::string& key, const Limits& limits) {
  for (const LimitInfo& known : kLimits) {
    const auto value = limits[known.limit];
    lines.push_back(key + "." + std::string(known.key) + ": " +
                    (value ? spec::format_quantity(known.unit, *value) : "not limited"));
  }
}

std::string describe_mount(const Mount& mount) {
  const auto size = [&] { return spec::format_quantity(LimitUnit::bytes, mount.size_bytes); };
  if (mount.kind == MountKind::tmpfs) return "tmpfs " + mount.target + (mount.size_bytes ? " size=" + size() : "");
  return (mount.kind == MountKind::bind ? "bind " : "ro-bind ") + mount.source +
         (mount.target == mount.source ? "" : " on " + mount.target) + (mount.optional ? " (optional)" : "");
}

}  // namespace

Result<Policy> load_policy(const std::string& name_or_file, const std::vector<std::string>& search_dirs) {
  auto path = is_file(name_or_file) ? Result<std::string>(name_or_file) : find_by_name(name_or_file, search_dirs);
  if (!path) return fail(path.error());
  Merge merge(search_dirs);
  if (auto added = merge.add(*path); !added) return fail(added.error());
  return merge.finish(*path);
}

std::vector<std::string> list_policies(const std::vector<std::string>& search_dirs) {
  std::set<std::string> names;
  for (const std::string& dir : search_dirs) {
    const std::unique_ptr<DIR, CloseFolder> listing(::opendir(dir.c_str()));
    while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr) {
      const std::string file = entry->d_name;
      const std::string name = name_of(file);
      if (is_file(file) && name.find_first_not_of(kNameCharacters) == std::string::npos) names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

std::vector<std::string> describe_policy(const Policy& policy) {
  std::vector<std::string> lines;
  const SandboxProfile& profile = policy.profile;
  describe_limits(lines, "limits", policy.defaults);
  describe_limits(lines, "ceilings", policy.ceilings);
  lines.push_back(std::string("network: ") + (profile.network == Network::host ? "host" : "none"));
  for (const std::string& name : profile.env_allow) lines.push_back("environment.allow: " + name);
  for (const EnvVar& variable : profile.env_set)
    lines.push_back("environment.set: " + variable.name + "=" + variable.value);
  lines.push_back("rootfs: " + profile.rootfs);
  for (const Mount& mount : profile.mounts) lines.push_back("mounts: " + describe_mount(mount));
  lines.push_back("tmp: " + spec::format_quantity(LimitUnit::bytes, profile.tmp_bytes));
  lines.push_back("shm: " + spec::format_quantity(LimitUnit::bytes, profile.shm_bytes));
  lines.push_back(std::string("nestedUserNamespaces: ") + (profile.nested_user_namespaces ? "true" : "false"));
  lines.push_back("seccomp: sha256 " + profile.seccomp_sha256);
  return lines;
}

std::vector<std::string> policy_diff(const Policy& from, const Policy& to) {
  const std::vector<std::string> before = describe_policy(from);
  const std::vector<std::string> after = describe_policy(to);
  const auto lacks = [](const std::vector<std::string>& lines, const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) == lines.end();
  };
  std::vector<std::string> difference;
  for (const std::string& line : before) {
    if (lacks(after, line)) difference.push_back("- " + line);
  }
  for (const std::string& line : after) {
    if (lacks(before, line)) difference.push_back("+ " + line);
  }
  return difference;
}

}  // namespace helios::policy
