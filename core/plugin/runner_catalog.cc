#include "core/plugin/runner_catalog.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <set>

#include "core/plugin/plugin_check.h"
#include "core/plugin/vetting.h"
#include "helios/plugin.h"

namespace helios::plugin {
namespace {

constexpr std::string_view kPrefix = "helios-runner-";
constexpr std::string_view kSuffix = ".so";

std::string file_in(const std::string& dir, std::string_view name) {
  return dir + "/" + std::string(kPrefix) + std::string(name) + std::string(kSuffix);
}

/// The NAME of helios-runner-NAME.so, whether it is a good one or not; empty for other files.
std::string_view name_of(std::string_view file) {
  if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix)) return {};
  if (file.size() <= kPrefix.size() + kSuffix.size()) return {};
  return file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size());
}

struct CloseDir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

/// Names of the runners in one folder, sorted; a folder that cannot be read has none.
std::vector<std::string> names_in(const std::string& dir) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDir> open(::opendir(dir.c_str()));
  if (!open) return names;
  while (const dirent* entry = ::readdir(open.get())) {
    if (const auto name = name_of(entry->d_name); !name.empty()) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? std::string() : std::string(between)) + word;
  return out;
}

/// Is something of that name there, be it a dangling link? Only "no" lets the search go on.
Result<bool> exists(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return fail_errno(ErrorCode::plugin_rejected, "look for " + path, errno);
}

Status check_table(const HeliosRunnerPlugin& plugin, const std::string& path, std::string_view name) {
  const std::string rebuild = "rebuild it against the helios package that helios-run comes from";
  if (plugin.size < sizeof(HeliosRunnerPlugin)) {
    return refuse(path, "a table of " + std::to_string(plugin.size) + " bytes",
                  "at least " + std::to_string(sizeof(HeliosRunnerPlugin)), rebuild);
  }
  if (plugin.abi != HELIOS_ABI_GENERATION) {
    return refuse(path, "a table of ABI generation " + std::to_string(plugin.abi),
                  "generation " + std::to_string(HELIOS_ABI_GENERATION), rebuild);
  }
  const bool whole = plugin.name != nullptr && plugin.version != nullptr && plugin.summary != nullptr &&
                     plugin.build_tag != nullptr && plugin.probe != nullptr && plugin.plan != nullptr &&
                     plugin.run != nullptr;
  if (!whole) return refuse(path, "a table with holes", "every field filled in", "use HELIOS_RUNNER_PLUGIN");
  if (plugin.name != name) {
    return refuse(path, "a runner that calls itself \"" + std::string(plugin.name) + "\"",
                  "\"" + std::string(name) + "\", after the file's name", "rename the file, or the runner");
  }
  return {};
}

}  // namespace

LoadedRunner::LoadedRunner(const HeliosRunnerPlugin& plugin, std::string file)
    : name(plugin.name),
      version(plugin.version),
      summary(plugin.summary),
      path(std::move(file)),
      build_tag(plugin.build_tag),
      abi(plugin.abi),
      starts_nothing((plugin.flags & HELIOS_STARTS_NOTHING) != 0),
      inherits_environment((plugin.flags & HELIOS_INHERITS_ENVIRONMENT) != 0),
      confines_nothing((plugin.flags & HELIOS_CONFINES_NOTHING) != 0),
      adapter_(plugin) {}

Result<std::unique_ptr<LoadedRunner>> load_runner(const std::string& file, std::string_view name,
                                                  const CatalogOptions& options) {
  const auto vetted = vet_runner(file, options.hash_list);
  if (!vetted) return fail(vetted.error());
  const auto symbol = load_symbol(*vetted, HELIOS_RUNNER_SYMBOL, options.load_deadline);
  if (!symbol) return fail(symbol.error());
  const auto& plugin = *static_cast<const HeliosRunnerPlugin*>(*symbol);
  if (auto good = check_table(plugin, vetted->path, name); !good) return fail(good.error());
  return std::make_unique<LoadedRunner>(plugin, vetted->path);
}

RunnerCatalog::RunnerCatalog(std::vector<std::string> dirs, CatalogOptions options)
    : dirs_(std::move(dirs)), options_(std::move(options)) {}

Result<LoadedRunner*> RunnerCatalog::open(std::string_view name) {
  if (!is_runner_name(name)) {
    return fail(ErrorCode::invalid_argument,
                "open runner \"" + std::string(name) + "\": a runner's name is 1 to 32 of a-z, 0-9 and '-'",
                "runners here: " + known_names());
  }
  if (const auto it = loaded_.find(name); it != loaded_.end()) return it->second.get();
  const std::string doing = "open runner " + std::string(name);
  for (const auto& dir : dirs_) {
    const auto there = exists(file_in(dir, name));
    if (!there) return fail(there.error().while_doing(doing));
    if (!*there) continue;
    auto loaded = load_runner(file_in(dir, name), name, options_);
    if (!loaded) return fail(loaded.error().while_doing(doing));
    return loaded_.emplace(std::string(name), *std::move(loaded)).first->second.get();
  }
  return fail(ErrorCode::not_found,
              doing + ": no " + file_in("", name).substr(1) + " in " +
                  (dirs_.empty() ? "no folder" : joined(dirs_, ":")) + "; runners here: " + known_names(),
              "choose one of these, or name the folder of its plugin with --plugin-dir");
}

std::vector<PluginReport> RunnerCatalog::list() {
  std::vector<PluginReport> reports;
  std::map<std::string, std::string> first;  // name -> file that open() would take
  for (const auto& dir : dirs_) {
    for (const auto& name : names_in(dir)) {
      const std::string file = file_in(dir, name);
      auto report = check_plugin(file, name, options_);
      const auto [it, is_first] = first.emplace(name, file);
      if (!is_first && it->second != file) report.shadowed_by = it->second;
      reports.push_back(std::move(report));
    }
  }
  return reports;
}

std::string RunnerCatalog::known_names() const {
  std::set<std::string> names;
  for (const auto& dir : dirs_) {
    for (auto& name : names_in(dir)) {
      if (is_runner_name(name)) names.insert(std::move(name));
    }
  }
  return names.empty() ? "none" : joined({names.begin(), names.end()}, ", ");
}

}  // namespace helios::plugin
