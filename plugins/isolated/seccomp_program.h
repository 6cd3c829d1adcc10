/// Seccomp filters: from an OCI/Docker profile to a classic-BPF program, its file format, and what it answers.
///
/// libseccomp's only home: it knows the names of system calls. The program is ours, because libseccomp's takes 2.6 ms
/// to build and 0.6 ms to load, ours 0.1 ms, and because of how it combines rules about arguments (docs/policies.md).
/// In the tests libseccomp's own filters are what ours are compared with.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "helios/error.h"
#include "helios/request.h"

namespace helios::isolated {

/// What a profile's conditions are held against, and what the compiler adds.
struct FilterEnvironment {
  std::vector<std::string> caps;       ///< capabilities of the command, "CAP_SYS_ADMIN"; none in a sandbox of ours
  std::string arch;                    ///< "x86_64" or "aarch64"; empty: this program's
  std::string kernel;                  ///< for minKernel, "6.12"; empty: the running one's
  bool nested_user_namespaces{false};  ///< leaves namespaces to the profile
  bool harden{true};                   ///< the refusals that hold whatever the profile says (docs/policies.md)
  bool strict_names{false};            ///< an unknown system call is an error with the nearest name, not skipped
};

/// A compiled classic-BPF program: plain instructions as seccomp(2) takes them.
struct SeccompProgram {
  std::vector<sock_filter> instructions;
  std::string sha256_of_profile;  ///< of the profile's text, lower-case hex
  std::string kernel;             ///< "MAJOR.MINOR" it was compiled for; empty: it is the same for all
  bool nested_user_namespaces{false};
  unsigned allowed_calls{0};  ///< calls that are let through, at least with some arguments
};

/// Errors: invalid_policy (malformed profile, no unconditional execve), unsupported (architecture).
[[nodiscard]] Result<SeccompProgram> compile_seccomp(std::string_view oci_profile_json, const FilterEnvironment&);

/// Names in the profile that no table knows; each as "/syscalls/3: 'opne' … nearest". Empty: all are known.
[[nodiscard]] Result<std::vector<std::string>> unknown_syscalls(std::string_view oci_profile_json);

/// One line per system call that the profile treats other than by default: "NAME ACTION" or "NAME ACTION if …", sorted
/// by name. What two profiles are compared by.
[[nodiscard]] Result<std::vector<std::string>> describe_profile(std::string_view oci_profile_json,
                                                                const FilterEnvironment&);

/// Reads a compiled filter and checks it whole. Errors: not_found, io, invalid_policy (damaged, made by another
/// version of this compiler, or writable by another user).
[[nodiscard]] Result<SeccompProgram> load_compiled(const std::string& path);
/// Writes beside the target and renames: readers see all or nothing.
[[nodiscard]] Status store_compiled(const SeccompProgram&, const std::string& path);
/// The name a compiled filter has in every folder.
[[nodiscard]] std::string compiled_name(std::string_view profile_sha256, bool nested_user_namespaces);

/// The filter of a run: one in `profile.filter_dirs`, else one in `cache_dir` (0700 of the caller's; empty: none),
/// else compiled and put there. A damaged file in the cache is compiled anew; any file another user could have
/// written is an error.
[[nodiscard]] Result<SeccompProgram> filter_for(const SandboxProfile& profile, const std::string& cache_dir);

/// The same program, but what it would refuse is asked about: each errno (but ENOSYS, which is how libraries find out
/// what a kernel has), kill, trap and trace becomes SECCOMP_RET_USER_NOTIF.
[[nodiscard]] SeccompProgram with_user_notification(const SeccompProgram&);

/// For learning: the same program, but every answer other than SECCOMP_RET_ALLOW is asked about. `evaluate` on the
/// program itself then tells what was meant: SECCOMP_RET_LOG is let through and recorded.
[[nodiscard]] SeccompProgram with_learning_notification(const SeccompProgram&);

/// What the kernel would answer, as SECCOMP_RET_ value with its data. [any thread]
[[nodiscard]] std::uint32_t evaluate(const SeccompProgram&, const seccomp_data&);

/// "openat"; "openat (32-bit)" and "openat (x32)" for the other entries; "syscall 999" for a number without a name.
/// `arch` is an AUDIT_ARCH_ value, as a notification has it.
[[nodiscard]] std::string syscall_name(std::int64_t number, std::uint32_t arch);
/// -1 if no table knows it, or this architecture lacks it.
[[nodiscard]] int syscall_number(const std::string& name);
/// "EPERM"; "errno 4000" for a number without a name.
[[nodiscard]] std::string errno_name(int number);

}  // namespace helios::isolated
