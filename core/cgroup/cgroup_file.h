/// Directories and control files of cgroupfs. Every path is checked to be cgroupfs and nothing is opened with O_CREAT:
/// on v1 hosts /sys/fs/cgroup is a tmpfs, where a wrong path would become an ordinary file, and "work".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::cgroup {

/// An open group. `path` is for messages and for what has no *at call.
struct Group {
  std::string path;
  sys::UniqueFd fd;
};

/// Errors: io with errno; setup_failed when the directory is no cgroupfs.
[[nodiscard]] Result<Group> open_group(const std::string& path);
/// mkdir, then open. An existing one is fine with `may_exist`.
enum class Existing { refused, accepted };
[[nodiscard]] Result<Group> make_group(const std::string& path, Existing existing);

[[nodiscard]] Result<sys::UniqueFd> open_control(int group_fd, const std::string& group_path, const char* file,
                                                 int flags);
/// The descriptor, or none when the kernel does not have the file (or it may not be read).
[[nodiscard]] sys::UniqueFd open_reading(int group_fd, const char* file);
/// One write(2) of the whole value, as cgroupfs wants it.
[[nodiscard]] Status write_control(int group_fd, const std::string& group_path, const char* file,
                                   std::string_view value);
[[nodiscard]] Result<std::string> read_control(int group_fd, const std::string& group_path, const char* file);

/// The file's text from its start, without the final newline; empty if unreadable. For descriptors that are kept open.
[[nodiscard]] std::string read_again(int fd);
/// A number; empty for "max" or anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);
/// The number after `key` in lines of "key value".
[[nodiscard]] std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key);
/// Is `word` one of the words of `text`, separated by blanks or newlines?
[[nodiscard]] bool has_word(std::string_view text, std::string_view word);

/// Directories below `path` and `path` itself, children before their parents.
[[nodiscard]] std::vector<std::string> tree_of(const std::string& path);

}  // namespace helios::cgroup
