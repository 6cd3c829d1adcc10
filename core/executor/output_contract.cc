#include "core/executor/output_contract.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/digest/sha256.h"
#include "core/sys/file.h"

namespace helios {
namespace {

std::optional<struct stat> look(const sys::UniqueFd& workspace, const std::string& path) {
  auto fd = sys::open_beneath(workspace.get(), path, O_PATH);
  struct stat st {};
  if (!fd || ::fstat(fd->get(), &st) != 0) return std::nullopt;
  return st;
}

std::string_view kind_of(mode_t mode) {
  if (S_ISLNK(mode)) return "is a symbolic link";
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISFIFO(mode)) return "is a FIFO";
  if (S_ISSOCK(mode)) return "is a socket";
  return "is a device";
}

bool untouched(const struct stat& before, const struct stat& after) {
  return before.st_dev == after.st_dev && before.st_ino == after.st_ino && before.st_size == after.st_size &&
         before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec;
}

// ftruncate makes a file of exabytes in no time, and reading it would take years. Few blocks alone say nothing: some
// file systems compress.
bool mostly_hole(int fd, const struct stat& st) {
  constexpr off_t kBlock = 512;  // of st_blocks, whatever the file system's own
  constexpr off_t kSmall = off_t{256} << 20;
  return st.st_size > kSmall && st.st_size / 2 > st.st_blocks * kBlock && ::lseek(fd, 0, SEEK_HOLE) < st.st_size;
}

// Reads `size` bytes and no more: the file may have grown since it was looked at.
Result<std::string> digest_of(int fd, off_t size, const std::function<bool()>& cancelled) {
  digest::Sha256 sum;
  std::vector<char> buffer(static_cast<std::size_t>(std::min<off_t>(std::max<off_t>(size, 1), 256 << 10)));
  for (off_t left = size; left > 0;) {
    if (cancelled && cancelled()) return fail(ErrorCode::io, "was not read to its end: cancelled");
    const auto want = static_cast<std::size_t>(std::min<off_t>(left, static_cast<off_t>(buffer.size())));
    const ssize_t n = ::pread(fd, buffer.data(), want, size - left);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(ErrorCode::io, "read", errno);
    if (n == 0) break;
    sum.update({buffer.data(), static_cast<std::size_t>(n)});
    left -= n;
  }
  return sum.hex();
}

std::string problem_opening(const Error& e) {
  if (e.sys_errno == ENOENT || e.sys_errno == ENOTDIR) return "does not exist";
  if (e.sys_errno == ELOOP) return "is a symbolic link, or lies behind one";
  if (e.sys_errno == ENXIO) return "is a socket, a FIFO or a device";
  return e.message;
}

}  // namespace

OutputContract::OutputContract(const std::string& workspace, const std::string& path, std::string as_written)
    : as_written_(std::move(as_written)) {
  if (path.size() <= workspace.size()) return;
  path_ = path.substr(workspace == "/" ? 1 : workspace.size() + 1);
  if (auto dir = sys::open_file(workspace, O_PATH | O_DIRECTORY | O_NOFOLLOW)) workspace_ = *std::move(dir);
  before_ = look(workspace_, path_);
}

std::optional<OutputFile> OutputContract::check(const std::function<bool()>& cancelled) const {
  if (path_.empty()) return std::nullopt;
  OutputFile out;
  out.path = as_written_;
  const auto there = look(workspace_, path_);
  if (there && !S_ISREG(there->st_mode)) {
    out.problem = kind_of(there->st_mode);
    return out;
  }
  auto fd = sys::open_beneath(workspace_.get(), path_, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) {
    out.problem = problem_opening(fd.error());
    return out;
  }
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0 || !S_ISREG(st.st_mode)) {
    out.problem = "is not a regular file";
    return out;
  }
  out.exists = true;
  out.bytes = static_cast<std::uint64_t>(st.st_size);
  if (before_ && untouched(*before_, st)) out.problem = "was there before this run, which did not touch it";
  if (mostly_hole(fd->get(), st)) {
    out.problem = "is mostly a hole: not read";
    return out;
  }
  auto sum = digest_of(fd->get(), st.st_size, cancelled);
  if (sum) {
    out.sha256 = *std::move(sum);
  } else {
    out.problem = sum.error().message;
  }
  return out;
}

}  // namespace helios
