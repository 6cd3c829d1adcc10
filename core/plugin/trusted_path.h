/// Could another user have put something else there? Asked before anything is loaded or believed.
#pragma once

#include <string>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::plugin {

/// A regular file that only root or the caller can have written, open for reading.
/// `path` is absolute and holds no symbolic link; while nobody but these two acts, it names the same file as `fd`.
struct TrustedFile {
  std::string path;
  sys::UniqueFd fd;
  std::uint64_t device{0};
  std::uint64_t inode{0};
  std::uint64_t size_bytes{0};
};

/// Walks `path` from "/" one name at a time, following links as it goes. Refused (plugin_rejected) unless
///  - every folder on the way, those of links included, belongs to root or the caller and can be written by no one else
///    (a sticky folder such as /tmp may hold a *folder* of ours, but no file and no link);
///  - the file is a regular one, belongs to root or the caller, and neither its group nor others can write it.
/// The answer stays true afterwards: nobody else can change a name in a folder that was checked.
/// Never blocks on a FIFO and never opens a device. not_found: a name on the way does not exist.
[[nodiscard]] Result<TrustedFile> open_trusted_file(const std::string& path);

/// The refusal everywhere in this folder: "refuse WHAT: found FOUND, expected EXPECTED".
[[nodiscard]] tl::unexpected<Error> refuse(const std::string& file, const std::string& found,
                                           const std::string& expected, const std::string& remedy);

}  // namespace helios::plugin
