/// What a filter of ours refuses whatever the profile says, and which arguments the kernel takes as 32 bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace helios::isolated {

enum class LowTest { any_bit, equal, not_equal };

/// A test of the low 32 bits of an argument, or of the high ones: a pointer has both.
struct LowCondition {
  unsigned index{0};
  LowTest op{LowTest::equal};
  std::uint32_t value{0};
  bool high{false};
};

/// Answers `action` (a SECCOMP_RET_ value with its data) if all of `conditions` hold.
struct Refusal {
  std::vector<LowCondition> conditions;
  std::uint32_t action{0};
};

struct Hardening {
  std::optional<std::uint32_t> always;  ///< the answer to every such call
  std::vector<Refusal> refusals;        ///< looked at before the profile's own rules
};

/// Empty for most calls.
[[nodiscard]] Hardening hardening_of(std::string_view syscall, bool nested_user_namespaces);

/// Bit i is set if the kernel only looks at the low 32 bits of argument i: a filter that compares all 64 would let
/// `socket(40 | 1 << 32, …)` through a rule against 40.
[[nodiscard]] unsigned narrow_arguments(std::string_view syscall);

}  // namespace helios::isolated
