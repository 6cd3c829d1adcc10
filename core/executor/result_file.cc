#include "core/executor/result_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "core/executor/named_folder.h"
#include "core/sys/file.h"

namespace helios {
namespace {

// Of the open file: it goes with the last descriptor of it, and no command has one (close on exec).
bool lock(int fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  int r;
  do {
    r = ::fcntl(fd, F_OFD_SETLK, &whole);
  } while (r != 0 && errno == EINTR);  // on NFS
  return r == 0;
}

bool is_named(int dir, const std::string& name, int fd) {
  struct stat named {
  }, held{};
  return ::fstatat(dir, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && ::fstat(fd, &held) == 0 &&
         named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

bool is_regular(int dir, const std::string& name) {
  struct stat st {};
  return ::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

// A regular file that nobody has locked, locked. Its name is looked at last: a run that has ended meanwhile has renamed
// it, and one that starts and finds it locked takes another name.
sys::UniqueFd lock_unheld(int dir, const std::string& name) {
  if (!is_regular(dir, name)) return {};  // opening a device may do something
  auto file = sys::open_at(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  if (!file || !lock(file->get()) || !is_regular(dir, name) || !is_named(dir, name, file->get())) return {};
  return *std::move(file);
}

constexpr int kNames = 16;

}  // namespace

sys::UniqueFd claim_draft(int dir, const std::string& name) {
  auto file = lock_unheld(dir, name);
  struct stat st {};
  if (!file || ::fstat(file.get(), &st) != 0 || st.st_uid != ::geteuid() || st.st_nlink != 1) return {};
  return file;
}

Result<ResultFile> ResultFile::open(const std::string& path, const std::vector<std::string>& writable) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  ResultFile r;
  r.shown_ = path;
  r.name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string what = "open result file '" + path + "'";
  if (r.name_.empty()) return fail(ErrorCode::invalid_argument, what + ": it names a folder");
  auto dir = open_named_folder(folder, writable, FolderMissing::is_an_error);
  if (!dir) return fail(dir.error().while_doing(what));
  r.dir_ = *std::move(dir);
  struct stat st {};
  if (::fstatat(r.dir_.get(), r.name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode)) {
    return fail(ErrorCode::invalid_argument, what + ": it exists and is not a regular file");
  }
  for (int i = 0; i < kNames; ++i) {
    const auto made = r.make_draft(i);
    if (made) return r;
    if (made.error().sys_errno != EEXIST) return fail_errno(ErrorCode::io, what, made.error().sys_errno);
  }
  return fail_errno(ErrorCode::io, what, EEXIST);
}

// A name that is taken is of a process with our number: dead, or alive in another pid namespace or on another host,
// which the lock tells.
Status ResultFile::make_draft(int number) {
  std::string name =
      "." + name_ + (number == 0 ? "" : "." + std::to_string(number)) + "." + std::to_string(::getpid()) + ".tmp";
  const auto make = [&] { return sys::open_at(dir_.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666); };
  auto file = make();
  if (!file && file.error().sys_errno == EEXIST) {
    const bool planted = !is_regular(dir_.get(), name);
    if (const auto dead = lock_unheld(dir_.get(), name); dead || planted) {
      (void)::unlinkat(dir_.get(), name.c_str(), 0);
      file = make();
    }
  }
  if (!file) return fail(file.error());
  // A file system without locks is no error: gc cannot lock there either, and keeps what it cannot lock. One that has
  // them says EAGAIN or EACCES when somebody was faster, who took the empty file for a dead run's.
  const bool taken = !lock(file->get()) && (errno == EAGAIN || errno == EACCES);
  struct stat st {};
  const bool removed = ::fstat(file->get(), &st) == 0 && st.st_nlink == 0;
  if (taken && is_named(dir_.get(), name, file->get())) (void)::unlinkat(dir_.get(), name.c_str(), 0);
  if (taken || removed) return fail_errno(ErrorCode::io, name, EEXIST);
  file_ = *std::move(file);
  temporary_ = std::move(name);
  return {};
}

ResultFile::ResultFile(ResultFile&& o) noexcept
    : dir_(std::move(o.dir_)),
      file_(std::move(o.file_)),
      name_(std::move(o.name_)),
      temporary_(std::exchange(o.temporary_, {})),
      shown_(std::move(o.shown_)) {}

ResultFile::~ResultFile() {
  if (!temporary_.empty() && name_is_still_ours()) (void)::unlinkat(dir_.get(), temporary_.c_str(), 0);
}

// The folder may be one the command could write.
bool ResultFile::name_is_still_ours() const { return is_named(dir_.get(), temporary_, file_.get()); }

Status ResultFile::commit(std::string_view text) {
  const std::string what = "write result file '" + shown_ + "'";
  if (auto ok = sys::write_all(file_.get(), text); !ok) return fail(ok.error().while_doing(what));
  if (::fsync(file_.get()) != 0 && errno != EINVAL && errno != EROFS) return fail_errno(ErrorCode::io, what, errno);
  if (!name_is_still_ours()) return fail(ErrorCode::io, what + ": its temporary file was replaced");
  if (::renameat(dir_.get(), temporary_.c_str(), dir_.get(), name_.c_str()) != 0) {
    return fail_errno(ErrorCode::io, what, errno);
  }
  temporary_.clear();
  return {};
}

}  // namespace helios
