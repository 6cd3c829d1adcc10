#include "core/policy/policy_file.h"

#include <algorithm>
#include <array>

#include "core/edit_distance.h"
#include "core/policy/policy.h"
#include "core/spec/json_scanner.h"
#include "core/spec/quantity.h"

namespace helios::policy {
namespace {

using spec::JsonKind;
using spec::quote_for_message;

constexpr std::string_view kSizes = "a size such as 64M or 1G";

bool is_absolute(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  return (std::string(path) + "/").find("/../") == std::string::npos;
}

/// NAME, or with `wildcard` a prefix and one '*' at the end.
bool is_variable(std::string_view name, bool wildcard) {
  if (wildcard && !name.empty() && name.back() == '*') name.remove_suffix(1);
  if (name.empty()) return wildcard;
  return name.find_first_of("=*") == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& origin) : scanner_(text), origin_(origin) {}

  Result<PolicyFile> read() {
    const bool read_all = object(kKeys, [this](const std::string& key) { return member(key); }) && scanner_.finish();
    if (read_all) return std::move(file_);
    return fail(spec::to_error(*scanner_.problem(), origin_, ErrorCode::invalid_policy));
  }

 private:
  using Keys = std::vector<std::string>;
  static inline const Keys kKeys{"$schema",     "why",    "extends", "limits", "ceilings", "network",
                                 "environment", "mounts", "rootfs",  "tmp",    "shm",      "nestedUserNamespaces",
                                 "seccomp"};
  static inline const Keys kEnvironmentKeys{"why", "allow", "set"};
  static inline const Keys kMountKeys{"why", "type", "source", "target", "size", "optional"};

  /// Calls `take` for each member; a name that is not in `keys` is refused with the one that was meant, or all.
  template <class Take>
  bool object(const Keys& keys, Take take) {
    if (!scanner_.enter_object()) return false;
    std::string_view name;
    while (scanner_.next_member(name)) {
      const std::string key(name);
      static_cast<void>(scanner_.peek());  // messages point at the value
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
        return scanner_.reject(such_as("key", key, keys), "the unknown " + quote_for_message(key));
      }
      if (!take(key)) return false;
    }
    return scanner_.ok();
  }

  template <class Take>
  bool array(Take take) {
    if (!scanner_.enter_array()) return false;
    while (scanner_.next_element()) {
      if (!take()) return false;
    }
    return scanner_.ok();
  }

  bool member(const std::string& key) {
    if (key == "$schema" || key == "why") return ignore_text();
    if (key == "extends") return reference(file_.extends);
    if (key == "limits") return limits(file_.limits);
    if (key == "ceilings") return limits(file_.ceilings);
    if (key == "network") return network();
    if (key == "environment") return environment();
    if (key == "mounts") return array([this] { return mount(); });
    if (key == "rootfs") return rootfs();
    if (key == "tmp") return size(file_.tmp_bytes.emplace());
    if (key == "shm") return size(file_.shm_bytes.emplace());
    if (key == "nestedUserNamespaces") return scanner_.read_boolean(file_.nested_user_namespaces.emplace());
    return seccomp();
  }

  bool ignore_text() {
    std::string text;
    return string(text);
  }

  bool string(std::string& out) {
    if (!scanner_.read_string(out)) return false;
    return out.find('\0') == std::string::npos || scanner_.reject("no NUL characters", "one");
  }

  std::string where() const {
    const spec::TextPosition at = scanner_.position();
    return origin_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " + scanner_.pointer();
  }

  bool reference(std::optional<Reference>& out) {
    Reference found{{}, where()};
    if (!string(found.name)) return false;
    if (found.name.empty()) return scanner_.reject("the name of a policy or file");
    out = std::move(found);
    return true;
  }

  bool limits(std::vector<LimitEntry>& out) {
    static const Keys keys = [] {
      Keys names{"why"};
      for (const LimitInfo& known : kLimits) names.emplace_back(known.key);
      return names;
    }();
    return object(keys,
                  [this, &out](const std::string& key) { return key == "why" ? ignore_text() : limit(key, out); });
  }

  bool limit(const std::string& key, std::vector<LimitEntry>& out) {
    const auto known = std::find_if(kLimits.begin(), kLimits.end(), [&](const LimitInfo& l) { return l.key == key; });
    LimitEntry entry{known->limit, {}, where()};
    if (scanner_.peek() == JsonKind::null) {
      if (!scanner_.skip_value()) return false;
    } else if (scanner_.peek() == JsonKind::number) {
      std::string_view number;
      if (!scanner_.read_number(number)) return false;
      entry.value = spec::limit_from_json_number(known->limit, number);
      if (!entry.value) return scanner_.reject(spec::allowed_values(known->limit));
    } else {
      std::string text;
      if (!scanner_.read_string(text, spec::allowed_values(known->limit))) return false;
      entry.value = spec::limit_from_json_string(known->limit, text);
      if (!entry.value) return scanner_.reject(spec::allowed_values(known->limit));
    }
    out.push_back(std::move(entry));
    return true;
  }

