// Compiled filters in files: written whole, checked whole, and only believed when nobody else could have written them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>

#include "core/digest/sha256.h"
#include "core/sys/file.h"
#include "core/sys/trusted_file.h"
#include "plugins/isolated/bpf.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::isolated {
namespace {

constexpr std::size_t kHexDigits = 64;
constexpr std::uint32_t kNestedUserNamespaces = 1;

/// A file is this, `count` instructions, and the sha256 (64 hex digits) of everything before it. Little-endian; files
/// do not travel between architectures.
struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t flags;
  std::array<char, kHexDigits> sha256_of_profile;
  std::array<char, 16> kernel;  ///< NUL-padded
  std::uint32_t allowed_calls;
  std::uint32_t count;
};
static_assert(std::is_trivially_copyable_v<Header> && sizeof(Header) == 104);

constexpr std::array<char, 8> kMagic{'H', 'E', 'L', 'I', 'O', 'S', 'F', '\n'};
/// Moves with the format and with anything that makes the compiler give another program for the same profile: the build
/// takes it from the compiler's sources and libseccomp's tables.
constexpr std::uint32_t kVersion = HELIOS_FILTER_COMPILER;
constexpr std::size_t kMaxFile = sizeof(Header) + BPF_MAXINSNS * sizeof(sock_filter) + kHexDigits;

bool is_hex_digest(std::string_view text) {
  return text.size() == kHexDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<SeccompProgram> decode(std::string_view bytes) {
  const auto damaged = [](const std::string& why) {
    return fail(ErrorCode::invalid_policy, "compiled filter: " + why);
  };
  Header header{};
  if (bytes.size() < sizeof(header) + kHexDigits) return damaged("cut short");
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kMagic) return damaged("not one of ours");
  if (header.version != kVersion) return damaged("made by another version");
  const std::size_t body = sizeof(header) + std::size_t{header.count} * sizeof(sock_filter);
  if (header.count > BPF_MAXINSNS || bytes.size() != body + kHexDigits) return damaged("cut short or too long");
  if (digest::sha256_hex(bytes.substr(0, body)) != bytes.substr(body)) return damaged("its checksum does not agree");
  SeccompProgram program;
  program.instructions.resize(header.count);
  if (header.count != 0) std::memcpy(program.instructions.data(), bytes.data() + sizeof(header), body - sizeof(header));
  if (auto sound = check_program(program.instructions); !sound) return damaged(sound.error().message);
  program.sha256_of_profile.assign(header.sha256_of_profile.data(), kHexDigits);
  program.kernel.assign(header.kernel.data(), ::strnlen(header.kernel.data(), header.kernel.size()));
  program.nested_user_namespaces = (header.flags & kNestedUserNamespaces) != 0;
  program.allowed_calls = header.allowed_calls;
  return program;
}

std::string encode(const SeccompProgram& program) {
  Header header{};
  header.magic = kMagic;
  header.version = kVersion;
  header.flags = program.nested_user_namespaces ? kNestedUserNamespaces : 0;
  program.sha256_of_profile.copy(header.sha256_of_profile.data(), kHexDigits);
  program.kernel.copy(header.kernel.data(), header.kernel.size());
  header.allowed_calls = program.allowed_calls;
  header.count = static_cast<std::uint32_t>(program.instructions.size());
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes.append(reinterpret_cast<const char*>(program.instructions.data()),
               program.instructions.size() * sizeof(sock_filter));
  return bytes + digest::sha256_hex(bytes);
}

FilterEnvironment environment_of(const SandboxProfile& profile) {
  FilterEnvironment environment;
  environment.nested_user_namespaces = profile.nested_user_namespaces;
  return environment;
}

