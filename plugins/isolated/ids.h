/// Who the command is on the host: id maps, id-mapped mounts.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::isolated {

/// Writes uid_map, setgroups and gid_map of a process in a new user namespace: `inside` stands for `uid` and `gid`.
/// `privileged`: we are root there, and the process may still drop its groups.
[[nodiscard]] Status map_ids(pid_t pid, std::uint32_t inside, std::uint32_t uid, std::uint32_t gid, bool privileged);

/// A user namespace for mount_setattr(MOUNT_ATTR_IDMAP). It takes a process to make one. That is told to end at once,
/// but the end may take a millisecond, which only the destructor waits for.
class MappingNamespace {
 public:
  /// What belongs to `disk_…` on disk is seen as `seen_…`. Needs root. Errors: setup_failed.
  [[nodiscard]] static Result<MappingNamespace> make(std::uint32_t disk_uid, std::uint32_t disk_gid,
                                                     std::uint32_t seen_uid, std::uint32_t seen_gid);
  MappingNamespace(MappingNamespace&&) noexcept;
  MappingNamespace& operator=(MappingNamespace&&) noexcept;
  ~MappingNamespace();
  [[nodiscard]] const sys::UniqueFd& fd() const { return fd_; }

 private:
  struct Holder;
  explicit MappingNamespace(std::unique_ptr<Holder> holder);
  std::unique_ptr<Holder> holder_;
  sys::UniqueFd fd_;
};

/// A detached copy of the tree at `path` (open_tree), for another mount namespace to attach. Needs root. A link on the
/// way is an error (ELOOP).
[[nodiscard]] Result<sys::UniqueFd> clone_tree(const std::string& path);
/// The same of what is open; `path` is for messages.
[[nodiscard]] Result<sys::UniqueFd> clone_tree_at(const sys::UniqueFd& opened, const std::string& path);
/// Maps the ids of a detached tree. Errors: unsupported, naming the file system's inability and the ways out.
[[nodiscard]] Status map_tree(const sys::UniqueFd& tree, const sys::UniqueFd& user_namespace, const std::string& path);

}  // namespace helios::isolated
