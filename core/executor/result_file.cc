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
  std::string temporary = "." + r.name_ + "." + std::to_string(::getpid()) + ".tmp";
  auto file = sys::open_at(r.dir_.get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  if (!file && file.error().sys_errno == EEXIST) {  // of a dead process with our number
    (void)::unlinkat(r.dir_.get(), temporary.c_str(), 0);
    file = sys::open_at(r.dir_.get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  }
  if (!file) return fail_errno(ErrorCode::io, what, file.error().sys_errno);
  r.file_ = *std::move(file);
  r.temporary_ = std::move(temporary);
  return r;
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
bool ResultFile::name_is_still_ours() const {
  struct stat named {
  }, held{};
  return ::fstatat(dir_.get(), temporary_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstat(file_.get(), &held) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

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
