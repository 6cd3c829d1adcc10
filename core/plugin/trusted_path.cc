#include "core/plugin/trusted_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <vector>

#include "core/sys/file.h"

namespace helios::plugin {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel's own walk

std::string octal(mode_t mode) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%04o", mode & 07777u);
  return text.data();
}

std::string type_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a folder";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    case S_IFCHR:
    case S_IFBLK:
      return "a device";
    default:
      return "something that is not a file";
  }
}

/// Pushes the names of `path` so that the first one is on top.
void push_names(std::vector<std::string>& stack, const std::string& path) {
  std::size_t end = path.size();
  while (end != 0) {
    const std::size_t slash = path.rfind('/', end - 1);
    const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
    if (begin < end) stack.push_back(path.substr(begin, end - begin));
    end = slash == std::string::npos ? 0 : slash;
  }
}

class Walk {
 public:
  explicit Walk(const std::string& path) : asked_(path) { push_names(todo_, path); }

  Result<std::string> to_file() {
    if (auto root = enter("/"); !root) return fail(root.error());
    while (!todo_.empty()) {
      const std::string name = std::move(todo_.back());
      todo_.pop_back();
      if (name == ".") continue;
      if (auto done = name == ".." ? enter(parent()) : step(name); !done) return fail(done.error());
    }
    return at_;
  }

 private:
  [[nodiscard]] std::string parent() const {
    const std::size_t slash = at_.rfind('/');
    return slash == 0 ? "/" : at_.substr(0, slash);
  }

  Status step(const std::string& name) {
    const std::string next = at_ == "/" ? "/" + name : at_ + "/" + name;
    struct stat st {};
    if (::lstat(next.c_str(), &st) != 0) return missing(next, errno);
    if (S_ISDIR(st.st_mode)) return enter(next, st);
    if (others_can_write_) {
      return refuse(asked_, at_ + " writable by others (mode " + octal(mode_) + ")",
                    "a folder that only root or uid " + std::to_string(::geteuid()) + " can write",
                    "move the file to a folder of your own, or: chmod go-w " + at_);
    }
    if (S_ISLNK(st.st_mode)) return follow(next, st);
    at_ = next;
    if (!todo_.empty()) return missing(next + "/" + todo_.back(), ENOTDIR);
    return {};
  }

  Status follow(const std::string& link, const struct stat& st) {
    if (auto owned = check_owner(link, st); !owned) return owned;
    if (++links_ > kMaxLinks) return missing(link, ELOOP);
    std::string target(PATH_MAX, '\0');
    const ssize_t n = ::readlink(link.c_str(), target.data(), target.size());
    if (n < 0) return missing(link, errno);
    target.resize(static_cast<std::size_t>(n));
    push_names(todo_, target);
    return target.starts_with('/') ? enter("/") : Status{};
  }

  Status enter(const std::string& folder) {
    struct stat st {};
    if (::lstat(folder.c_str(), &st) != 0) return missing(folder, errno);
    return enter(folder, st);
  }

  Status enter(const std::string& folder, const struct stat& st) {
    if (auto owned = check_owner(folder, st); !owned) return owned;
    others_can_write_ = (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (others_can_write_ && (st.st_mode & S_ISVTX) == 0) {
      return refuse(asked_, folder + " writable by others (mode " + octal(st.st_mode) + ")",
                    "folders that only root or uid " + std::to_string(::geteuid()) + " can write",
                    "chmod go-w " + folder);
    }
    at_ = folder;
    mode_ = st.st_mode;
    return {};
  }

  Status check_owner(const std::string& what, const struct stat& st) const {
    if (st.st_uid == 0 || st.st_uid == ::geteuid()) return {};
    return refuse(asked_, what + " owned by uid " + std::to_string(st.st_uid),
                  "an owner of uid 0 or " + std::to_string(::geteuid()),
                  "chown " + std::to_string(::geteuid()) + " " + what + ", if you trust what it holds");
  }

  [[nodiscard]] tl::unexpected<Error> missing(const std::string& name, int err) const {
    const auto code = err == ENOENT || err == ENOTDIR ? ErrorCode::not_found : ErrorCode::plugin_rejected;
    const std::string where = name == asked_ ? "" : " (at " + name + ")";
    return fail_errno(code, "open " + asked_ + where, err);
  }

  std::string asked_;
  std::vector<std::string> todo_;
  std::string at_;
  mode_t mode_{0};
  bool others_can_write_{false};
  int links_{0};
};

Status check_file(const std::string& asked, const std::string& path, const struct stat& st) {
  const std::string me = std::to_string(::geteuid());
  if (!S_ISREG(st.st_mode)) return refuse(asked, type_name(st.st_mode), "a regular file", "remove it");
  if (st.st_uid != 0 && st.st_uid != ::geteuid()) {
    return refuse(asked, "a file owned by uid " + std::to_string(st.st_uid), "an owner of uid 0 or " + me,
                  "chown " + me + " " + path + ", if you trust what it holds");
  }
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refuse(asked, "mode " + octal(st.st_mode) + ", writable by its group or others",
                  "a file that only its owner can write", "chmod go-w " + path);
  }
  return {};
}

Result<std::string> absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::array<char, PATH_MAX> cwd{};
  if (::getcwd(cwd.data(), cwd.size()) == nullptr) {
    return fail_errno(ErrorCode::io, "find the current folder, to look for " + path, errno);
  }
  return std::string(cwd.data()) + "/" + path;
}

}  // namespace

tl::unexpected<Error> refuse(const std::string& file, const std::string& found, const std::string& expected,
                             const std::string& remedy) {
  return fail(ErrorCode::plugin_rejected, "refuse " + file + ": found " + found + ", expected " + expected, remedy);
}

Result<TrustedFile> open_trusted_file(const std::string& path) {
  const auto full = absolute(path);
  if (!full) return fail(full.error());
  auto resolved = Walk(*full).to_file();
  if (!resolved) return fail(resolved.error());
  struct stat st {};
  // The type is looked at before opening: opening a device can do things.
  if (::lstat(resolved->c_str(), &st) != 0) return fail_errno(ErrorCode::plugin_rejected, "open " + *full, errno);
  if (auto good = check_file(*full, *resolved, st); !good) return fail(good.error());
  auto fd = sys::open_file(*resolved, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!fd) return fail(fd.error());
  if (::fstat(fd->get(), &st) != 0) return fail_errno(ErrorCode::plugin_rejected, "look at " + *full, errno);
  if (auto good = check_file(*full, *resolved, st); !good) return fail(good.error());
  return TrustedFile{*std::move(resolved), *std::move(fd), st.st_dev, st.st_ino,
                     static_cast<std::uint64_t>(st.st_size)};
}

}  // namespace helios::plugin
