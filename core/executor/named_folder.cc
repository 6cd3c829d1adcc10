#include "core/executor/named_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <optional>
#include <string_view>
#include <utility>

#include "core/sys/file.h"

namespace helios {
namespace {

constexpr int kMaxLinks = 40;  // as many as the kernel follows

struct FileId {
  dev_t device{};
  ino_t inode{};
  bool operator==(const FileId&) const = default;
};

std::optional<FileId> id_of(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return std::nullopt;
  return FileId{st.st_dev, st.st_ino};
}

std::vector<FileId> ids_of(const std::vector<std::string>& trees) {
  std::vector<FileId> out;
  for (const std::string& tree : trees) {
    const auto dir = sys::open_file(tree, O_PATH | O_DIRECTORY);
    const auto id = dir ? id_of(dir->get()) : std::nullopt;
    if (id) out.push_back(*id);
  }
  return out;
}

// Names still to be walked, the next one last.
void push_names(std::vector<std::string>& names, std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!name.empty() && name != ".") names.emplace_back(name);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  }
}

// Goes down one name after the other, so that each tree is noticed where it is entered, whatever name led there.
class Walk {
 public:
  explicit Walk(std::vector<FileId> trees) : trees_(std::move(trees)) {}

  Result<sys::UniqueFd> to(const std::string& path, FolderMissing missing) {
    push_names(names_, path);
    if (!path.starts_with('/')) {  // the current directory may lie within a tree itself: walked to like the rest
      char cwd[PATH_MAX];
      if (::getcwd(cwd, sizeof cwd) == nullptr) return fail_errno(ErrorCode::io, "find the current directory", errno);
      push_names(names_, cwd);
    }
    if (auto ok = start_at_root(); !ok) return fail(ok.error());
    while (!names_.empty()) {
      const std::string name = std::move(names_.back());
      names_.pop_back();
      if (auto ok = enter(name, missing); !ok) return fail(ok.error());
    }
    return sys::open_at(here().dir.get(), ".", O_RDONLY | O_DIRECTORY);
  }

 private:
  struct Level {
    sys::UniqueFd dir;
    bool inside{false};  // a tree of the command's
  };
  [[nodiscard]] const Level& here() const { return levels_.back(); }

  Status start_at_root() {
    auto root = sys::open_file("/", O_PATH | O_DIRECTORY);
    if (!root) return fail(root.error());
    levels_.clear();
    descend(*std::move(root), false);
    return {};
  }

  void descend(sys::UniqueFd dir, bool inside) {
    const auto id = id_of(dir.get());
    for (const FileId& tree : trees_) inside = inside || (id && *id == tree);
    levels_.push_back({std::move(dir), inside});
  }

  Status enter(const std::string& name, FolderMissing missing) {
    if (name == "..") {  // the way we came, not where the kernel finds the folder now: it may have been moved
      if (levels_.size() > 1) levels_.pop_back();
      return {};
    }
    const bool last = names_.empty();
    const int dir = here().dir.get();
    if (last && missing == FolderMissing::is_made && ::mkdirat(dir, name.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail_errno(ErrorCode::io, "create folder " + name, errno);
    }
    auto next = sys::open_at(dir, name, O_PATH | O_NOFOLLOW);
    if (!next) return fail(next.error());
    struct stat st {};
    if (::fstat(next->get(), &st) != 0) return fail_errno(ErrorCode::io, "look at " + name, errno);
    if (S_ISLNK(st.st_mode)) {
      if (here().inside || last) return fail_errno(ErrorCode::io, "follow the symbolic link '" + name + "'", ELOOP);
      return follow(next->get(), name);
    }
    if (!S_ISDIR(st.st_mode)) return fail_errno(ErrorCode::io, "open folder " + name, ENOTDIR);
    descend(*std::move(next), here().inside);
    return {};
  }

  // A link of the caller's: walked by us, so that it does not jump over a tree's border unseen.
  Status follow(int link, const std::string& name) {
    if (++links_ > kMaxLinks) return fail_errno(ErrorCode::io, "follow " + name, ELOOP);
    char text[PATH_MAX];
    const ssize_t n = ::readlinkat(link, "", text, sizeof text);
    if (n <= 0 || n == sizeof text) return fail_errno(ErrorCode::io, "follow " + name, n < 0 ? errno : ENAMETOOLONG);
    const std::string_view target(text, static_cast<std::size_t>(n));
    push_names(names_, target);
    return target.front() == '/' ? start_at_root() : Status{};
  }

  std::vector<FileId> trees_;
  std::vector<std::string> names_;  // still to be walked, the next one last
  std::vector<Level> levels_;       // the folders on the way, the root directory first
  int links_{0};
};

}  // namespace

std::vector<std::string> writable_trees(const ExecutionRequest& request) {
  std::vector<std::string> out{request.workspace};
  for (const Mount& m : request.profile.mounts) {
    if (m.kind == MountKind::bind) out.push_back(m.source);
  }
  return out;
}

Result<sys::UniqueFd> open_named_folder(const std::string& path, const std::vector<std::string>& writable,
                                        FolderMissing missing) {
  return Walk(ids_of(writable)).to(path, missing);
}

}  // namespace helios
