#include "plugins/isolated/uid_lease.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/sys/file.h"

namespace helios::isolated {
namespace {

/// The byte is the uid itself: two runs with ranges that overlap mean the same by it.
bool set_lock(int fd, short type, std::uint64_t uid) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(uid);
  lock.l_len = 1;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

}  // namespace

Result<sys::UniqueFd> open_state_dir(const std::string& state_dir) {
  if (::mkdir(state_dir.c_str(), 0755) != 0 && errno != EEXIST) {
    return fail_errno(ErrorCode::io, "create the state directory " + state_dir, errno,
                      "make the folder it lies in writable for root");
  }
  auto dir = sys::open_file(state_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!dir) return dir;
  struct stat st {};
  if (::fstat(dir->get(), &st) != 0 || st.st_uid != 0 || (st.st_mode & 022) != 0) {
    return fail(ErrorCode::io, "state directory " + state_dir + ": must belong to root and be writable by nobody else",
                "chown root " + state_dir + " && chmod go-w " + state_dir);
  }
  return dir;
}

Result<sys::UniqueFd> open_uid_locks(const sys::UniqueFd& state_dir) {
  return sys::open_at(state_dir.get(), "uids", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
}

bool try_lock_uid(const sys::UniqueFd& locks, std::uint64_t uid) { return set_lock(locks.get(), F_WRLCK, uid); }
void unlock_uid(const sys::UniqueFd& locks, std::uint64_t uid) { (void)set_lock(locks.get(), F_UNLCK, uid); }

std::string record_name(std::uint64_t uid) { return "handed-over." + std::to_string(uid); }

Result<UidLease> lease_uid(const std::string& state_dir, std::uint64_t first, std::uint64_t count) {
  constexpr const char* kStep = "lease a user id for the run";
  auto dir = open_state_dir(state_dir);
  if (!dir) return fail(dir.error().while_doing(kStep));
  auto locks = open_uid_locks(*dir);
  if (!locks) return fail(locks.error().while_doing(kStep));
  // Start anywhere, so that concurrent runs rarely try the same.
  const std::uint64_t start = static_cast<std::uint64_t>(::getpid()) * 2654435761u % count;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t uid = first + (start + i) % count;
    if (try_lock_uid(*locks, uid)) {
      if (::faccessat(dir->get(), record_name(uid).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        return UidLease{static_cast<std::uint32_t>(uid), std::move(*locks)};
      }
      unlock_uid(*locks, uid);
      continue;
    }
    if (errno != EAGAIN && errno != EACCES) return fail_errno(ErrorCode::io, "lock a user id in " + state_dir, errno);
  }
  return fail(ErrorCode::unsupported,
              "all " + std::to_string(count) + " user ids of the range are taken by running chunks",
              "widen --uid-range");
}

}  // namespace helios::isolated
