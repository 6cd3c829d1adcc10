/// The class a plugin author writes. `helios/plugin.h` adapts it to the C table that crosses the boundary.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "helios/error.h"
#include "helios/execution.h"
#include "helios/request.h"

namespace helios {

enum class Severity : std::uint32_t { ok, degraded, blocking };

/// One thing `probe()` or `plan()` found out about this host.
struct Finding {
  std::string feature;  ///< "user-namespaces", "cgroup:memory" …
  Severity severity{Severity::ok};
  std::string detail;  ///< what was tried and what happened
  std::string remedy;  ///< what the operator can do; empty when ok
  bool operator==(const Finding&) const = default;
};

/// One line of a plan: what would be done. Items of one section keep their order.
struct PlanItem {
  std::string section;  ///< "argv", "env", "ids", "mounts", "namespaces", "limits", "seccomp", "landlock" …
  std::string key;
  std::string value;
  bool operator==(const PlanItem&) const = default;
};

/// What a run would do, computed by the code that does it. `detail` is the runner's own, opaque to the host.
struct Plan {
  ExecutionRequest request;
  std::vector<PlanItem> items;
  std::vector<Finding> missing;  ///< what this host lacks; a blocking one makes run() fail
  std::shared_ptr<const void> detail;
};

/// `timeline` is not the command's: whole JSON lines, one per sample, told only if ExecutionRequest::timeline_ms asks.
enum class Stream : std::uint32_t { out = 1, err = 2, timeline = 3 };
enum class LogLevel : std::uint32_t { debug, info, warning, error };

/// What the host offers a runner while it works. Lives as long as the call. [the calling thread only]
class Host {
 public:
  virtual ~Host() = default;
  /// Bytes of the command's output, in order per stream. The host bounds what it keeps.
  virtual void output(Stream stream, std::string_view bytes) noexcept = 0;
  /// Where the next bytes of `stream` would be kept. Reading them right there saves copying them: pass what was read to
  /// `output`, from the first byte of the room on, and leave the bytes behind it as they are. Empty: nowhere yet, use
  /// memory of your own. Valid until the next call that is about the same stream.
  [[nodiscard]] virtual std::span<char> room(Stream /*stream*/) noexcept { return {}; }
  virtual void log(LogLevel level, std::string_view message) noexcept = 0;
  /// Readable when the run is to be cancelled. Each byte is a signal number: the first one asks (SIGTERM, grace,
  /// SIGKILL), the second one kills at once. -1: cannot be cancelled. Read it, never close it.
  [[nodiscard]] virtual int cancel_fd() const noexcept = 0;
  /// Plans `request` with another runner (for dry-run).
  [[nodiscard]] virtual Result<Plan> plan_with(std::string_view runner, const ExecutionRequest& request) noexcept = 0;
};

class Runner {
 public:
  virtual ~Runner() = default;
  /// What works on this host, what does not, why, and the remedy. Tries things; leaves nothing behind.
  [[nodiscard]] virtual Result<std::vector<Finding>> probe(Host& host) noexcept = 0;
  /// What `run` would do. Starts nothing, changes nothing.
  [[nodiscard]] virtual Result<Plan> plan(const ExecutionRequest& request, Host& host) noexcept = 0;
  /// The items of a plan of this runner's, asked for only when somebody will read them. For runners whose `plan` leaves
  /// them out because they cost something.
  [[nodiscard]] virtual Result<std::vector<PlanItem>> describe(const Plan& plan) noexcept { return plan.items; }
  /// Runs the plan to its end. An Error means: nothing of the command ran. Leaves no process, mount, group or file.
  /// [any thread; several runs may be under way at once]
  [[nodiscard]] virtual Result<Execution> run(const Plan& plan, Host& host) noexcept = 0;
};

}  // namespace helios
