/// The name of a signal, as results and messages write it.
#pragma once

#include <csignal>
#include <cstring>
#include <string>

namespace helios::sys {

/// "SIGKILL"; "SIGRTMIN+3" for a real-time signal; "SIG" and the number for one without a name.
[[nodiscard]] inline std::string signal_name(int signal) {
  if (const char* abbreviation = ::sigabbrev_np(signal)) return std::string("SIG") + abbreviation;
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) return "SIGRTMIN+" + std::to_string(signal - SIGRTMIN);
  return "SIG" + std::to_string(signal);
}

}  // namespace helios::sys
