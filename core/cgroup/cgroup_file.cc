#include "core/cgroup/cgroup_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "core/sys/file.h"

namespace helios::cgroup {
namespace {

constexpr std::size_t kMaxControlFile = 4 << 20;

bool is_cgroupfs(int fd) {
  struct statfs fs {};
  if (::fstatfs(fd, &fs) != 0) return false;
  return fs.f_type == CGROUP2_SUPER_MAGIC || fs.f_type == CGROUP_SUPER_MAGIC;
}

}  // namespace

Result<Group> open_group(const std::string& path) {
  auto fd = sys::open_file(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(fd.error());
  if (!is_cgroupfs(fd->get()))
    return fail(ErrorCode::setup_failed, "open " + path + ": is not on a cgroup file system");
  return Group{path, std::move(*fd)};
}

Result<Group> make_group(const std::string& path, Existing existing) {
  const bool made = ::mkdir(path.c_str(), 0755) == 0;
  if (!made && !(errno == EEXIST && existing == Existing::accepted)) {
    return fail_errno(ErrorCode::setup_failed, "make the control group " + path, errno);
  }
  auto group = open_group(path);
  if (!group && made) (void)::rmdir(path.c_str());  // nobody else will
  return group;
}

Result<sys::UniqueFd> open_control(int group_fd, const std::string& group_path, const char* file, int flags) {
  auto fd = sys::open_at(group_fd, file, flags | O_NOFOLLOW);
  if (!fd) return fail_errno(ErrorCode::setup_failed, "open " + group_path + "/" + file, fd.error().sys_errno);
  return fd;
}

sys::UniqueFd open_reading(int group_fd, const char* file) {
  auto fd = sys::open_at(group_fd, file, O_RDONLY | O_NOFOLLOW);
  return fd ? std::move(*fd) : sys::UniqueFd{};
}

Status write_control(int group_fd, const std::string& group_path, const char* file, std::string_view value) {
  auto fd = open_control(group_fd, group_path, file, O_WRONLY);
  if (!fd) return fail(fd.error());
  ssize_t n;
  do {
    n = ::write(fd->get(), value.data(), value.size());
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return {};
  return fail_errno(ErrorCode::setup_failed, "write " + std::string(value) + " to " + group_path + "/" + file, errno);
}

Result<std::string> read_control(int group_fd, const std::string& group_path, const char* file) {
  auto fd = open_control(group_fd, group_path, file, O_RDONLY);
  if (!fd) return fail(fd.error());
  auto text = sys::read_fd(fd->get(), kMaxControlFile);
  if (!text) return fail(text.error().while_doing(group_path + "/" + file));
  return text;
}

std::string read_again(int fd) {
  char buffer[4096];
  ssize_t n;
  do {
    n = fd < 0 ? 0 : ::pread(fd, buffer, sizeof buffer, 0);
  } while (n < 0 && errno == EINTR);
  if (n > 0 && buffer[n - 1] == '\n') --n;
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = end == text.data() + text.size() || *end == '\n' || *end == ' ';
  if (error != std::errc{} || !whole) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto line = text.substr(at, end - at);
    if (line.size() > key.size() && line.substr(0, key.size()) == key && line[key.size()] == ' ') {
      return parse_number(line.substr(key.size() + 1));
    }
    at = end + 1;
  }
  return std::nullopt;
}

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto blank = [&](std::size_t i) { return text[i] == ' ' || text[i] == '\n'; };
    const std::size_t end = at + word.size();
    if ((at == 0 || blank(at - 1)) && (end == text.size() || blank(end))) return true;
  }
  return false;
}

std::vector<std::string> tree_of(const std::string& path) {
  std::vector<std::string> all;
  struct stat st {};
  if (::lstat(path.c_str(), &st) == 0 && st.st_nlink == 2) return {path};  // kernfs: 2 + the number of subdirectories
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (entry->d_type != DT_DIR || name == "." || name == "..") continue;
    for (auto& below : tree_of(path + "/" + std::string(name))) all.push_back(std::move(below));
  }
  all.push_back(path);
  return all;
}

}  // namespace helios::cgroup
