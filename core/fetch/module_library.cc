#include "core/fetch/module_library.h"

#include <sys/stat.h>

#include <map>
#include <mutex>

#include "core/plugin/library.h"
#include "core/plugin/vetting.h"

namespace helios::fetch {
namespace {

Result<const HeliosFetchModule*> load(const std::string& path, const std::string& name) {
  const Result<plugin::TrustedFile> file = plugin::vet_module(path, "fetch");
  if (!file) return fail(file.error());
  const Result<const void*> symbol = plugin::load_symbol(*file, "helios_fetch_module_v1");
  if (!symbol) return fail(symbol.error());
  const auto* module = static_cast<const HeliosFetchModule*>(*symbol);
  if (module->size < sizeof(HeliosFetchModule) || name != module->name) {
    return fail(ErrorCode::plugin_rejected, path + ": it is not the fetch module \"" + name + "\"");
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
    auto module = load(path, name);
    if (module) loaded.emplace(path, *module);
    return module;
  }
  return fail(ErrorCode::fetch_failed, "no module " + file + " in " + joined(dirs),
              name == "http" ? "install it beside the runners: it comes with helios-run"
                             : "only http and https come with helios-run");
}

}  // namespace helios::fetch
