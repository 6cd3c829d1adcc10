/// `--workspace-ids=chown`: the workspace is handed to the run's id and back, where the file system cannot be
/// id-mapped.
#pragma once

#include <cstdint>
#include <string>

#include "helios/error.h"

namespace helios::isolated {

struct Owner {
  std::uint32_t uid{0}, gid{0};
};

/// Gives everything beneath `root` (itself too) that belongs to `from` to `to`. Follows no link, leaves no file system.
/// Errors: io, naming the first entry that could not be changed.
[[nodiscard]] Status hand_over(const std::string& root, Owner from, Owner to);

}  // namespace helios::isolated