  bool size(std::uint64_t& out) {
    std::string text;
    if (scanner_.peek() == JsonKind::number) {
      std::string_view number;
      if (!scanner_.read_number(number)) return false;
      text = number;
    } else if (!scanner_.read_string(text, kSizes)) {
      return false;
    }
    const auto bytes = spec::parse_quantity(LimitUnit::bytes, text);
    if (!bytes || *bytes == 0 || *bytes > kMaxBytes) return scanner_.reject(kSizes);
    out = *bytes;
    return true;
  }

  bool network() {
    std::string text;
    if (!string(text)) return false;
    if (text != "none" && text != "host") return scanner_.reject("\"none\" or \"host\"");
    file_.network = text == "host" ? Network::host : Network::none;
    return true;
  }

  bool environment() {
    return object(kEnvironmentKeys, [this](const std::string& key) {
      if (key == "why") return ignore_text();
      if (key == "allow") return array([this] { return allowed_variable(); });
      return fixed_variables();
    });
  }

  bool allowed_variable() {
    std::string name;
    if (!string(name)) return false;
    if (!is_variable(name, true)) return scanner_.reject("a variable's name, or a prefix and '*'");
    file_.env_allow.push_back(std::move(name));
    return true;
  }

  bool fixed_variables() {
    if (!scanner_.enter_object()) return false;
    std::string_view name;
    while (scanner_.next_member(name)) {
      EnvVar variable{std::string(name), {}};
      if (!is_variable(variable.name, false))
        return scanner_.reject("a variable's name", quote_for_message(variable.name));
      if (!string(variable.value)) return false;
      file_.env_set.push_back(std::move(variable));
    }
    return scanner_.ok();
  }

  bool mount() {
    MountEntry entry;
    entry.where = where();
    std::string type;
    const bool read = object(kMountKeys, [&](const std::string& key) {
      if (key == "why") return ignore_text();
      if (key == "type") return string(type) && (mount_kind(type, entry.mount.kind) || scanner_.reject(kMountTypes));
      if (key == "size") return size(entry.mount.size_bytes);
      if (key == "optional") return scanner_.read_boolean(entry.mount.optional);
      return path(key == "source" ? entry.mount.source : entry.mount.target);
    });
    return read && complete(entry.mount, type) && add(std::move(entry));
  }

  static bool mount_kind(std::string_view type, MountKind& kind) {
    static constexpr std::array<std::string_view, 3> kNames{"ro-bind", "bind", "tmpfs"};
    const auto known = std::find(kNames.begin(), kNames.end(), type);
    kind = static_cast<MountKind>(known - kNames.begin());
    return known != kNames.end();
  }

  bool path(std::string& out) {
    if (!string(out)) return false;
    return is_absolute(out) || scanner_.reject("an absolute path without \"..\"");
  }

  bool complete(Mount& mount, const std::string& type) {
    if (type.empty()) return scanner_.reject(kMountTypes, "a mount without a \"type\"");
    const bool tmpfs = mount.kind == MountKind::tmpfs;
    if (tmpfs && !mount.source.empty()) return scanner_.reject("no \"source\" in a tmpfs", "one");
    if (!tmpfs && mount.source.empty()) return scanner_.reject("a \"source\"", "a bind without one");
    if (!tmpfs && mount.size_bytes != 0) return scanner_.reject("no \"size\" in a bind", "one");
    if (mount.target.empty()) mount.target = mount.source;
    if (mount.target.empty()) return scanner_.reject("a \"target\"", "a tmpfs without one");
    return mount.target != "/" || scanner_.reject("a target below /", "/ itself (that is \"rootfs\")");
  }

  bool add(MountEntry entry) {
    const auto same = [&](const MountEntry& other) { return other.mount.target == entry.mount.target; };
    if (std::any_of(file_.mounts.begin(), file_.mounts.end(), same)) {
      return scanner_.reject("one mount for each target", "a second one for " + quote_for_message(entry.mount.target));
    }
    file_.mounts.push_back(std::move(entry));
    return true;
  }

  bool rootfs() {
    std::string text;
    if (!string(text)) return false;
    if (text != "host" && !is_absolute(text)) return scanner_.reject("\"host\" or an absolute path without \"..\"");
    file_.rootfs = std::move(text);
    return true;
  }

  bool seccomp() {
    if (scanner_.peek() == JsonKind::string) return reference(file_.seccomp_from);
    if (scanner_.peek() != JsonKind::object) return scanner_.reject("a seccomp profile, or the name of one");
    std::string_view raw;
    if (!scanner_.skip_value(raw)) return false;
    file_.seccomp_json = std::string(raw);
    return true;
  }

  static constexpr std::string_view kMountTypes = "\"ro-bind\", \"bind\" or \"tmpfs\"";

  spec::JsonScanner scanner_;
  const std::string& origin_;
  PolicyFile file_;
};

}  // namespace

Result<PolicyFile> read_policy_file(std::string_view text, const std::string& origin) {
  return Reader(text, origin).read();
}

}  // namespace helios::policy
