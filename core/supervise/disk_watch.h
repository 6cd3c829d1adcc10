/// Growth of a directory tree, for hosts without quotas. Nothing in the tree is followed or trusted.
#pragma once

#include <cstdint>
#include <string>

#include "helios/error.h"

namespace helios::supervise {

struct DiskUse {
  std::uint64_t bytes{0};  ///< allocated (st_blocks), hard links once per name
  std::uint64_t files{0};  ///< entries of any kind
};

/// Walks `root` without leaving its file system. Entries that vanish meanwhile are skipped; more than `max_files` or
/// `max_bytes` ends the walk early with what was found so far.
[[nodiscard]] Result<DiskUse> measure_disk(const std::string& root, std::uint64_t max_bytes = UINT64_MAX,
                                           std::uint64_t max_files = UINT64_MAX);

}  // namespace helios::supervise
