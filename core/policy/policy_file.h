/// One policy file as written, before `extends` is followed: what it says, and where it says it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "helios/error.h"
#include "helios/limits.h"
#include "helios/request.h"

namespace helios::policy {

/// `value` is empty for null: "not limited", which takes back what an extended policy says.
struct LimitEntry {
  Limit limit{};
  std::optional<std::uint64_t> value;
  std::string where;  ///< "FILE:LINE:COL: /pointer"
};

struct MountEntry {
  Mount mount;
  std::string where;
};

/// A name of another policy or file, and where it stands.
struct Reference {
  std::string name;
  std::string where;
};

/// Absent: the file does not say.
struct PolicyFile {
  std::optional<Reference> extends;
  std::vector<LimitEntry> limits;
  std::vector<LimitEntry> ceilings;
  std::optional<Network> network;
  std::vector<std::string> env_allow;
  std::vector<EnvVar> env_set;
  std::vector<MountEntry> mounts;
  std::optional<std::string> rootfs;
  std::optional<std::uint64_t> tmp_bytes;
  std::optional<std::uint64_t> shm_bytes;
  std::optional<bool> nested_user_namespaces;
  std::optional<std::string> seccomp_json;  ///< the bytes of the section as they stand in the file
  std::optional<Reference> seccomp_from;
};

/// `origin` names the file in messages. Errors: invalid_policy, "ORIGIN:LINE:COL: /pointer: expected …, found …".
[[nodiscard]] Result<PolicyFile> read_policy_file(std::string_view text, const std::string& origin);

}  // namespace helios::policy
