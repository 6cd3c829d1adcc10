/// Runners by name: found in an ordered list of folders, vetted, loaded once, never unloaded.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/plugin/library.h"
#include "core/plugin/plugin_runner.h"
#include "helios/error.h"
#include "helios/plugin_abi.h"
#include "helios/runner.h"

namespace helios::plugin {

/// A runner that is ready to be used. Lives as long as its catalog; its code as long as the process.
struct LoadedRunner {
  LoadedRunner(const HeliosRunnerPlugin& plugin, std::string file);

  std::string name;
  std::string version;
  std::string summary;
  std::string path;  ///< absolute, links resolved: what the dynamic loader was given
  std::string build_tag;
  std::uint32_t abi{0};
  bool starts_nothing{false};
  bool inherits_environment{false};
  bool confines_nothing{false};

  /// The adapter: any thread may use it, for several runs at once.
  [[nodiscard]] Runner& runner() noexcept { return adapter_; }

 private:
  PluginRunner adapter_;
};

/// One file of a plugin folder, for `helios-run plugins`.
struct PluginReport {
  std::string file;              ///< as found: folder + name
  std::string name;              ///< the runner's, from the file's name
  std::optional<Error> refusal;  ///< why it cannot be used; empty: it can
  std::string shadowed_by;       ///< the file that is taken instead, as its folder comes earlier; or empty
  std::string version;           ///< this and what follows: empty when refused
  std::string summary;
  std::string build_tag;
  std::uint32_t abi{0};
  bool starts_nothing{false};
  bool inherits_environment{false};
  bool confines_nothing{false};
  std::vector<Finding> findings;     ///< of its probe()
  std::optional<Error> probe_error;  ///< probe() failed, crashed or hung
};

struct CatalogOptions {
  std::string hash_list;  ///< a sha256sum file every plugin must stand in (HELIOS_PLUGIN_HASHES), or empty
  std::chrono::milliseconds load_deadline{kLoadDeadline};
  std::chrono::milliseconds check_deadline{10000};  ///< in list(): loading and probing one file
};

class RunnerCatalog {
 public:
  /// `dirs` in order; one that does not exist holds nothing.
  explicit RunnerCatalog(std::vector<std::string> dirs, CatalogOptions options = {});

  /// The first helios-runner-NAME.so in the order of the folders. One that is refused stops the search: falling through
  /// to another would run something else than what was put there. [one thread; the first call per name loads, see
  /// library.h] Errors: invalid_argument (no name of a runner), not_found (with the names that exist), plugin_rejected.
  [[nodiscard]] Result<LoadedRunner*> open(std::string_view name);

  /// Every helios-runner-*.so of every folder, sorted within a folder. Each is loaded and probed in a forked child with
  /// a deadline, so that a plugin that crashes or hangs is a line in the list. [before there are other threads]
  [[nodiscard]] std::vector<PluginReport> list();

 private:
  [[nodiscard]] std::string known_names() const;

  std::vector<std::string> dirs_;
  CatalogOptions options_;
  std::map<std::string, std::unique_ptr<LoadedRunner>, std::less<>> loaded_;
};

/// Vets and loads one file and checks its table; `name` is the runner's.
[[nodiscard]] Result<std::unique_ptr<LoadedRunner>> load_runner(const std::string& file, std::string_view name,
                                                                const CatalogOptions& options);

}  // namespace helios::plugin
