#include "plugins/isolated/workspace_ids.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "core/sys/file.h"

namespace helios::isolated {
namespace {

struct CloseDir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

bool is_dot(const char* n) { return n[0] == '.' && (n[1] == '\0' || (n[1] == '.' && n[2] == '\0')); }

Status change(int dir, const char* name, int flags, const struct stat& st, Owner from, Owner to) {
  if (st.st_uid != from.uid) return {};
  const gid_t gid = st.st_gid == from.gid ? to.gid : st.st_gid;
  if (::fchownat(dir, name, to.uid, gid, flags) == 0 || errno == ENOENT) return {};
  return fail_errno(ErrorCode::io, std::string("change the owner of ") + name, errno);
}

}  // namespace

Status hand_over(const std::string& root, Owner from, Owner to) {
  auto top = sys::open_file(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!top) return fail(top.error());
  struct stat st {};
  if (::fstat(top->get(), &st) != 0) return fail_errno(ErrorCode::io, "stat " + root, errno);
  const dev_t device = st.st_dev;
  if (auto s = change(top->get(), "", AT_EMPTY_PATH, st, from, to); !s) return s;
  std::vector<Dir> open;
  open.emplace_back(::fdopendir(top->release()));
  while (!open.empty()) {
    const dirent* e = ::readdir(open.back().get());
    if (e == nullptr) {
      open.pop_back();
      continue;
    }
    if (is_dot(e->d_name)) continue;
    const int dir = ::dirfd(open.back().get());
    if (::fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_dev != device) continue;
    if (auto s = change(dir, e->d_name, AT_SYMLINK_NOFOLLOW, st, from, to); !s) return s;
    if (!S_ISDIR(st.st_mode)) continue;
    const int fd = ::openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) open.emplace_back(::fdopendir(fd));
  }
  return {};
}

}  // namespace helios::isolated
