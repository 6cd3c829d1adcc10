/// One host id that no other run has, for runs that root starts.
#pragma once

#include <cstdint>
#include <string>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::isolated {

/// Held by a lock on one byte of a file: it ends with the last process that has the descriptor, however that ends.
struct UidLease {
  std::uint32_t uid{0};
  sys::UniqueFd lock;
};

/// Errors: io, unsupported (all ids of the range are taken).
[[nodiscard]] Result<UidLease> lease_uid(const std::string& state_dir, std::uint64_t first, std::uint64_t count);

/// "handed-over.UID": that id still has files of a run that was killed (handed_over.h), and is not leased.
[[nodiscard]] std::string record_name(std::uint64_t uid);

/// The folder of the locks, made if it is missing. Errors: io, if others could write in it.
[[nodiscard]] Result<sys::UniqueFd> open_state_dir(const std::string& state_dir);
/// The file of the locks in it.
[[nodiscard]] Result<sys::UniqueFd> open_uid_locks(const sys::UniqueFd& state_dir);
/// False, with errno: another run has it.
[[nodiscard]] bool try_lock_uid(const sys::UniqueFd& locks, std::uint64_t uid);
void unlock_uid(const sys::UniqueFd& locks, std::uint64_t uid);

}  // namespace helios::isolated
