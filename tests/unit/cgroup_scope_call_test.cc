#include <gtest/gtest.h>

#include <cstdint>

#include "core/cgroup/systemd_scope.h"

namespace helios::cgroup {
namespace {

std::uint32_t u32(const std::string& bytes, std::size_t at) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i) v |= std::uint32_t{static_cast<unsigned char>(bytes.at(at + i))} << (8 * i);
  return v;
}

// Layout from the D-Bus specification, "Message Format"; the call itself is tested against systemd in tests/vm.
TEST(MarshalCall, HeaderDescribesTheBody) {
  const std::string body = "\x02\x00\x00\x00xy\x00";
  const std::string message = dbus::marshal({"a.b", "/p", "a.i", "M", "s", std::string_view(body.data(), 7)}, 5);
  EXPECT_EQ(message.substr(0, 4), std::string("l\x01\x00\x01", 4));
  EXPECT_EQ(u32(message, 4), 7U);
  EXPECT_EQ(u32(message, 8), 5U);
  const std::size_t body_at = (16 + u32(message, 12) + 7) / 8 * 8;
  EXPECT_EQ(message.size(), body_at + 7);
  EXPECT_EQ(message.substr(16, 8), std::string("\x01\x01o\x00\x02\x00\x00\x00", 8));
  for (const char* part : {"a.b", "/p", "a.i", "M"}) EXPECT_NE(message.find(part), std::string::npos) << part;
}

TEST(MarshalCall, LeavesTheSignatureOutWithoutABody) {
  const std::string with = dbus::marshal({"a.b", "/p", "a.i", "M", "s", ""}, 1);
  const std::string without = dbus::marshal({"a.b", "/p", "a.i", "M", "", ""}, 1);
  EXPECT_GT(with.size(), without.size());
  EXPECT_EQ(without.size() % 8, 0U);
}

TEST(ScopeBody, ArrayLengthsCoverTheirElements) {
  const std::string body = dbus::scope_body("helios-1.scope", 4711);
  EXPECT_EQ(u32(body, 0), 14U);
  EXPECT_EQ(body.substr(4, 15), std::string("helios-1.scope\0", 15));
  std::size_t at = (4 + 15 + 3) / 4 * 4;
  EXPECT_EQ(u32(body, at), 4U);
  EXPECT_EQ(body.substr(at + 4, 5), std::string("fail\0", 5));
  at = (at + 4 + 5 + 3) / 4 * 4;
  const std::size_t first = (at + 4 + 7) / 8 * 8;
  const std::size_t end = first + u32(body, at);
  EXPECT_EQ(u32(body, end - 4), 4711U);  // PIDs is the last property
  EXPECT_EQ(u32(body, end - 8), 4U);
  EXPECT_EQ(body.find("Delegate") < end, true);
  EXPECT_EQ(u32(body, (end + 3) / 4 * 4), 0U);
}

TEST(PropertyCall, NamesInterfaceAndProperty) {
  EXPECT_EQ(dbus::property_body("a.b", "Cd"), std::string("\x03\0\0\0a.b\0\x02\0\0\0Cd\0", 15));
}

TEST(PropertyCall, ReadsABooleanAndNothingElse) {
  EXPECT_EQ(dbus::boolean_of(std::string_view("\1b\0\0\1\0\0\0", 8)), true);
  EXPECT_EQ(dbus::boolean_of(std::string_view("\1b\0\0\0\0\0\0", 8)), false);
  EXPECT_EQ(dbus::boolean_of(std::string_view("\1u\0\0\1\0\0\0", 8)), std::nullopt) << "another type";
  EXPECT_EQ(dbus::boolean_of(std::string_view("\1b\0\0", 4)), std::nullopt) << "cut";
  EXPECT_EQ(dbus::boolean_of(""), std::nullopt);
}

TEST(PropertyCall, KnowsTheKindOfAUnitByItsGroup) {
  EXPECT_EQ(dbus::unit_interface("/a/user@1000.service/app.slice/run-1.scope"), "org.freedesktop.systemd1.Scope");
  EXPECT_EQ(dbus::unit_interface("/a/user@1000.service/app.slice/x.service/leaf"), "org.freedesktop.systemd1.Service");
  EXPECT_EQ(dbus::unit_interface("/user.slice"), "");
}

}  // namespace
}  // namespace helios::cgroup
