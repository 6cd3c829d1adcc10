/// A file that appears whole or not at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios {

/// Opened before a run, under a name of its own beside the target, so that an unwritable place is found out before
/// anything starts; renamed into place by `commit`. Destroyed uncommitted, it leaves nothing behind. Until then the
/// draft is locked: a number in its name would mean nothing in another pid namespace or on another host.
class ResultFile {
 public:
  /// `writable`: trees in which a command may plant links (writable_trees); the folder is opened by open_named_folder.
  /// Errors: io; invalid_argument when `path` exists and is no regular file (a rename would replace a device).
  [[nodiscard]] static Result<ResultFile> open(const std::string& path, const std::vector<std::string>& writable);
  ResultFile(ResultFile&& other) noexcept;
  ResultFile& operator=(ResultFile&&) = delete;
  ~ResultFile();

  [[nodiscard]] Status commit(std::string_view text);

 private:
  ResultFile() = default;
  [[nodiscard]] Status make_draft(int number);
  [[nodiscard]] bool name_is_still_ours() const;
  sys::UniqueFd dir_, file_;
  std::string name_, temporary_, shown_;
};

/// A draft that a killed run left, ".NAME.PID.tmp" in `dir`, locked: it may be removed while the descriptor is held.
/// Empty: a run holds it, wherever that runs; or it is no regular file of ours; or its file system has no locks, so
/// that nobody can tell.
[[nodiscard]] sys::UniqueFd claim_draft(int dir, const std::string& name);

}  // namespace helios
