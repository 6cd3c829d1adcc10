/// Small files read and written whole; pipes; the only place that retries EINTR.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::sys {

/// openat(2) with O_CLOEXEC added and EINTR retried. Errors: io with errno; `path` is named.
[[nodiscard]] Result<UniqueFd> open_at(int dir_fd, const std::string& path, int flags, unsigned mode = 0);
[[nodiscard]] Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode = 0);

/// By the path that resolving it gave: a link anywhere on the way, which was put there meanwhile, is an error. Errors:
/// io with errno (ELOOP: a link).
[[nodiscard]] Result<UniqueFd> open_without_links(const std::string& path, int flags);
[[nodiscard]] Result<UniqueFd> open_real_directory(const std::string& path, int flags);

/// Opens `relative` (normalised, "." for the folder itself) beneath the folder `root` without following a link on the
/// way or at the end. openat2 where the kernel has it, else one component at a time. Errors: io with errno (ELOOP for a
/// link).
[[nodiscard]] Result<UniqueFd> open_beneath(int root, const std::string& relative, int flags);

/// The whole of a file of at most `max_bytes`; a larger one is an error that says so.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t max_bytes);
[[nodiscard]] Result<std::string> read_file_at(int dir_fd, const std::string& path, std::size_t max_bytes);
[[nodiscard]] Result<std::string> read_fd(int fd, std::size_t max_bytes);

/// Is there something to read? It stays there. -1 never has anything.
[[nodiscard]] bool has_bytes(int fd);

/// Writes all of `bytes`. Errors: io with errno.
[[nodiscard]] Status write_all(int fd, std::string_view bytes);

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};
/// pipe2(O_CLOEXEC); `capacity` is asked for with F_SETPIPE_SZ and smaller is accepted (a user's quota may be used up).
[[nodiscard]] Result<Pipe> make_pipe(std::size_t capacity = 0);

}  // namespace helios::sys
