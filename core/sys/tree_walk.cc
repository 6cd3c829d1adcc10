#include "core/sys/tree_walk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/sys/file.h"

namespace helios::sys {
namespace {

// Folders that are kept in mind cost memory of ours, which no limit of the run counts: some million of them.
constexpr std::size_t kMostKeptBytes = std::size_t{256} << 20;

constexpr int kReach = O_PATH | O_DIRECTORY | O_NOFOLLOW;

bool is_dot(const char* n) { return n[0] == '.' && (n[1] == '\0' || (n[1] == '.' && n[2] == '\0')); }

/// Removed since it was listed, or something else by now.
bool has_gone(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

std::size_t bytes_of(const std::string& name) { return sizeof(std::string) + name.size(); }

}  // namespace

Result<TreeWalk::Progress> TreeWalk::step() {
  if (!started_) return start();
  if (listing_) return next_entry();
  if (levels_.empty()) return Progress::done;
  return levels_.back().below.empty() ? ascend() : descend();
}

Status TreeWalk::finish() {
  for (;;) {
    const auto progress = step();
    if (!progress) return fail(progress.error());
    if (*progress == Progress::done) return {};
  }
}

Result<TreeWalk::Progress> TreeWalk::start() {
  started_ = true;
  auto top = open_at(top_, ".", kReach);
  if (!top) return cannot_look_into("", top.error().sys_errno);
  if (auto s = enter(std::move(*top), ""); !s) return fail(s.error());
  return Progress::more;
}

/// Becomes the lowest level, unless the visitor leaves it out.
Status TreeWalk::enter(UniqueFd folder, std::string name) {
  struct stat st {};
  if (::fstat(folder.get(), &st) != 0) return cannot_look_into(name, errno);
  if (!levels_.empty() && st.st_dev != levels_.front().device) return {};
  if (auto s = visitor_.folder(folder.get(), st); !s) return s;
  // Through the folder itself: listing one that may not be searched would give names and nothing about them.
  auto listed = open_at(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK);
  if (!listed && listed.error().sys_errno == ENOENT) return {};
  if (!listed) {
    const int error = listed.error().sys_errno;
    return visitor_.closed(folder.get(), st, cannot_look_into(name, error).value());
  }
  listing_.reset(::fdopendir(listed->get()));
  if (!listing_) return cannot_look_into(name, errno);
  (void)listed->release();
  levels_.push_back({std::move(name), st.st_dev, st.st_ino, {}});
  at_ = std::move(folder);
  return {};
}

Result<TreeWalk::Progress> TreeWalk::next_entry() {
  errno = 0;
  const dirent* e = ::readdir(listing_.get());
  if (e == nullptr) {
    if (errno != 0) return cannot_look_into("", errno);
    listing_.reset();
    return Progress::more;
  }
  if (is_dot(e->d_name)) return Progress::more;
  auto next = visitor_.entry(at_.get(), e->d_name);
  if (!next) {
    Error error = next.error();
    error.message = "folder '" + path_of("") + "': " + error.message;
    return fail(std::move(error));
  }
  if (*next == TreeVisitor::Next::stop) return Progress::done;
  if (*next == TreeVisitor::Next::pass) return Progress::more;
  if (auto s = keep(e->d_name); !s) return fail(s.error());
  return Progress::more;
}

Status TreeWalk::keep(const char* name) {
  auto& below = levels_.back().below;
  below.emplace_back(name);
  kept_bytes_ += bytes_of(below.back());
  if (kept_bytes_ <= kMostKeptBytes) return {};
  return fail(ErrorCode::io, "folder '" + path_of("") + "': more folders than can be kept in mind");
}

Result<TreeWalk::Progress> TreeWalk::descend() {
  auto& below = levels_.back().below;
  std::string name = std::move(below.back());
  kept_bytes_ -= bytes_of(name);
  below.pop_back();
  auto folder = open_at(at_.get(), name, kReach);
  if (!folder) {
    if (has_gone(folder.error().sys_errno)) return Progress::more;
    return cannot_look_into(name, folder.error().sys_errno);
  }
  if (auto s = enter(std::move(*folder), std::move(name)); !s) return fail(s.error());
  return Progress::more;
}

Result<TreeWalk::Progress> TreeWalk::ascend() {
  levels_.pop_back();
  if (levels_.empty()) {
    at_.reset();
    return Progress::done;
  }
  auto above = open_at(at_.get(), "..", kReach);
  if (above) {
    const auto same = is_level(above->get(), levels_.back());
    if (!same) return fail(same.error());
    if (*same) {
      at_ = std::move(*above);
      return Progress::more;
    }
    if (auto s = visitor_.moved(); !s) return fail(s.error());
  }
  if (auto s = find_the_way_again(); !s) return fail(s.error());
  return Progress::more;
}

/// Down from the top to the lowest level that is still where it was. What was beneath is elsewhere now: it is seen
/// there, or next time.
Status TreeWalk::find_the_way_again() {
  auto at = open_at(top_, ".", kReach);
  if (!at) return cannot_look_into("", at.error().sys_errno);
  std::size_t found = 1;
  for (; found < levels_.size(); ++found) {
    auto next = open_at(at->get(), levels_[found].name, kReach);
    if (!next && has_gone(next.error().sys_errno)) break;
    if (!next) return cannot_look_into("", next.error().sys_errno);
    const auto same = is_level(next->get(), levels_[found]);
    if (!same) return fail(same.error());
    if (!*same) break;
    at = std::move(next);
  }
  while (levels_.size() > found) forget_lowest();
  at_ = std::move(*at);
  return {};
}

void TreeWalk::forget_lowest() {
  for (const std::string& name : levels_.back().below) kept_bytes_ -= bytes_of(name);
  levels_.pop_back();
}

Result<bool> TreeWalk::is_level(int fd, const Level& level) const {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return cannot_look_into("", errno);
  return st.st_dev == level.device && st.st_ino == level.inode;
}

/// Seen from the top, for messages: its end is cut, and nothing in it can steer a terminal.
std::string TreeWalk::path_of(std::string_view name) const {
  constexpr std::size_t kMost = 200;
  std::string path;
  for (std::size_t i = 1; i < levels_.size() && path.size() <= kMost; ++i) path += levels_[i].name + "/";
  path += name;
  if (!path.empty() && path.back() == '/') path.pop_back();
  if (path.empty()) path = ".";
  if (path.size() > kMost) path = path.substr(0, kMost) + "...";
  for (char& c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = '?';
  }
  return path;
}

tl::unexpected<Error> TreeWalk::cannot_look_into(std::string_view name, int error) const {
  return fail_errno(ErrorCode::io, "folder '" + path_of(name) + "'", error);
}

}  // namespace helios::sys
