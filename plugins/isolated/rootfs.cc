#include "plugins/isolated/rootfs.h"

#include <sys/stat.h>

#include <cerrno>

namespace helios::isolated {
namespace {

/// The mode of what is there, links not followed; 0: nothing. An image comes from somebody else, so a link named rootfs
/// or config.json makes no bundle: it could lead to any folder of the host.
mode_t kind_of(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_mode & S_IFMT : 0;
}

}  // namespace

Result<std::string> find_rootfs(const std::string& dir) {
  struct stat st {};
  if (::stat(dir.c_str(), &st) != 0) return fail_errno(ErrorCode::not_found, "root file system " + dir, errno);
  if (!S_ISDIR(st.st_mode)) {
    return fail(ErrorCode::invalid_argument, "root file system " + dir + ": is not a directory");
  }
  if (dir.find_first_of(",:\\") != std::string::npos) {
    return fail(ErrorCode::invalid_argument,
                "root file system " + dir + ": overlay takes no ',', ':' or '\\' in a path", "rename the directory");
  }
  if (kind_of(dir + "/oci-layout") == S_IFREG) {
    return fail(ErrorCode::invalid_argument, "root file system " + dir + ": is an OCI image that is still packed",
                "unpack it: umoci unpack --image " + dir + ":TAG BUNDLE, then --rootfs BUNDLE");
  }
  const bool bundle = kind_of(dir + "/config.json") == S_IFREG && kind_of(dir + "/rootfs") == S_IFDIR;
  return bundle ? dir + "/rootfs" : dir;
}

}  // namespace helios::isolated
