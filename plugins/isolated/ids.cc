#include "plugins/isolated/ids.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/freestanding/syscalls.h"
#include "core/sys/clone.h"
#include "core/sys/file.h"

namespace helios::isolated {
namespace {

Status write_proc(pid_t pid, const char* name, const std::string& text) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  auto fd = sys::open_file(path, O_WRONLY);
  if (!fd) return fail(fd.error());
  if (auto s = sys::write_all(fd->get(), text); !s) return fail(s.error().while_doing("write " + path));
  return {};
}

std::string map_line(std::uint32_t inside, std::uint32_t outside) {
  return std::to_string(inside) + " " + std::to_string(outside) + " 1\n";
}

struct Hold {
  int read_end, write_end;
};

/// [child] Holds its user namespace open until it is killed, or the runner is gone: then its pipe ends.
__attribute__((no_sanitize("address", "undefined", "thread"))) void hold(void* arg) {
  const auto& pipe = *static_cast<const Hold*>(arg);
  const int read_end = pipe.read_end;
  raw::call(__NR_close, pipe.write_end);
  char byte = 0;
  while (raw::call(__NR_read, read_end, &byte, 1) == -EINTR) {
  }
  for (;;) raw::call(__NR_exit_group, 0);
}

}  // namespace

Status map_ids(pid_t pid, std::uint32_t inside, std::uint32_t uid, std::uint32_t gid, bool privileged) {
  constexpr const char* kHint =
      "if the host restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns=1), give helios-run an "
      "AppArmor profile with 'userns,'; see helios-run doctor";
  auto s = write_proc(pid, "uid_map", map_line(inside, uid));
  if (s && !privileged) s = write_proc(pid, "setgroups", "deny");
  if (s) s = write_proc(pid, "gid_map", map_line(inside, gid));
  if (s) return s;
  Error e = s.error().while_doing("map user ids");
  e.code = ErrorCode::setup_failed;
  e.remedy = kHint;
  return fail(e);
}

struct MappingNamespace::Holder {
  alignas(16) std::array<char, 8192> stack;
  sys::Pipe pipe;
  Hold ends{};
  sys::Child child;

  Holder() = default;
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    if (!child.pidfd) return;
    sys::kill_child(child);
    (void)sys::reap(child);
  }
};

MappingNamespace::MappingNamespace(std::unique_ptr<Holder> holder) : holder_(std::move(holder)) {}
MappingNamespace::MappingNamespace(MappingNamespace&&) noexcept = default;
MappingNamespace& MappingNamespace::operator=(MappingNamespace&&) noexcept = default;
MappingNamespace::~MappingNamespace() = default;

Result<MappingNamespace> MappingNamespace::make(std::uint32_t disk_uid, std::uint32_t disk_gid, std::uint32_t seen_uid,
                                                std::uint32_t seen_gid) {
  constexpr const char* kDoing = "make a user namespace for the workspace's id map";
  MappingNamespace made(std::make_unique<Holder>());
  Holder& h = *made.holder_;
  auto pipe = sys::make_pipe();
  if (!pipe) return fail(pipe.error());
  h.pipe = std::move(*pipe);
  h.ends = {h.pipe.read.get(), h.pipe.write.get()};
  sys::CloneOptions options;
  options.namespaces = CLONE_NEWUSER;
  auto child = sys::clone_shared(options, h.stack.data() + h.stack.size(), hold, &h.ends);
  if (!child) return fail(child.error().while_doing(kDoing));
  h.child = std::move(*child);
  auto written = write_proc(h.child.pid, "uid_map", map_line(disk_uid, seen_uid));
  if (written) written = write_proc(h.child.pid, "gid_map", map_line(disk_gid, seen_gid));
  if (!written) return fail(written.error().while_doing(kDoing));
  auto fd = sys::open_file("/proc/" + std::to_string(h.child.pid) + "/ns/user", O_RDONLY);
  if (!fd) return fail(fd.error().while_doing(kDoing));
  made.fd_ = std::move(*fd);
  sys::kill_child(h.child);
  return made;
}

Result<sys::UniqueFd> clone_tree(const std::string& path) {
  auto tree = sys::open_without_links(path, O_PATH);
  if (!tree) return fail(tree.error().while_doing("bind"));
  return clone_tree_at(*tree, path);
}

Result<sys::UniqueFd> clone_tree_at(const sys::UniqueFd& opened, const std::string& path) {
  const long fd =
      ::syscall(SYS_open_tree, opened.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
  if (fd < 0) return fail_errno(ErrorCode::setup_failed, "bind " + path, errno);
  return sys::UniqueFd(static_cast<int>(fd));
}

Status map_tree(const sys::UniqueFd& tree, const sys::UniqueFd& user_namespace, const std::string& path) {
  struct mount_attr attr {};
  attr.attr_set = MOUNT_ATTR_IDMAP;
  attr.userns_fd = static_cast<std::uint64_t>(user_namespace.get());
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) == 0) return {};
  return fail_errno(ErrorCode::unsupported, "workspace " + path + ": its file system cannot be id-mapped", errno,
                    "use --workspace-ids=chown (hand the tree over for the run) or --workspace-ids=owner (run as its "
                    "owner), or move the workspace to ext4, xfs or btrfs");
}

}  // namespace helios::isolated
