/// Folders in which we write with the caller's rights: --log-dir, the parent of --result. Their names are the caller's,
/// but what lies there may be a command's: an earlier run's, a neighbour's, one that is running now.
#pragma once

#include <string>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/error.h"
#include "helios/request.h"

namespace helios {

/// The trees in which commands of this request may plant what they like: the workspace and whatever is bound to be
/// written. All absolute.
[[nodiscard]] std::vector<std::string> writable_trees(const ExecutionRequest& request);

enum class FolderMissing { is_an_error, is_made };  ///< made: 0700, the last component only

/// Opens the folder `path` (relative: to the current directory) for reading. Within a tree of `writable` no link is
/// followed. On the way there links are the caller's own and are followed, but never as the last component. Each folder
/// is opened from its parent's descriptor, so nothing can be exchanged meanwhile.
/// Errors: io with errno (ELOOP for a link).
[[nodiscard]] Result<sys::UniqueFd> open_named_folder(const std::string& path, const std::vector<std::string>& writable,
                                                      FolderMissing missing);

}  // namespace helios
