#include "apps/helios-run/wiring.h"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "core/executor/places.h"

extern char** environ;

namespace helios::app {
namespace {

std::string value_of(const std::vector<EnvVar>& env, std::string_view name) {
  for (const EnvVar& v : env) {
    if (v.name == name) return v.value;
  }
  return {};
}

// XDG says: relative paths are to be ignored.
std::string absolute_or_empty(const std::string& path) { return path.starts_with('/') ? path : std::string(); }

std::string state_dir(const std::vector<EnvVar>& env) {
  if (::geteuid() == 0) return "/run/helios";
  const std::string runtime = absolute_or_empty(value_of(env, "XDG_RUNTIME_DIR"));
  return runtime.empty() ? "/tmp/helios-" + std::to_string(::geteuid()) : runtime + "/helios";
}

std::string cache_dir(const std::vector<EnvVar>& env) {
  if (::geteuid() == 0) return "/var/cache/helios";
  const std::string cache = absolute_or_empty(value_of(env, "XDG_CACHE_HOME"));
  if (!cache.empty()) return cache + "/helios";
  const std::string home = absolute_or_empty(value_of(env, "HOME"));
  return home.empty() ? std::string() : home + "/.cache/helios";
}

}  // namespace

std::string program_dir() {
  char path[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  if (n <= 0) return {};
  const std::string_view file(path, static_cast<std::size_t>(n));
  return std::string(file.substr(0, file.rfind('/')));
}

std::vector<std::string> plugin_dirs(const Settings& settings) {
  std::vector<std::string> dirs = settings.plugin_dirs;
  dirs.insert(dirs.end(), settings.plugin_path.begin(), settings.plugin_path.end());
  if (const std::string here = program_dir(); !here.empty()) {
    dirs.push_back(here + "/../" HELIOS_LIBDIR "/helios/plugins");
    dirs.push_back(here + "/../plugins");
  }
  return dirs;
}

std::vector<std::string> policy_dirs() {
  const std::string here = program_dir();
  if (here.empty()) return {};
  // Their paths are shown to people.
  return {normalise(here + "/../" HELIOS_DATADIR "/helios/policies"), normalise(here + "/../policies")};
}

std::vector<EnvVar> environment_of_process() {
  std::vector<EnvVar> env;
  for (char** v = environ; *v != nullptr; ++v) {
    char* const eq = std::strchr(*v, '=');
    if (eq != nullptr && eq != *v) env.push_back({std::string(*v, eq), std::string(eq + 1)});
  }
  return env;
}

Result<Surroundings> surroundings_of_process() {
  Surroundings s;
  char cwd[PATH_MAX];
  if (::getcwd(cwd, sizeof cwd) == nullptr || cwd[0] != '/') {
    return fail_errno(ErrorCode::io, "the current directory", cwd[0] != '/' ? ENOENT : errno,
                      "start in one that exists");
  }
  s.cwd = cwd;
  s.env = environment_of_process();
  s.state_dir = state_dir(s.env);
  s.cache_dir = cache_dir(s.env);
  return s;
}

plugin::RunnerCatalog make_catalog(const Settings& settings) {
  plugin::CatalogOptions options;
  options.hash_list = settings.plugin_hashes;
  return plugin::RunnerCatalog(plugin_dirs(settings), options);
}

Result<Executor> make_executor(plugin::RunnerCatalog& catalog, const std::string& runner, Log& log, int cancel_fd) {
  auto loaded = catalog.open(runner);
  if (!loaded) return fail(loaded.error());
  ExecutorHooks hooks;
  hooks.log = [&log](LogLevel level, std::string_view message) { log.write(level, message); };
  hooks.cancel_fd = cancel_fd;
  hooks.plan_with = [&catalog, &log](std::string_view name, const ExecutionRequest& request) -> Result<Plan> {
    auto other = make_executor(catalog, std::string(name), log, -1);
    if (!other) return fail(other.error());
    return other->plan(request);
  };
  return Executor({&(*loaded)->runner(), (*loaded)->name, (*loaded)->version, (*loaded)->confines_nothing},
                  std::move(hooks));
}

OutputFormat output_format(const Settings& settings) {
  if (settings.output) return *settings.output;
  return ::isatty(STDOUT_FILENO) != 0 ? OutputFormat::text : OutputFormat::json;
}

}  // namespace helios::app
