/// The name of a run group's child that holds the processes on v2. No includes: the guardian has no C library.
#pragma once

namespace helios::cgroup {

inline constexpr char kLeaf[] = "run";

}  // namespace helios::cgroup
