/// The limits in force, where programs look for them. There is no /sys in the sandbox; Node, .NET, Go and others size
/// their heaps and thread pools by the files of their control group, and would size them by the whole machine instead.
#pragma once

#include <vector>

#include "core/cgroup/cgroup.h"
#include "plugins/isolated/launch_plan.h"

namespace helios::isolated {

/// Plain files below /sys/fs/cgroup with the kernel's names and contents, made by helios-run and read-only as the rest
/// of the root: memory and CPU, in the layouts of both cgroup versions whatever the host has, because a program picks
/// by its own age (Node 18 knows only the old one). Empty: no such limit is in force.
[[nodiscard]] std::vector<RootStep> visible_limits(const std::vector<cgroup::LimitWrite>& writes);

}  // namespace helios::isolated
