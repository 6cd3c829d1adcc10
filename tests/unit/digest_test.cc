// SHA-256 against FIPS 180-4's examples, in whatever pieces the bytes come and whatever code the processor allows.

#include <gtest/gtest.h>

#include "core/digest/sha256.h"

namespace helios::digest {
namespace {

TEST(Sha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, IsTheSameInPieces) {
  const std::string text(1'000'000, 'a');
  Sha256 sum;
  std::string_view rest = text;
  for (std::size_t n = 1; !rest.empty(); n = n * 3 % 1009 + 1) {
    const std::string_view piece = rest.substr(0, n);
    sum.update(piece);
    rest.remove_prefix(piece.size());
  }
  EXPECT_EQ(sum.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace helios::digest
