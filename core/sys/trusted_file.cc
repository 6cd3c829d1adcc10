#include "core/sys/trusted_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>

#include "core/sys/file.h"

namespace helios::sys {
namespace {

Error distrust(ErrorCode code, const std::string& path, const std::string& why, const std::string& remedy) {
  return Error(code, "refuse " + path + ": " + why, remedy);
}

/// What another user could do to this file or folder; nothing if no other user could do anything.
std::optional<Error> objection(ErrorCode code, const std::string& path, const struct stat& st) {
  const uid_t self = ::geteuid();
  if (st.st_uid != 0 && st.st_uid != self) {
    return distrust(code, path, "it belongs to uid " + std::to_string(st.st_uid) + ", who could change it",
                    "chown it to root or to uid " + std::to_string(self) + ", or use a copy of your own");
  }
  const bool sticky_folder = S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX) != 0;
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky_folder) {
    return distrust(code, path, "other users may write it", "chmod go-w " + path);
  }
  return std::nullopt;
}

Status check_folders(std::string path, ErrorCode code) {
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/')) {
    path.resize(slash);
    const std::string folder = path.empty() ? "/" : path;
    struct stat st {};
    if (::lstat(folder.c_str(), &st) != 0) return fail_errno(ErrorCode::io, "look at " + folder, errno);
    if (auto error = objection(code, folder, st)) return fail(std::move(*error));
  }
  return {};
}

}  // namespace

Result<UniqueFd> open_trusted(const std::string& path, ErrorCode refused) {
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  if (!real)
    return fail_errno(errno == ENOENT || errno == ENOTDIR ? ErrorCode::not_found : ErrorCode::io, "open " + path,
                      errno);
  // Nobody else can write any folder on the way, so nothing is exchanged between these steps.
  if (auto folders = check_folders(real.get(), refused); !folders) return fail(folders.error());
  auto fd = open_file(real.get(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!fd) return fd;
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0) return fail_errno(ErrorCode::io, "look at " + path, errno);
  if (!S_ISREG(st.st_mode)) return fail(ErrorCode::io, "open " + path + ": not a regular file");
  if (auto error = objection(refused, path, st)) return fail(std::move(*error));
  return fd;
}

Result<std::string> read_trusted(const std::string& path, std::size_t max_bytes, ErrorCode refused) {
  auto fd = open_trusted(path, refused);
  if (!fd) return fail(fd.error());
  auto text = read_fd(fd->get(), max_bytes);
  if (!text) return fail(text.error().while_doing("read " + path));
  return text;
}

}  // namespace helios::sys
