/// Files that only root or the caller could have written: policies, compiled filters.
#pragma once

#include <cstddef>
#include <string>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::sys {

/// A regular file, opened for reading, that nobody but root or the caller can have changed or replaced: it and every
/// folder above it belong to one of the two and nobody else can write them (a sticky folder such as /tmp may be
/// writable). Symbolic links are followed, and the place they lead to is what is checked.
/// Errors: not_found, io; `refused` with the reason and the remedy when another user could have written it.
[[nodiscard]] Result<UniqueFd> open_trusted(const std::string& path, ErrorCode refused);

/// Its text, at most `max_bytes`.
[[nodiscard]] Result<std::string> read_trusted(const std::string& path, std::size_t max_bytes, ErrorCode refused);

}  // namespace helios::sys
