/// The file or stream a spec is read from.
///
/// It is read, not mapped: a mapped file that is cut short while we read it would end the process with SIGBUS, and what
/// is hashed would not have to be what was parsed. The reader holds a window of 256 KiB, so nothing is gained by
/// mapping.
#pragma once

#include <cstdint>
#include <string>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::spec {

inline constexpr std::uint64_t kMaxSpecBytes = std::uint64_t{1} << 30;  ///< five times a job of a million chunks

/// `origin` is what messages call it.
struct SpecFile {
  sys::UniqueFd fd;
  std::string origin;
};

/// Opens a regular file (symbolic links are followed: the path is the caller's). "-" is standard input, called
/// "<stdin>", whatever it is. Never blocks: a directory, FIFO or device is refused. Errors: not_found, invalid_spec
/// (not a regular file, empty, larger than kMaxSpecBytes), io.
[[nodiscard]] Result<SpecFile> open_spec_file(const std::string& path);

}  // namespace helios::spec
