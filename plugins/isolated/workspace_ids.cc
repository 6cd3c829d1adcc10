#include "plugins/isolated/workspace_ids.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/sys/file.h"
#include "core/sys/tree_walk.h"

namespace helios::isolated {
namespace {

/// What is looked at is opened first, and changed through that descriptor: a name may be given to something else at
/// any time.
class ChangeOwner final : public sys::TreeVisitor {
 public:
  ChangeOwner(Owner from, Owner to, dev_t device) : from_(from), to_(to), device_(device) {}

  Status folder(int fd, const struct stat& st) override { return change(fd, st, "a folder of the workspace"); }

  Result<Next> entry(int in, const char* name) override {
    auto entry = sys::open_at(in, name, O_PATH | O_NOFOLLOW);
    if (!entry) {
      if (entry.error().sys_errno == ENOENT) return Next::pass;  // gone meanwhile
      return fail(entry.error());
    }
    struct stat st {};
    if (::fstat(entry->get(), &st) != 0 || st.st_dev != device_) return Next::pass;
    if (S_ISDIR(st.st_mode)) return Next::enter;
    if (auto s = change(entry->get(), st, name); !s) return fail(s.error());
    return Next::pass;
  }

  Status closed(int, const struct stat&, Error why) override { return fail(std::move(why)); }

  Status moved() override {
    return fail(ErrorCode::io, "a folder of the workspace was moved while its owner was changed");
  }

 private:
  Status change(int fd, const struct stat& st, const char* name) const {
    if (st.st_uid != from_.uid) return {};
    const gid_t gid = st.st_gid == from_.gid ? to_.gid : st.st_gid;
    if (::fchownat(fd, "", to_.uid, gid, AT_EMPTY_PATH) == 0) return {};
    return fail_errno(ErrorCode::io, std::string("change the owner of ") + name, errno);
  }

  Owner from_, to_;
  dev_t device_;
};

}  // namespace

Status hand_over(const std::string& root, Owner from, Owner to) {
  auto top = sys::open_real_directory(root, O_PATH);
  if (!top) return fail(top.error());
  struct stat st {};
  if (::fstat(top->get(), &st) != 0) return fail_errno(ErrorCode::io, "stat " + root, errno);
  ChangeOwner change(from, to, st.st_dev);
  return sys::TreeWalk(top->get(), change).finish();
}

}  // namespace helios::isolated
