/// The folder that becomes the command's root file system.
#pragma once

#include <string>

#include "helios/error.h"

namespace helios::isolated {

/// `dir` itself, or, where `dir` is an OCI bundle (config.json beside rootfs/: what `umoci unpack` and
/// `runc spec` make), its rootfs/. Of config.json only the presence counts: what a run may do stands in the policy.
/// Errors: not_found; invalid_argument for what is no directory, for an image that was not unpacked yet, and for a path
/// that overlay does not take.
[[nodiscard]] Result<std::string> find_rootfs(const std::string& dir);

}  // namespace helios::isolated
