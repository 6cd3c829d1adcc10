/// Which network addresses a spec's URL may lead to. Source: the IANA special-purpose address registries (RFC 6890).
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>

namespace helios::fetch {

/// Why `address` is not an address of the public internet ("a loopback address"), or nothing if it is one.
/// IPv6 is public only within 2000::/3 and outside its special blocks. An IPv4 address inside of an IPv6 one (mapped,
/// NAT64) is judged as itself. Anything that is neither IPv4 nor IPv6, or cut short, is refused. [any thread]
[[nodiscard]] std::optional<std::string_view> refused_address(const sockaddr* address, socklen_t length) noexcept;

/// "192.0.2.1", "fe80::1"; "(unknown address)" for other families.
[[nodiscard]] std::string address_text(const sockaddr* address, socklen_t length);

}  // namespace helios::fetch
