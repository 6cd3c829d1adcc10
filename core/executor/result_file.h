/// A file that appears whole or not at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios {

/// Opened before a run, under a name of its own beside the target, so that an unwritable place is found out before
/// anything starts; renamed into place by `commit`. Destroyed uncommitted, it leaves nothing behind.
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
  [[nodiscard]] bool name_is_still_ours() const;
  sys::UniqueFd dir_, file_;
  std::string name_, temporary_, shown_;
};

}  // namespace helios
