#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

#include "core/fetch/address.h"

namespace helios::fetch {
namespace {

/// A socket address of "192.0.2.1" or "2001:db8::1".
sockaddr_storage address_of(const std::string& text, socklen_t& length) {
  sockaddr_storage storage{};
  if (text.find(':') == std::string::npos) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), &v4.sin_addr), 1) << text;
    std::memcpy(&storage, &v4, length = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr), 1) << text;
    std::memcpy(&storage, &v6, length = sizeof v6);
  }
  return storage;
}

std::string verdict(const std::string& text) {
  socklen_t length = 0;
  const sockaddr_storage storage = address_of(text, length);
  return std::string(refused_address(reinterpret_cast<const sockaddr*>(&storage), length).value_or("public"));
}

TEST(RefusedAddress, LetsPublicAddressesPass) {
  for (const char* text :
       {"1.1.1.1",         "8.8.8.8",     "9.255.255.255",   "11.0.0.0",       "100.63.255.255",  "100.128.0.0",
        "126.255.255.255", "128.0.0.0",   "169.253.255.255", "169.255.0.0",    "172.15.255.255",  "172.32.0.0",
        "192.167.255.255", "192.169.0.0", "198.17.255.255",  "198.20.0.0",     "223.255.255.255", "2606:4700::1111",
        "2a00:1450::1",    "2003::1",     "3ffe::1",         "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"}) {
    EXPECT_EQ(verdict(text), "public") << text;
  }
}

TEST(RefusedAddress, RefusesEachSpecialBlockFromItsFirstToItsLastAddress) {
  for (const char* text : {"0.0.0.0",
                           "0.255.255.255",
                           "10.0.0.0",
                           "10.255.255.255",
                           "100.64.0.0",
                           "100.127.255.255",
                           "127.0.0.0",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.0.0",
                           "169.254.169.254",
                           "169.254.255.255",
                           "172.16.0.0",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.0.0",
                           "192.168.255.255",
                           "198.18.0.0",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::2",
                           "::127.0.0.1",
                           "fc00::1",
                           "fdff::1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff02::1",
                           "ff0e::1",
                           "100::1",
                           "2001::1",
                           "2001:1ff::1",
                           "2001:db8::1",
                           "2002:7f00:1::1",
                           "3fff::1",
                           "4000::1",
                           "5f00::1"}) {
    EXPECT_NE(verdict(text), "public") << text;
  }
}

TEST(RefusedAddress, LooksInsideMappedAndTranslatedAddresses) {
  EXPECT_EQ(verdict("::ffff:127.0.0.1"), "a loopback address");
  EXPECT_EQ(verdict("::ffff:169.254.169.254"), "a link-local address");
  EXPECT_EQ(verdict("64:ff9b::10.0.0.1"), "a private address");
  EXPECT_NE(verdict("64:ff9b:1::8.8.8.8"), "public");
}

TEST(RefusedAddress, NamesWhatItRefuses) {
  EXPECT_EQ(verdict("10.1.2.3"), "a private address");
  EXPECT_EQ(verdict("100.64.1.1"), "a carrier-grade NAT address");
  EXPECT_EQ(verdict("::1"), "a loopback address");
  EXPECT_EQ(verdict("fd00::1"), "a unique local address");
  EXPECT_EQ(verdict("fe80::1"), "a link-local address");
}

TEST(RefusedAddress, RefusesOtherFamiliesAndCutAddresses) {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  EXPECT_TRUE(refused_address(reinterpret_cast<const sockaddr*>(&local), sizeof local));
  socklen_t length = 0;
  const sockaddr_storage v4 = address_of("8.8.8.8", length);
  EXPECT_TRUE(refused_address(reinterpret_cast<const sockaddr*>(&v4), length - 1));
  EXPECT_TRUE(refused_address(nullptr, 0));
}

TEST(AddressText, IsTheUsualForm) {
  socklen_t length = 0;
  const sockaddr_storage v6 = address_of("fe80:0:0::1", length);
  EXPECT_EQ(address_text(reinterpret_cast<const sockaddr*>(&v6), length), "fe80::1");
}

}  // namespace
}  // namespace helios::fetch
