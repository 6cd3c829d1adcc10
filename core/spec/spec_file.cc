#include "core/spec/spec_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/spec/json_problem.h"
#include "core/sys/file.h"

namespace helios::spec {
namespace {

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

Result<SpecFile> standard_input() {
  const int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) return fail_errno(ErrorCode::io, "read the spec from standard input", errno);
  return SpecFile{sys::UniqueFd(fd), "<stdin>"};
}

}  // namespace

Result<SpecFile> open_spec_file(const std::string& path) {
  if (path == "-") return standard_input();
  const std::string doing = "open the spec " + quote_for_message(path);
  auto fd = sys::open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) {
    const int err = fd.error().sys_errno;
    return fail_errno(err == ENOENT || err == ENOTDIR ? ErrorCode::not_found : ErrorCode::io, doing, err);
  }
  struct stat st {};
  if (fstat(fd->get(), &st) != 0) return fail_errno(ErrorCode::io, doing, errno);
  if (!S_ISREG(st.st_mode)) {
    return fail(ErrorCode::invalid_spec,
                doing + ": it is " + std::string(kind_of(st.st_mode)) + ", not a regular file");
  }
  if (static_cast<std::uint64_t>(st.st_size) > kMaxSpecBytes) {
    return fail(ErrorCode::invalid_spec, doing + ": it has " + std::to_string(st.st_size) + " bytes, more than " +
                                             std::to_string(kMaxSpecBytes));
  }
  return SpecFile{*std::move(fd), path};
}

}  // namespace helios::spec
