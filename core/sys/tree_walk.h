/// A folder with everything beneath it, visited without trusting it: no link is followed, the file system is not left,
/// and neither memory nor descriptors run out however wide or deep somebody makes it.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::sys {

/// What is done on the way.
class TreeVisitor {
 public:
  enum class Next { pass, enter, stop };

  virtual ~TreeVisitor() = default;
  /// A folder, the top too, before what is in it. `fd` may be O_PATH.
  [[nodiscard]] virtual Status folder(int fd, const struct stat& st) = 0;
  /// Anything in the folder `in`. `enter` is kept in mind and happens when all of `in` has been seen.
  [[nodiscard]] virtual Result<Next> entry(int in, const char* name) = 0;
  /// A folder that is there and cannot be listed. A success leaves it out.
  [[nodiscard]] virtual Status closed(int fd, const struct stat& st, Error why) = 0;
  /// The way up from a folder leads somewhere else than down: it, or one above it, was moved meanwhile. A success goes
  /// on with what is still in its place.
  [[nodiscard]] virtual Status moved() = 0;
};

/// The walk, in as many pieces as one likes. What vanishes meanwhile is left out, what cannot be looked at is an error
/// that names the folder.
class TreeWalk {
 public:
  /// `top`: a directory, O_PATH will do. It and the visitor outlive the walk.
  TreeWalk(int top, TreeVisitor& visitor) : top_(top), visitor_(visitor) {}

  enum class Progress { more, done };
  /// One entry, or one folder down or up. Call no more after `done` or an error.
  [[nodiscard]] Result<Progress> step();
  /// All that is left.
  [[nodiscard]] Status finish();

 private:
  /// A folder on the way down. Only the lowest is open.
  struct Level {
    std::string name;
    dev_t device;
    ino_t inode;
    std::vector<std::string> below;  // folders that are still to be visited
  };
  struct CloseDir {
    void operator()(DIR* d) const noexcept { ::closedir(d); }
  };

  [[nodiscard]] Result<Progress> start();
  [[nodiscard]] Result<Progress> next_entry();
  [[nodiscard]] Result<Progress> descend();
  [[nodiscard]] Result<Progress> ascend();
  [[nodiscard]] Status enter(UniqueFd folder, std::string name);
  [[nodiscard]] Status keep(const char* name);
  [[nodiscard]] Status find_the_way_again();
  void forget_lowest();
  [[nodiscard]] Result<bool> is_level(int fd, const Level& level) const;
  [[nodiscard]] std::string path_of(std::string_view name) const;
  [[nodiscard]] tl::unexpected<Error> cannot_look_into(std::string_view name, int error) const;

  int top_;
  TreeVisitor& visitor_;
  bool started_{false};
  std::vector<Level> levels_;
  UniqueFd at_;                             // the lowest level
  std::unique_ptr<DIR, CloseDir> listing_;  // of it, while it is listed
  std::size_t kept_bytes_{0};               // of all `below`
};

}  // namespace helios::sys
