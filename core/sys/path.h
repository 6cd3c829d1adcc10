/// Paths as texts: nothing here looks at the file system.
#pragma once

#include <string>
#include <string_view>

namespace helios::sys {

/// Is `path` `root` itself or beneath it? Both absolute and normalised.
[[nodiscard]] constexpr bool lies_within(std::string_view path, std::string_view root) {
  if (root == "/") return path.starts_with('/');
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

/// The folder that `path` names something in: "." for a name alone.
[[nodiscard]] inline std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace helios::sys
