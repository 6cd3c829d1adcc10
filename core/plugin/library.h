/// Loads a vetted file for the life of the process. Boost.DLL's only home.
#pragma once

#include <chrono>
#include <string>

#include "core/plugin/trusted_path.h"
#include "helios/error.h"

namespace helios::plugin {

/// Enough for any initialiser that means well; a load takes about half a millisecond.
inline constexpr std::chrono::milliseconds kLoadDeadline{5000};

/// Loads `file` (every symbol bound at once, nothing of it visible to others) and finds the object `symbol` in it.
/// Never unloaded. By its path, so that debuggers and profilers know it; that the file behind the path is still the
/// vetted one is checked after the load.
///
/// An initialiser that throws, crashes or outlasts `deadline` is an Error (plugin_rejected), and after it this process
/// loads nothing more: the dynamic loader's lock and state are as the initialiser left them. While the load lasts the
/// process's handlers for SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGALRM are replaced, so load on start-up,
/// before there are other threads, and end the process from the same thread.
[[nodiscard]] Result<const void*> load_symbol(const TrustedFile& file, const std::string& symbol,
                                              std::chrono::milliseconds deadline = kLoadDeadline);

}  // namespace helios::plugin
