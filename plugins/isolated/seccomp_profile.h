/// The OCI/Docker seccomp profile as values: JSON in, rules with system call names out. Knows no numbers and no BPF.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "helios/error.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::isolated {

enum class Comparison { ne, lt, le, eq, ge, gt, masked_eq };

/// One test of an argument. masked_eq is `(argument & value) == (value_two & value)`, as libseccomp has it.
struct ArgumentTest {
  unsigned index{0};
  Comparison op{Comparison::eq};
  std::uint64_t value{0};
  std::uint64_t value_two{0};
  bool operator==(const ArgumentTest&) const = default;
};

/// Shape: `tests` are ANDed; empty means "whatever the arguments". `action` is a SECCOMP_RET_ value with its data.
struct ProfileRule {
  std::vector<std::string> names;
  std::uint32_t action{0};
  std::vector<ArgumentTest> tests;
  std::string pointer;  ///< JSON pointer, for messages
};

/// Only the rules whose `includes` and `excludes` hold in the environment, in the order of the file.
struct SeccompProfile {
  std::uint32_t default_action{0};
  std::vector<ProfileRule> rules;
  bool asks_for_kernel{false};  ///< some rule has minKernel: the rules differ from kernel to kernel
};

/// Errors: invalid_policy, with the JSON pointer or, for malformed JSON, the byte.
[[nodiscard]] Result<SeccompProfile> read_seccomp_profile(std::string_view json, const FilterEnvironment& environment);

}  // namespace helios::isolated
