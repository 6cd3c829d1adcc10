#include "core/supervise/disk_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "core/sys/file.h"

namespace helios::supervise {
namespace {

struct CloseDir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

Dir open_dir(int parent, const char* name) {
  const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return nullptr;
  DIR* d = ::fdopendir(fd);
  if (d == nullptr) ::close(fd);
  return Dir(d);
}

bool is_dot(const char* n) { return n[0] == '.' && (n[1] == '\0' || (n[1] == '.' && n[2] == '\0')); }

constexpr std::size_t kMaxDepth = 256;  // descriptors held open at once

}  // namespace

Result<DiskUse> measure_disk(const std::string& root, std::uint64_t max_bytes, std::uint64_t max_files) {
  Dir top = open_dir(AT_FDCWD, root.c_str());
  if (!top) return fail_errno(ErrorCode::io, "measure the disk use of " + root, errno);
  struct stat st {};
  if (::fstat(::dirfd(top.get()), &st) != 0) return fail_errno(ErrorCode::io, "stat " + root, errno);
  const dev_t device = st.st_dev;

  DiskUse use;
  std::vector<Dir> open;
  open.push_back(std::move(top));
  while (!open.empty() && use.bytes <= max_bytes && use.files <= max_files) {
    const dirent* entry = ::readdir(open.back().get());
    if (entry == nullptr) {
      open.pop_back();
      continue;
    }
    if (is_dot(entry->d_name)) continue;
    const int dir = ::dirfd(open.back().get());
    if (::fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
    use.files += 1;
    use.bytes += static_cast<std::uint64_t>(st.st_blocks) * 512;
    if (!S_ISDIR(st.st_mode) || st.st_dev != device || open.size() >= kMaxDepth) continue;
    if (Dir child = open_dir(dir, entry->d_name)) open.push_back(std::move(child));
  }
  return use;
}

}  // namespace helios::supervise
