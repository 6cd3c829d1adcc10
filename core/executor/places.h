/// Where a run happens: the tree the command may write, its working directory, its output file. Nothing the command
/// can influence is trusted by name: what lies beneath the workspace is opened with `sys::open_beneath`.
#pragma once

#include <string>
#include <string_view>

#include "helios/error.h"

namespace helios {

/// What was asked for. Empty means "not given"; relative paths are relative to `cwd`.
struct PlaceRequest {
  std::string cwd;          ///< the caller's working directory, absolute
  std::string spec_dir;     ///< the spec's folder; empty for a URL, stdin or no spec
  std::string workspace;    ///< --workspace
  std::string workdir;      ///< --workdir
  std::string output_file;  ///< the chunk's outputFile, as written
  std::string home{};       ///< the caller's home, empty if unknown
};

/// All absolute, links in `workspace` and `workdir` resolved.
struct Places {
  std::string workspace;
  std::string workdir;      ///< --workdir, else the spec's folder if inside the workspace, else the workspace
  std::string output_file;  ///< `outputFile` seen from the working directory; empty when none was named
  bool operator==(const Places&) const = default;
};

/// Errors: invalid_argument for a workspace that is missing, no directory, a symbolic link, not writable or part of
/// the system, a working directory outside it; invalid_spec for an output file outside it.
[[nodiscard]] Result<Places> resolve_places(const PlaceRequest& asked);

/// "/a/b" for "/a/./x/../b//": by the letters alone. `path` is absolute.
[[nodiscard]] std::string normalise(std::string_view path);

/// Why no command may be given this directory to write; empty when it may. `path` is absolute and resolved.
[[nodiscard]] std::string_view why_system_directory(std::string_view path);

/// Where `path` (absolute) leads, for what is shown to a command. Links are followed only where no command can have
/// made them, in folders that can be no workspace (/, /etc, /var …): an earlier chunk's would lead anywhere. A path
/// whose end is missing is returned as far as it could be resolved. Errors: invalid_argument, naming `what`, the link
/// and where the path leads; io.
[[nodiscard]] Result<std::string> resolve_source(const std::string& path, std::string_view what);

}  // namespace helios
