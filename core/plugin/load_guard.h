/// Survives an initialiser that crashes, aborts or hangs inside dlopen.
#pragma once

#include <chrono>

namespace helios::plugin {

/// Calls `work(argument)` and answers 0, or the signal that ended it: the one it died of, or SIGALRM at `deadline`.
///
/// Why signals and no catch block: with the C++ runtime linked into both sides, an exception that leaves the plugin's
/// initialiser meets two unwinders that do not know each other and ends in abort(). And why not a forked child: that
/// costs 1 to 4 ms of every start, for a fault that needs a broken plugin.
/// After a signal the frames of `work` are abandoned, not unwound: what they held stays held.
[[nodiscard]] int run_guarded(void (*work)(void*), void* argument, std::chrono::milliseconds deadline) noexcept;

}  // namespace helios::plugin
