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

/// A folder on the way down. Only the lowest is open, however deep the tree.
struct Level {
  dev_t device;
  ino_t inode;
  std::vector<std::string> below;  ///< folders that are still to be visited
};

/// One walk. What is looked at is opened first, and changed through that descriptor: a name may be given to something
/// else at any time.
class Walk {
 public:
  Walk(Owner from, Owner to) : from_(from), to_(to) {}

  Status all(sys::UniqueFd top) {
    if (auto s = enter(std::move(top)); !s) return s;
    while (!levels_.empty()) {
      auto& below = levels_.back().below;
      auto next = below.empty() ? leave() : descend(below);
      if (!next) return next;
    }
    return {};
  }

 private:
  /// Changes the folder's own owner and that of everything in it but folders, and remembers those.
  Status enter(sys::UniqueFd folder) {
    struct stat st {};
    if (::fstat(folder.get(), &st) != 0) return fail_errno(ErrorCode::io, "stat a folder of the workspace", errno);
    if (auto s = change(folder.get(), st, "a folder of the workspace"); !s) return s;
    Level level{st.st_dev, st.st_ino, {}};
    const int listed = ::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);
    const Dir dir(listed < 0 ? nullptr : ::fdopendir(listed));
    if (!dir) return fail_errno(ErrorCode::io, "read a folder of the workspace", errno);
    while (const dirent* e = ::readdir(dir.get())) {
      if (is_dot(e->d_name)) continue;
      auto entry = sys::open_at(folder.get(), e->d_name, O_PATH | O_NOFOLLOW);
      if (!entry) {
        if (entry.error().sys_errno == ENOENT) continue;  // gone meanwhile
        return fail(entry.error());
      }
      if (::fstat(entry->get(), &st) != 0 || st.st_dev != level.device) continue;
      if (S_ISDIR(st.st_mode)) {
        level.below.emplace_back(e->d_name);
      } else if (auto s = change(entry->get(), st, e->d_name); !s) {
        return s;
      }
    }
    levels_.push_back(std::move(level));
    at_ = std::move(folder);
    return {};
  }

  Status descend(std::vector<std::string>& below) {
    const std::string name = std::move(below.back());
    below.pop_back();
    auto folder = sys::open_at(at_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (folder) return enter(std::move(*folder));
    const int error = folder.error().sys_errno;
    return error == ENOENT || error == ENOTDIR || error == ELOOP ? Status{} : fail(folder.error());
  }

  Status leave() {
    levels_.pop_back();
    if (levels_.empty()) return {};
    auto above = sys::open_at(at_.get(), "..", O_RDONLY | O_DIRECTORY);
    if (!above) return fail(above.error());
    struct stat st {};
    const bool same =
        ::fstat(above->get(), &st) == 0 && st.st_dev == levels_.back().device && st.st_ino == levels_.back().inode;
    if (!same) return fail(ErrorCode::io, "a folder of the workspace was moved while its owner was changed");
    at_ = std::move(*above);
    return {};
  }

  Status change(int fd, const struct stat& st, const char* name) const {
    if (st.st_uid != from_.uid) return {};
    const gid_t gid = st.st_gid == from_.gid ? to_.gid : st.st_gid;
    if (::fchownat(fd, "", to_.uid, gid, AT_EMPTY_PATH) == 0) return {};
    return fail_errno(ErrorCode::io, std::string("change the owner of ") + name, errno);
  }

  Owner from_, to_;
  std::vector<Level> levels_;
  sys::UniqueFd at_;
};

}  // namespace

Status hand_over(const std::string& root, Owner from, Owner to) {
  auto top = sys::open_real_directory(root, O_RDONLY);
  if (!top) return fail(top.error());
  return Walk(from, to).all(std::move(*top));
}

}  // namespace helios::isolated
