#define BOOST_DLL_USE_STD_FS
#include "core/plugin/library.h"

#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include <atomic>
#include <boost/dll/shared_library.hpp>
#include <optional>
#include <vector>

#include "core/plugin/load_guard.h"

namespace helios::plugin {
namespace {

std::atomic<bool> loader_broken{false};

/// Never unloaded, on purpose; linked up so that leak checkers see that they are still known.
struct Loaded {
  boost::dll::shared_library library;
  Loaded* next{nullptr};
};
std::atomic<Loaded*> all_loaded{nullptr};

boost::dll::shared_library& new_library() {
  auto* const one = new Loaded;
  one->next = all_loaded.load();
  while (!all_loaded.compare_exchange_weak(one->next, one)) continue;
  return one->library;
}

/// What one attempt to load is about; plain references, as its frame may be abandoned.
struct Attempt {
  const std::string& path;
  boost::dll::shared_library& library;
  std::string problem;  // from the dynamic loader; empty: loaded
  bool threw{false};
};

void load(void* argument) {
  auto& attempt = *static_cast<Attempt*>(argument);
  using boost::dll::load_mode::rtld_local;
  using boost::dll::load_mode::rtld_now;
  try {
    // With an error code: what() of the exception ends in a guessed errno.
    boost::dll::fs::error_code failed;
    attempt.library.load(attempt.path, failed, rtld_now | rtld_local);
    if (!failed) return;
    const char* const why = ::dlerror();
    attempt.problem = why != nullptr ? why : failed.message();
  } catch (const std::exception& e) {  // reached where both sides share one C++ runtime (sanitizer builds)
    attempt.threw = true;
    attempt.problem = std::string("an exception in its initialiser: ") + e.what();
  } catch (...) {
    attempt.threw = true;
    attempt.problem = "an exception in its initialiser";
  }
}

tl::unexpected<Error> broken(const std::string& path, const std::string& found) {
  loader_broken = true;
  return refuse(path, found, "one that loads without incident", "mend or remove the plugin");
}

tl::unexpected<Error> stopped_by(int signal, const std::string& path, std::chrono::milliseconds deadline) {
  if (signal == SIGALRM) {
    return broken(path, "an initialiser that was not done after " + std::to_string(deadline.count()) + " ms");
  }
  const std::string name = ::sigabbrev_np(signal);
  const std::string cause = signal == SIGABRT ? " (an exception that nobody caught, or abort())" : "";
  return broken(path, "an initialiser that ended in SIG" + name + cause);
}

Status check_same_file(const TrustedFile& file) {
  struct stat st {};
  if (::stat(file.path.c_str(), &st) == 0 && st.st_dev == file.device && st.st_ino == file.inode) return {};
  return refuse(file.path, "another file in its place while it was being loaded", "the one that was checked",
                "start again");
}

}  // namespace

Result<const void*> load_symbol(const TrustedFile& file, const std::string& symbol,
                                std::chrono::milliseconds deadline) {
  if (loader_broken) {
    return fail(ErrorCode::plugin_rejected, "load " + file.path + ": an earlier plugin broke the dynamic loader",
                "mend or remove that plugin, and start again");
  }
  boost::dll::shared_library& library = new_library();
  Attempt attempt{file.path, library, {}};
  if (const int signal = run_guarded(load, &attempt, deadline); signal != 0) {
    return stopped_by(signal, file.path, deadline);
  }
  if (attempt.threw) return broken(file.path, attempt.problem);
  if (!attempt.problem.empty()) {
    return fail(ErrorCode::plugin_rejected, "load " + file.path + ": " + attempt.problem,
                "install what it lacks, or build it for this host");
  }
  if (auto same = check_same_file(file); !same) return fail(same.error());
  if (!library.has(symbol)) {
    return refuse(file.path, "no symbol " + symbol, "one", "build it with helios_add_runner and HELIOS_RUNNER_PLUGIN");
  }
  return static_cast<const void*>(&library.get<const char>(symbol));
}

}  // namespace helios::plugin
