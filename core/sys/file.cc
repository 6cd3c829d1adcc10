#include "core/sys/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace helios::sys {
namespace {

// openat2; -1 with errno.
long open_how_at(int dir, const std::string& path, int flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = resolve;
  long fd;
  do {
    fd = ::syscall(SYS_openat2, dir, path.c_str(), &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  return fd;
}

// One component at a time, each opened without following: what openat2 does, for kernels before 5.6.
Result<UniqueFd> walk_beneath(int root, const std::string& relative, int flags) {
  UniqueFd dir;
  std::size_t from = 0;
  for (std::size_t slash = relative.find('/'); slash != std::string::npos; slash = relative.find('/', from)) {
    auto next = open_at(dir ? dir.get() : root, relative.substr(from, slash - from), O_PATH | O_NOFOLLOW | O_DIRECTORY);
    if (!next) return next;
    dir = *std::move(next);
    from = slash + 1;
  }
  return open_at(dir ? dir.get() : root, relative.substr(from), flags | O_NOFOLLOW);
}

}  // namespace

Result<UniqueFd> open_at(int dir_fd, const std::string& path, int flags, unsigned mode) {
  int fd;
  do {
    fd = ::openat(dir_fd, path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return fail_errno(ErrorCode::io, "open " + path, errno);
  return UniqueFd(fd);
}

Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode) {
  return open_at(AT_FDCWD, path, flags, mode);
}

Result<UniqueFd> open_without_links(const std::string& path, int flags) {
  const long fd = open_how_at(AT_FDCWD, path, flags, RESOLVE_NO_SYMLINKS);
  if (fd < 0) return fail_errno(ErrorCode::io, "open " + path, errno);
  return UniqueFd(static_cast<int>(fd));
}

Result<UniqueFd> open_real_directory(const std::string& path, int flags) {
  return open_without_links(path, flags | O_DIRECTORY);
}

Result<UniqueFd> open_beneath(int root, const std::string& relative, int flags) {
  const long fd =
      open_how_at(root, relative, flags | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  if (fd >= 0) return UniqueFd(static_cast<int>(fd));
  if (errno == ENOSYS || errno == EPERM) return walk_beneath(root, relative, flags);
  return fail_errno(ErrorCode::io, "open " + relative, errno);
}

Result<std::string> read_fd(int fd, std::size_t max_bytes) {
  constexpr std::size_t kSmall = 4096;  // what /proc and control groups hold; only beyond it is the size asked for
  std::string out;
  std::size_t step = kSmall;
  for (;;) {
    const std::size_t have = out.size();
    out.resize(std::min(have + step, max_bytes + 1));
    const ssize_t n = ::read(fd, out.data() + have, out.size() - have);
    if (n < 0 && errno == EINTR) {
      out.resize(have);
      continue;
    }
    if (n < 0) return fail_errno(ErrorCode::io, "read", errno);
    out.resize(have + static_cast<std::size_t>(n));
    if (n == 0) return out;
    if (out.size() > max_bytes) {
      return fail(ErrorCode::io, "larger than the bound of " + std::to_string(max_bytes) + " bytes");
    }
    step = std::max(kSmall, out.size());
    if (struct stat st{}; have == 0 && out.size() == kSmall && ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                          st.st_size > static_cast<off_t>(kSmall)) {
      step = static_cast<std::size_t>(st.st_size) - kSmall + 1;
    }
  }
}

Result<std::string> read_file_at(int dir_fd, const std::string& path, std::size_t max_bytes) {
  auto fd = open_at(dir_fd, path, O_RDONLY | O_NOCTTY);
  if (!fd) return fail(fd.error());
  auto text = read_fd(fd->get(), max_bytes);
  if (!text) return fail(text.error().while_doing("read " + path));
  return text;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  return read_file_at(AT_FDCWD, path, max_bytes);
}

bool has_bytes(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(ErrorCode::io, "write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<Pipe> make_pipe(std::size_t capacity) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno(ErrorCode::io, "create a pipe", errno);
  Pipe p{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (capacity != 0) (void)::fcntl(p.read.get(), F_SETPIPE_SZ, static_cast<int>(capacity));
  return p;
}

}  // namespace helios::sys
