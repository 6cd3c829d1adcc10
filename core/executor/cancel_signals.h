/// Signals that end a run, turned into bytes on a pipe; and the process state that a caller may have left odd.
#pragma once

#include <array>
#include <csignal>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios {

/// While it lives, SIGINT, SIGTERM, SIGHUP and SIGQUIT each write their number to `fd()` instead of ending us. A
/// SIGHUP that was ignored on entry stays ignored (nohup). At most one may live at a time. [main thread]
class CancelSignals {
 public:
  [[nodiscard]] static Result<CancelSignals> install();
  CancelSignals(CancelSignals&& other) noexcept;
  CancelSignals& operator=(CancelSignals&&) = delete;
  ~CancelSignals();

  /// What Host::cancel_fd() is to answer.
  [[nodiscard]] int fd() const { return read_.get(); }

  static constexpr std::array<int, 4> kSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

 private:
  CancelSignals() = default;
  sys::UniqueFd read_, write_;
  std::array<struct sigaction, kSignals.size()> before_{};
  bool installed_{false};
};

/// At the start of a program: no signal blocked, SIGPIPE ignored (writes report it), SIGCHLD as by default (else no
/// child could be waited for).
void repair_inherited_signals() noexcept;

}  // namespace helios
