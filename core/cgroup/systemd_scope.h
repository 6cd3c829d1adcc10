/// Asking systemd for a delegated scope, and whether a unit is delegated: D-Bus calls over the socket, without
/// libsystemd.
#pragma once

#include <sys/types.h>

#include <optional>
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

/// Has the unit that this process is in Delegate=yes, by the manager that serves `uid`? `group`: the process's own,
/// whose path names the unit's kind. Nothing: nobody could be asked, or the answer was no yes and no no.
[[nodiscard]] std::optional<bool> unit_is_delegated(uid_t uid, std::string_view group);

namespace dbus {
/// A method call as it goes over the wire (D-Bus specification, little endian). `body` is already marshalled.
struct Call {
  std::string_view destination, path, interface, member, signature;
  std::string_view body;
};
[[nodiscard]] std::string marshal(const Call& call, std::uint32_t serial);
/// Body of StartTransientUnit for a scope that takes `pid`: signature "ssa(sv)a(sa(sv))".
[[nodiscard]] std::string scope_body(const std::string& name, std::uint32_t pid);
/// Body of Properties.Get: signature "ss".
[[nodiscard]] std::string property_body(std::string_view interface, std::string_view property);
/// The boolean in the body of its reply (signature "v"); nothing: it holds no boolean.
[[nodiscard]] std::optional<bool> boolean_of(std::string_view body);
/// The interface of the unit that `group` lies in, such as "org.freedesktop.systemd1.Scope"; empty: its kind has no
/// Delegate=.
[[nodiscard]] std::string unit_interface(std::string_view group);
}  // namespace dbus

}  // namespace helios::cgroup
