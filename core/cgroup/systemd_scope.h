/// Asking systemd for a delegated scope: one D-Bus call over the socket, without libsystemd.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "helios/error.h"

namespace helios::cgroup {

/// Sockets on which a manager that would serve `uid` may listen, best first. Existing ones only.
[[nodiscard]] std::vector<std::string> systemd_sockets(uid_t uid);

/// Moves this process into a new transient scope `name` (… .scope) with Delegate=yes. The scope vanishes with its last
/// process. Errors: unsupported, quoting systemd's answer.
[[nodiscard]] Status move_into_scope(uid_t uid, const std::string& name);

namespace dbus {
/// A method call as it goes over the wire (D-Bus specification, little endian). `body` is already marshalled.
struct Call {
  std::string_view destination, path, interface, member, signature;
  std::string_view body;
};
[[nodiscard]] std::string marshal(const Call& call, std::uint32_t serial);
/// Body of StartTransientUnit for a scope that takes `pid`: signature "ssa(sv)a(sa(sv))".
[[nodiscard]] std::string scope_body(const std::string& name, std::uint32_t pid);
}  // namespace dbus

}  // namespace helios::cgroup
