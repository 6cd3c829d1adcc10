#include "core/supervise/disk_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/supervise/supervisor.h"
#include "core/sys/file.h"

namespace helios::supervise {
namespace {

constexpr std::int64_t kSlice = 20'000'000;

bool may_enter(int folder) {
  struct stat st {};
  return ::fstatat(folder, ".", &st, 0) == 0 || errno != EACCES;
}

}  // namespace

DiskLook::DiskLook(int root, DiskUse most) : most_(most), walk_(root, *this) {}

Result<bool> DiskLook::go_on(std::int64_t slice_ns) {
  constexpr int kBetweenClocks = 64;
  const std::int64_t until = now_ns() + slice_ns;
  do {
    for (int i = 0; i < kBetweenClocks; ++i) {
      const auto progress = walk_.step();
      if (!progress) return fail(progress.error());
      if (*progress == sys::TreeWalk::Progress::done) return true;
    }
  } while (now_ns() < until);
  return false;
}

Status DiskLook::folder(int, const struct stat& st) {
  if (std::exchange(at_top_, false)) device_ = st.st_dev;
  return {};
}

Result<sys::TreeVisitor::Next> DiskLook::entry(int in, const char* name) {
  struct stat st {};
  if (::fstatat(in, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return Next::pass;  // gone meanwhile
    return fail_errno(ErrorCode::io, "look at what it holds", errno);
  }
  use_.files += 1;
  use_.bytes += static_cast<std::uint64_t>(st.st_blocks) * 512;
  if (use_.bytes > most_.bytes || use_.files > most_.files) return Next::stop;
  return S_ISDIR(st.st_mode) && st.st_dev == device_ ? Next::enter : Next::pass;
}

Status DiskLook::closed(int fd, const struct stat& st, Error why) {
  if (why.sys_errno == EACCES && st.st_uid != ::geteuid() && !may_enter(fd)) return {};
  return fail(std::move(why));
}

Result<DiskUse> measure_disk(const std::string& root, int cancel_fd) {
  auto top = sys::open_file(root, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (!top) return fail(top.error());
  DiskLook look(top->get());
  for (;;) {
    const auto complete = look.go_on(kSlice);
    if (!complete) return fail(complete.error());
    if (*complete || sys::has_bytes(cancel_fd)) return look.use();
  }
}

}  // namespace helios::supervise
