#include <array>

#include "core/cgroup/cgroup.h"

namespace helios::cgroup {

std::string_view name(Version v) {
  constexpr std::array<std::string_view, 4> kNames{"none", "v1", "v2", "mixed"};
  return kNames[static_cast<std::size_t>(v)];
}

std::string_view name(Controller c) {
  constexpr std::array<std::string_view, kControllerCount> kNames{"memory", "cpu", "cpuacct", "pids", "io", "cpuset"};
  return kNames[static_cast<std::size_t>(c)];
}

}  // namespace helios::cgroup
