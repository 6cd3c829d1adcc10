#include "core/fetch/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace helios::fetch {
namespace {

using Bytes = std::array<std::uint8_t, 16>;  // network order; IPv4 uses the first four

struct Block {
  Bytes prefix;
  unsigned bits;
  std::string_view what;
};

constexpr Block kSpecialV4[] = {
    {{0}, 8, "an address of \"this network\""},
    {{10}, 8, "a private address"},
    {{100, 64}, 10, "a carrier-grade NAT address"},
    {{127}, 8, "a loopback address"},
    {{169, 254}, 16, "a link-local address"},
    {{172, 16}, 12, "a private address"},
    {{192, 0, 0}, 24, "a protocol assignment"},
    {{192, 0, 2}, 24, "a documentation address"},
    {{192, 88, 99}, 24, "a 6to4 relay"},
    {{192, 168}, 16, "a private address"},
    {{198, 18}, 15, "a benchmarking address"},
    {{198, 51, 100}, 24, "a documentation address"},
    {{203, 0, 113}, 24, "a documentation address"},
    {{224}, 4, "a multicast address"},
    {{240}, 4, "a reserved address"},
};

// What is outside of 2000::/3 gets its name here; the block itself has special parts too.
constexpr Block kSpecialV6[] = {
    {{0x20, 0x01}, 23, "a protocol assignment"},  // Teredo, ORCHID, benchmarking …
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "a documentation address"},
    {{0x20, 0x02}, 16, "a 6to4 address"},
    {{0x3f, 0xff}, 20, "a documentation address"},
    {{0xfc}, 7, "a unique local address"},
    {{0xfe, 0x80}, 10, "a link-local address"},
    {{0xfe, 0xc0}, 10, "a site-local address"},
    {{0xff}, 8, "a multicast address"},
};
constexpr Block kGlobalUnicast{{0x20}, 3, ""};
constexpr Block kMapped{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, ""};  // ::ffff:a.b.c.d
constexpr Block kNat64{{0x00, 0x64, 0xff, 0x9b}, 96, ""};                     // 64:ff9b::a.b.c.d
constexpr Bytes kLoopbackV6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

constexpr bool within(const Bytes& address, const Block& block) {
  unsigned bits = block.bits;
  for (std::size_t i = 0; bits > 0; ++i) {
    const unsigned here = bits < 8 ? bits : 8;
    const auto mask = static_cast<std::uint8_t>(0xff00U >> here);
    if ((address[i] & mask) != (block.prefix[i] & mask)) return false;
    bits -= here;
  }
  return true;
}

std::optional<std::string_view> refused_v4(const Bytes& address) {
  for (const Block& block : kSpecialV4) {
    if (within(address, block)) return block.what;
  }
  return std::nullopt;
}

Bytes embedded_v4(const Bytes& address) { return {address[12], address[13], address[14], address[15]}; }

std::optional<std::string_view> refused_v6(const Bytes& address) {
  if (within(address, kMapped) || within(address, kNat64)) return refused_v4(embedded_v4(address));
  if (address == kLoopbackV6) return "a loopback address";
  for (const Block& block : kSpecialV6) {
    if (within(address, block)) return block.what;
  }
  if (!within(address, kGlobalUnicast)) return "not a public address";
  return std::nullopt;
}

std::optional<Bytes> bytes_of(const sockaddr* address, socklen_t length) noexcept {
  Bytes bytes{};
  if (address == nullptr || length < sizeof(sa_family_t)) return std::nullopt;
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    std::memcpy(bytes.data(), &v4.sin_addr, sizeof v4.sin_addr);
    return bytes;
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    std::memcpy(bytes.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
    return bytes;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> refused_address(const sockaddr* address, socklen_t length) noexcept {
  const std::optional<Bytes> bytes = bytes_of(address, length);
  if (!bytes) return "neither an IPv4 nor an IPv6 address";
  return address->sa_family == AF_INET ? refused_v4(*bytes) : refused_v6(*bytes);
}

std::string address_text(const sockaddr* address, socklen_t length) {
  const std::optional<Bytes> bytes = bytes_of(address, length);
  char text[INET6_ADDRSTRLEN] = "";
  if (!bytes || ::inet_ntop(address->sa_family, bytes->data(), text, sizeof text) == nullptr)
    return "(unknown address)";
  return text;
}

}  // namespace helios::fetch
