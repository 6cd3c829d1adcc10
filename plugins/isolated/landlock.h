/// The second fence around files: Landlock rules that hold even if a mount were wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace helios::isolated {

struct LandlockAccess {
  std::string path;  ///< as seen inside
  std::uint64_t access{0};
};

struct LandlockPlan {
  int abi{0};
  std::uint64_t handled_fs{0}, scope{0};
  std::vector<LandlockAccess> rules;
};

/// The kernel's Landlock ABI; 0 when it has none (or it is off).
[[nodiscard]] int landlock_abi();

/// Read and execute everywhere, write only beneath `writable`; signals and abstract sockets stay inside where the ABI
/// can say so (6, Linux 6.12).
[[nodiscard]] LandlockPlan plan_landlock(int abi, const std::vector<std::string>& writable);

}  // namespace helios::isolated
