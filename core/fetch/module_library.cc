#include "core/fetch/module_library.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <mutex>

namespace helios::fetch {
namespace {

Result<const HeliosFetchModule*> load(const std::string& path, const std::string& name) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return fail_errno(ErrorCode::plugin_rejected, path, errno);
  if (!S_ISREG(st.st_mode)) return fail(ErrorCode::plugin_rejected, path + ": not a regular file");
  if ((st.st_uid != 0 && st.st_uid != ::geteuid()) || (st.st_mode & 022) != 0) {
    return fail(ErrorCode::plugin_rejected, path + ": another user could have written it");
  }
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return fail(ErrorCode::plugin_rejected, path + ": " + ::dlerror());
  const auto* module = static_cast<const HeliosFetchModule*>(::dlsym(library, "helios_fetch_module_v1"));
  if (module == nullptr || module->size < sizeof(HeliosFetchModule) || name != module->name) {
    return fail(ErrorCode::plugin_rejected, path + ": not the fetch module for " + name);
  }
  return module;
}

std::string joined(const std::vector<std::string>& dirs) {
  std::string text;
  for (const std::string& dir : dirs) text += (text.empty() ? "" : ", ") + dir;
  return text.empty() ? "no folder at all" : text;
}

}  // namespace

Result<const HeliosFetchModule*> load_fetch_module(const std::string& name, const std::vector<std::string>& dirs) {
  static std::mutex mutex;
  static std::map<std::string, const HeliosFetchModule*> loaded;  // by path
  const std::scoped_lock lock(mutex);
  const std::string file = "helios-fetch-" + name + ".so";
  for (const std::string& dir : dirs) {
    const std::string path = dir + "/" + file;
    if (const auto known = loaded.find(path); known != loaded.end()) return known->second;
    struct stat st {};
    if (::stat(path.c_str(), &st) != 0 && (errno == ENOENT || errno == ENOTDIR)) continue;
    const Result<const HeliosFetchModule*> module = load(path, name);
    if (module) loaded.emplace(path, *module);
    return module;
  }
  return fail(ErrorCode::fetch_failed, "no module " + file + " in " + joined(dirs) + " (http and https are built in)");
}

}  // namespace helios::fetch
