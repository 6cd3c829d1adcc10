#include "plugins/isolated/landlock.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace helios::isolated {
namespace {

// linux/landlock.h of Debian 12 knows ABI 2 only; the bits are stable.
constexpr std::uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadDir = 1 << 3;
constexpr std::uint64_t kAbi1 = (1 << 13) - 1;                                 // up to MAKE_SYM
constexpr std::uint64_t kRefer = 1 << 13;                                      // ABI 2
constexpr std::uint64_t kTruncate = 1 << 14;                                   // ABI 3
constexpr std::uint64_t kIoctlDev = 1 << 15;                                   // ABI 5
constexpr std::uint64_t kScopeAbstractSocket = 1 << 0, kScopeSignal = 1 << 1;  // ABI 6

}  // namespace

int landlock_abi() {
  constexpr unsigned kVersion = 1;
  const long abi = ::syscall(444 /* landlock_create_ruleset */, nullptr, 0, kVersion);
  if (abi >= 0) return static_cast<int>(abi);
  // Not built in, not switched on, or closed by the filter of a container around us. Anything else is no answer.
  return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
}

LandlockPlan plan_landlock(int abi, const std::vector<std::string>& writable) {
  LandlockPlan p;
  p.abi = abi;
  p.handled_fs = kAbi1 | (abi >= 2 ? kRefer : 0) | (abi >= 3 ? kTruncate : 0) | (abi >= 5 ? kIoctlDev : 0);
  if (abi >= 6) p.scope = kScopeAbstractSocket | kScopeSignal;
  const std::uint64_t device = (kReadFile | kWriteFile | kIoctlDev | kTruncate) & p.handled_fs;
  p.rules.push_back({"/", kExecute | kReadFile | kReadDir});
  for (const std::string& path : writable) p.rules.push_back({path, p.handled_fs});
  p.rules.push_back({"/proc", kExecute | kReadFile | kReadDir | kWriteFile});
  for (const char* node : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
    p.rules.push_back({node, device});
  }
  p.rules.push_back({"/dev/pts", device | kReadDir});
  return p;
}

}  // namespace helios::isolated
