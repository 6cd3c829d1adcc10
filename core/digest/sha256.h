/// SHA-256 of memory, of an open file, or of bytes as they come. Results are 64 lower-case hex digits.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "helios/error.h"

namespace helios::digest {

class Sha256 {
 public:
  Sha256() noexcept;
  void update(std::string_view bytes) noexcept;
  /// Ends the computation; the object is not to be used again.
  [[nodiscard]] std::string hex() noexcept;

 private:
  alignas(16) std::array<unsigned char, 128> state_;  // holds OpenSSL's SHA256_CTX (112 bytes)
};

[[nodiscard]] std::string sha256_hex(std::string_view bytes);

/// Of the rest of the file from its current position. Errors: io.
[[nodiscard]] Result<std::string> sha256_of_fd(int fd);

}  // namespace helios::digest
