/// Does this host have swap at all, and does the kernel count it?
#pragma once

#include <string>
#include <string_view>

namespace helios::cgroup {

inline constexpr std::string_view kNoSwap = "host has no swap";

/// From /proc/swaps; unreadable counts as "has some".
[[nodiscard]] bool host_has_swap();
/// Is there a memory.memsw.limit_in_bytes at (the nearest existing group above) `parent`?
[[nodiscard]] bool v1_counts_swap(const std::string& parent);

}  // namespace helios::cgroup
