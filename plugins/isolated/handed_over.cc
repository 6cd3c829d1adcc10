#include "plugins/isolated/handed_over.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>

#include "core/sys/file.h"
#include "plugins/isolated/uid_lease.h"

namespace helios::isolated {
namespace {

constexpr std::string_view kPrefix = "handed-over.";
constexpr std::size_t kMaxRecord = 8192;

struct Record {
  Owner owner;
  std::uint64_t device{0}, inode{0};
  std::string workspace;
};

template <class T>
bool take(std::string_view& text, T& value, char end) {
  const auto [next, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || next == text.data() + text.size() || *next != end) return false;
  text.remove_prefix(static_cast<std::size_t>(next - text.data()) + 1);
  return true;
}

/// "UID GID DEVICE INODE\nPATH\n"; a runner that was killed while it wrote leaves less, and had handed over nothing.
std::optional<Record> parse(std::string_view text) {
  Record r;
  if (!take(text, r.owner.uid, ' ') || !take(text, r.owner.gid, ' ') || !take(text, r.device, ' ') ||
      !take(text, r.inode, '\n') || text.size() < 2 || text.back() != '\n') {
    return std::nullopt;
  }
  r.workspace = text.substr(0, text.size() - 1);
  return r;
}

Status give_back(const Record& r, std::uint32_t uid) {
  auto dir = sys::open_real_directory(r.workspace, O_PATH);
  if (!dir) return fail(dir.error());
  struct stat st {};
  if (::fstat(dir->get(), &st) != 0) return fail_errno(ErrorCode::io, "stat " + r.workspace, errno);
  if (st.st_dev != r.device || st.st_ino != r.inode) {
    return fail(ErrorCode::io, r.workspace + " is another folder now");
  }
  return hand_over(r.workspace, {uid, uid}, r.owner);
}

}  // namespace

std::optional<Owner> recorded_owner(const std::string& state_dir, std::uint32_t uid, const struct stat& workspace) {
  auto text = sys::read_file(state_dir + "/" + record_name(uid), kMaxRecord);
  const auto record = text ? parse(*text) : std::nullopt;
  if (!record || record->device != workspace.st_dev || record->inode != workspace.st_ino) return std::nullopt;
  return record->owner;
}

Status record_hand_over(const std::string& state_dir, std::uint32_t uid, Owner owner, const std::string& workspace) {
  auto dir = open_state_dir(state_dir);
  if (!dir) return fail(dir.error());
  auto top = sys::open_real_directory(workspace, O_PATH);
  if (!top) return fail(top.error());
  struct stat st {};
  if (::fstat(top->get(), &st) != 0) return fail_errno(ErrorCode::io, "stat " + workspace, errno);
  auto file = sys::open_at(dir->get(), record_name(uid), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!file) return fail(file.error().while_doing("remember whose the workspace is"));
  return sys::write_all(file->get(), std::to_string(owner.uid) + " " + std::to_string(owner.gid) + " " +
                                         std::to_string(st.st_dev) + " " + std::to_string(st.st_ino) + "\n" +
                                         workspace + "\n");
}

void forget_hand_over(const std::string& state_dir, std::uint32_t uid) {
  (void)::unlink((state_dir + "/" + record_name(uid)).c_str());
}

Result<std::vector<LeftOver>> left_over(const std::string& state_dir, Undo undo) {
  std::vector<LeftOver> found;
  auto fd = open_state_dir(state_dir);
  if (!fd) return fail(fd.error());
  // A descriptor of our own: what it locks is free again when we return.
  auto locks = open_uid_locks(*fd);
  if (!locks) return fail(locks.error());
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd->release()), ::closedir);
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    std::uint32_t uid = 0;
    if (!name.starts_with(kPrefix)) continue;
    const auto digits = name.substr(kPrefix.size());
    if (std::from_chars(digits.data(), digits.data() + digits.size(), uid).ptr != digits.data() + digits.size())
      continue;
    if (!try_lock_uid(*locks, uid)) continue;  // that run is alive
    auto text = sys::read_file_at(::dirfd(dir.get()), std::string(name), kMaxRecord);
    if (!text && text.error().sys_errno == ENOENT) continue;  // given back meanwhile
    if (!text) {
      found.push_back({std::string(), uid, false, "owner is gone, but " + text.error().message});
      continue;
    }
    const auto record = parse(*text);
    LeftOver l{record ? record->workspace : std::string(), uid, false, "owner is gone"};
    if (undo == Undo::give_back) {
      const Status done = record ? give_back(*record, uid) : Status{};
      if (done) forget_hand_over(state_dir, uid);
      l.given_back = done.has_value();
      if (!done) {
        l.why += ", but " + done.error().message + "; remove " + state_dir + "/" + record_name(uid) +
                 " once nothing belongs to uid " + std::to_string(uid);
      }
    }
    if (record) found.push_back(std::move(l));
  }
  return found;
}

}  // namespace helios::isolated
