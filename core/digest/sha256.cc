#include "core/digest/sha256.h"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <new>

// The low-level functions are deprecated in favour of EVP, which loads providers at first use (about 1 ms a process);
// these compute the same with the same assembler and no set-up.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

// The linker (--wrap, see CMakeLists.txt) sends libcrypto's initialiser to the first, which does nothing, and the
// second to what the initialiser would have called.
extern "C" void __wrap_OPENSSL_cpuid_setup() {}  // NOLINT(bugprone-reserved-identifier): the linker's name
extern "C" void __real_OPENSSL_cpuid_setup();    // NOLINT(bugprone-reserved-identifier)

namespace helios::digest {
namespace {

/// Lets OpenSSL choose the fastest code for this processor: some 2 GB/s with SHA instructions, a fifth of that without.
void look_at_processor() noexcept {
  [[maybe_unused]] static const bool done = (__real_OPENSSL_cpuid_setup(), true);
}

SHA256_CTX* context(std::array<unsigned char, 128>& state) {
  static_assert(sizeof(SHA256_CTX) <= sizeof(state));
  return std::launder(reinterpret_cast<SHA256_CTX*>(state.data()));
}
}  // namespace

Sha256::Sha256() noexcept : state_{} {
  look_at_processor();
  SHA256_Init(new (state_.data()) SHA256_CTX);
}

void Sha256::update(std::string_view bytes) noexcept { SHA256_Update(context(state_), bytes.data(), bytes.size()); }

std::string Sha256::hex() noexcept {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> raw{};
  SHA256_Final(raw.data(), context(state_));
  std::string out;
  out.reserve(2 * raw.size());
  for (const unsigned char b : raw) {
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 h;
  h.update(bytes);
  return h.hex();
}

Result<std::string> sha256_of_fd(int fd) {
  constexpr std::size_t kChunk = 256 * 1024;
  const auto buffer = std::make_unique<char[]>(kChunk);
  Sha256 h;
  for (;;) {
    const ssize_t n = ::read(fd, buffer.get(), kChunk);
    if (n == 0) return h.hex();
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(ErrorCode::io, "read for sha256", errno);
    h.update({buffer.get(), static_cast<std::size_t>(n)});
  }
}

}  // namespace helios::digest
