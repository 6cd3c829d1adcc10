/// One start of helios-run (or of any program), seen from outside: what it was given, what came back.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/identity.h"

namespace helios::test {

/// HELIOS_RUN from the environment, else the one of this build tree.
[[nodiscard]] std::string helios_run_path();

/// A program of tests/probes: from HELIOS_PROBES, else from this build tree.
[[nodiscard]] std::string probe_path(std::string_view name);

/// Everything a program is started with. `env` is its whole environment.
struct Invocation {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> env;
  std::string cwd{"/"};
  std::string stdin_text;
  uid_t uid{0};
  gid_t gid{0};
  std::vector<int> ignored_signals;  ///< dispositions that it inherits as SIG_IGN
  std::vector<int> blocked_signals;
  std::vector<int> leaked_fds;  ///< stay open in it
  bool terminal{false};         ///< stdin is its controlling terminal, a pseudo terminal of ours
  bool closed_stdout{false};
  std::chrono::milliseconds deadline{20'000};
};

/// What came back. `timed_out`: the deadline passed and it was killed.
struct Finished {
  int exit_code{-1};  ///< 128+N if a signal ended it
  std::string out;
  std::string err;
  std::chrono::milliseconds elapsed{0};
  bool timed_out{false};
  nlohmann::json result;  ///< of `out`; null if that is not one JSON document

  [[nodiscard]] bool has_result() const { return result.is_object(); }
  [[nodiscard]] std::string reason() const;
  [[nodiscard]] std::string text(const char* stream) const;
  /// `resources.KEY`, if it is there and a number.
  [[nodiscard]] std::optional<double> figure(const char* key) const;
  /// The receipt's line for a limit.
  [[nodiscard]] std::optional<nlohmann::json> receipt(std::string_view limit) const;
  /// For messages: status, streams (cut), time.
  [[nodiscard]] std::string describe() const;
};

/// A started program. The destructor kills what was not waited for.
class Running {
 public:
  explicit Running(const Invocation& what);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// Waits for its end, until the deadline of the invocation.
  [[nodiscard]] Finished wait();
  [[nodiscard]] bool has_ended() const;

 private:
  pid_t pid_{-1};
  int pidfd_{-1}, out_{-1}, err_{-1}, in_{-1}, terminal_{-1};
  std::chrono::steady_clock::time_point started_, deadline_;
};

[[nodiscard]] Finished run_to_end(const Invocation& what);

/// An upper bound on time, times HELIOS_TEST_SLOWNESS: an emulated machine is some ten times slower.
[[nodiscard]] std::chrono::milliseconds patiently(std::chrono::milliseconds bound);

/// Is this a machine that is said to be slower? What it is kept from doing by its host counts as its own processor
/// time.
[[nodiscard]] inline bool emulated() { return patiently(std::chrono::milliseconds(1)) > std::chrono::milliseconds(1); }

/// Polls until `holds` or the limit; the answer is its last value.
[[nodiscard]] bool wait_until(const std::function<bool()>& holds,
                              std::chrono::milliseconds limit = patiently(std::chrono::milliseconds(10'000)));

}  // namespace helios::test
