/// The chunk's output file, before and after the run.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <optional>
#include <string>

#include "core/sys/unique_fd.h"
#include "helios/worker_result.h"

namespace helios {

/// What lay at the output file's place before the run; compared afterwards, so that a file left by an earlier run is
/// not taken for this one's.
class OutputContract {
 public:
  /// `path`: absolute, normalised, within `workspace`; empty: the run has no output file. `as_written`: as the spec has
  /// it.
  OutputContract(const std::string& workspace, const std::string& path, std::string as_written);

  /// Looks at the file without trusting it. Context: nothing of the command runs any more. Empty when the spec named
  /// no output. As soon as `cancelled` says so, the rest is not read and there is no digest.
  [[nodiscard]] std::optional<OutputFile> check(const std::function<bool()>& cancelled = {}) const;

 private:
  sys::UniqueFd workspace_;  // opened before the run: what has its name afterwards may be another
  std::string path_;         // seen from the workspace; empty: none
  std::string as_written_;
  std::optional<struct stat> before_;
};

}  // namespace helios
