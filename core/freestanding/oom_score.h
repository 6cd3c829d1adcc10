/// For the child between clone and exec: system calls only.
#pragma once

#include <linux/fcntl.h>

#include "core/freestanding/syscalls.h"

namespace helios::raw {

/// A service may be spared when memory runs out (a negative oom_score_adj). A run at its limit must not be, or nothing
/// ends it. While /proc/self still belongs to us: a program that is not dumpable may not write there. 0 or -errno.
inline long spare_no_more() {
  constexpr const char* kSetting = "/proc/self/oom_score_adj";
  char sign = 0;
  long fd = call(__NR_openat, AT_FDCWD, kSetting, 0 /* O_RDONLY */, 0);
  if (fd < 0) return fd;
  long r = call(__NR_read, fd, &sign, 1);
  call(__NR_close, fd);
  if (r < 0 || sign != '-') return r < 0 ? r : 0;
  fd = call(__NR_openat, AT_FDCWD, kSetting, 1 /* O_WRONLY */, 0);
  if (fd < 0) return fd;
  r = call(__NR_write, fd, "0", 1);
  call(__NR_close, fd);
  return r < 0 ? r : 0;
}

}  // namespace helios::raw
