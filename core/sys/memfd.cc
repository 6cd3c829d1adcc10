#include "core/sys/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "core/sys/file.h"

namespace helios::sys {
namespace {
// Linux 6.3; older C library headers do not have them.
constexpr unsigned kMfdNoexecSeal = 8, kMfdExec = 16;
}  // namespace

Result<UniqueFd> sealed_memfd(const char* name, std::string_view bytes, bool executable) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = ::memfd_create(name, kFlags | (executable ? kMfdExec : kMfdNoexecSeal));
  if (fd < 0 && errno == EINVAL) fd = ::memfd_create(name, kFlags);  // before 6.3
  if (fd < 0) {
    const int err = errno;
    return fail_errno(ErrorCode::setup_failed, std::string("create a memfd for ") + name, err,
                      err == EACCES ? "set the sysctl vm.memfd_noexec below 2" : "");
  }
  UniqueFd owned(fd);
  if (auto s = write_all(fd, bytes); !s) return fail(s.error().while_doing(std::string("fill the memfd for ") + name));
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return fail_errno(ErrorCode::setup_failed, std::string("seal the memfd for ") + name, errno);
  }
  return owned;
}

}  // namespace helios::sys
