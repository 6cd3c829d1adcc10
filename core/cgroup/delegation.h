/// v2: making a group usable as the parent of run groups, without rewriting anybody else's tree.
#pragma once

#include <string>
#include <string_view>

#include "core/cgroup/cgroup.h"

namespace helios::cgroup {

/// The leaf that a delegated group's own processes move into, so that its children may have controllers.
inline constexpr std::string_view kSupervisor = "supervisor";

/// Was `directory` handed to us? A user: directory, cgroup.procs and cgroup.subtree_control are writable. Root, who may
/// write anywhere: systemd's mark (xattr user.delegate=1), or the root of a container's own cgroup namespace.
[[nodiscard]] bool is_delegated(const std::string& directory, uid_t uid, const std::string& top);
/// Is systemd the host's PID 1?
[[nodiscard]] bool systemd_runs();
/// Is `top` the real root of the hierarchy (exempt from the "no internal processes" rule)?
[[nodiscard]] bool is_real_root(const std::string& top);
/// errno of access(2) for writing with our effective ids, 0 when writable.
[[nodiscard]] int why_not_writable(const std::string& path);

/// Does what `placement.entry()` says and returns the directory in which run groups can be made. Idempotent; safe
/// against other threads and other helios-run processes in the same group.
/// Errors: setup_failed or unsupported, with the remedy.
[[nodiscard]] Result<std::string> enter(const Placement& placement);

}  // namespace helios::cgroup