/// Whether a stored program is what compiling the profile now would give.
bool fits(const SeccompProgram& program, const SandboxProfile& profile) {
  if (program.sha256_of_profile != profile.seccomp_sha256) return false;
  if (program.nested_user_namespaces != profile.nested_user_namespaces) return false;
  if (program.kernel.empty()) return true;
  const auto now = compile_seccomp(profile.seccomp_json, environment_of(profile));  // rare: the profile has minKernel
  return now && now->kernel == program.kernel;
}

enum class Damage { is_error, is_absence };

/// An empty program when there is none that fits.
Result<SeccompProgram> find_in(const std::string& folder, const SandboxProfile& profile, Damage damage) {
  const std::string path = folder + "/" + compiled_name(profile.seccomp_sha256, profile.nested_user_namespaces);
  if (::access(path.c_str(), F_OK) != 0) return SeccompProgram{};
  auto bytes = sys::read_trusted(path, kMaxFile, ErrorCode::invalid_policy);
  if (!bytes && bytes.error().code == ErrorCode::not_found) return SeccompProgram{};
  if (!bytes) return fail(bytes.error());
  auto program = decode(*bytes);
  if (!program && damage == Damage::is_absence) return SeccompProgram{};
  if (!program) return fail(program.error().while_doing(path));
  return fits(*program, profile) ? std::move(*program) : SeccompProgram{};
}

/// The cache is a convenience: where it cannot be written the run goes on without it.
void remember(const SeccompProgram& program, const std::string& cache_dir) {
  if (cache_dir.empty()) return;
  if (::mkdir(cache_dir.c_str(), 0700) != 0 && errno != EEXIST) return;
  static_cast<void>(store_compiled(
      program, cache_dir + "/" + compiled_name(program.sha256_of_profile, program.nested_user_namespaces)));
}

}  // namespace

std::string compiled_name(std::string_view profile_sha256, bool nested_user_namespaces) {
  return std::string(profile_sha256) + (nested_user_namespaces ? "-nested.bpf" : ".bpf");
}

Result<SeccompProgram> load_compiled(const std::string& path) {
  auto bytes = sys::read_trusted(path, kMaxFile, ErrorCode::invalid_policy);
  if (!bytes) return fail(bytes.error());
  auto program = decode(*bytes);
  if (!program) return fail(program.error().while_doing(path));
  return program;
}

Status store_compiled(const SeccompProgram& program, const std::string& path) {
  if (!is_hex_digest(program.sha256_of_profile)) {
    return fail(ErrorCode::invalid_argument, "store " + path + ": the program does not say which profile it is of");
  }
  const std::string draft = path + "." + std::to_string(::getpid());
  auto file = sys::open_file(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
  if (!file) return fail(file.error());
  Status done = sys::write_all(file->get(), encode(program));
  if (done && ::fchmod(file->get(), 0644) != 0) done = fail_errno(ErrorCode::io, "chmod " + draft, errno);
  if (done && ::rename(draft.c_str(), path.c_str()) != 0) done = fail_errno(ErrorCode::io, "rename " + draft, errno);
  if (!done) ::unlink(draft.c_str());
  return done;
}

Result<SeccompProgram> filter_for(const SandboxProfile& profile, const std::string& cache_dir) {
  if (!is_hex_digest(profile.seccomp_sha256)) {
    return fail(ErrorCode::invalid_argument, "the policy's seccomp profile has no sha256");
  }
  for (const std::string& folder : profile.filter_dirs) {
    auto built = find_in(folder, profile, Damage::is_error);
    if (!built || !built->instructions.empty()) return built;
  }
  if (!cache_dir.empty()) {
    auto cached = find_in(cache_dir, profile, Damage::is_absence);
    if (!cached || !cached->instructions.empty()) return cached;
  }
  auto program = compile_seccomp(profile.seccomp_json, environment_of(profile));
  if (!program) return program;
  if (program->sha256_of_profile != profile.seccomp_sha256) {
    return fail(ErrorCode::invalid_argument, "the policy's seccomp profile is not the one its sha256 names");
  }
  remember(*program, cache_dir);
  return program;
}

}  // namespace helios::isolated
