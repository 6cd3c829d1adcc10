#include "core/executor/ending.h"

#include <csignal>
#include <string>

#include "core/spec/worker_result_json.h"
#include "core/sys/signal_name.h"

namespace helios {
namespace {

constexpr int kSignalBase = 128;
constexpr int kByLimit = kSignalBase + SIGKILL;

// A number that can never be mistaken for success.
int failing(int code, int otherwise) { return code > 0 && code <= 255 ? code : otherwise; }

int by_signal(int signal, int otherwise) { return signal > 0 ? failing(kSignalBase + signal, otherwise) : otherwise; }

/// No limit was passed: there was a folder that could not be looked into.
bool hid_its_growth(const Termination& end) { return !end.evidence.empty() && end.evidence.front().field == "errno"; }

}  // namespace

int exit_code_of(const Termination& end) {
  switch (end.reason) {
    case Reason::exited:
      return end.exit_code >= 0 && end.exit_code <= 255 ? end.exit_code : kRunnerFailed;
    case Reason::signaled:
      return by_signal(end.signal, failing(end.exit_code, kByLimit));
    case Reason::cancelled:
      return by_signal(end.cancel_signal, kSignalBase + SIGTERM);
    case Reason::syscall_denied:
      return by_signal(end.signal, kByLimit);
    case Reason::output_limit:
    case Reason::wall_time_limit:
    case Reason::idle_limit:
    case Reason::cpu_time_limit:
    case Reason::disk_limit:
    case Reason::memory_limit:
    case Reason::process_limit:
    case Reason::host_out_of_memory:
      return kByLimit;
    case Reason::not_started:
      return end.exit_code == 126 ? 126 : 127;
    case Reason::output_missing:
      return 1;
    case Reason::setup_failed:
      return kRunnerFailed;
  }
  return kRunnerFailed;
}

Retry retry_of(const Termination& end) {
  switch (end.reason) {
    case Reason::exited:
    case Reason::output_missing:
    case Reason::syscall_denied:
      return Retry::never;  // the command's own doing: it would do it again
    case Reason::signaled:
      // Somebody outside ended it (a preempted host, an operator); a crash of its own would come back.
      return end.signal == SIGKILL || end.signal == SIGTERM || end.signal == SIGHUP || end.signal == SIGINT
                 ? Retry::same
                 : Retry::never;
    case Reason::cancelled:
    case Reason::idle_limit:  // it hung: nothing says that waiting longer would help
      return Retry::same;
    case Reason::output_limit:
    case Reason::wall_time_limit:
    case Reason::cpu_time_limit:
    case Reason::memory_limit:
    case Reason::process_limit:
      return Retry::raise_limit;
    case Reason::disk_limit:
      return hid_its_growth(end) ? Retry::never : Retry::raise_limit;
    case Reason::host_out_of_memory:
    case Reason::setup_failed:
      return Retry::other_host;
    case Reason::not_started:
      return end.exit_code == 126 ? Retry::never : Retry::other_host;  // 127: not installed here
  }
  return Retry::never;
}

std::string describe(const Termination& end) {
  switch (end.reason) {
    case Reason::exited:
      return "exited with " + std::to_string(end.exit_code);
    case Reason::signaled:
      return "was ended by " + sys::signal_name(end.signal);
    case Reason::cancelled:
      return end.cancel_signal > 0 ? "was cancelled by " + sys::signal_name(end.cancel_signal)
                                   : std::string("was cancelled");
    case Reason::output_limit:
      return "wrote more than its output limit";
    case Reason::wall_time_limit:
      return "ran longer than its time limit";
    case Reason::idle_limit:
      return "did nothing for longer than its idle limit";
    case Reason::cpu_time_limit:
      return "used more than its CPU time limit";
    case Reason::disk_limit:
      return hid_its_growth(end) ? "left a folder that could not be counted" : "wrote more than its disk limit";
    case Reason::memory_limit:
      return "exceeded its memory limit";
    case Reason::process_limit:
      return "hit its process limit";
    case Reason::syscall_denied:
      return "made a system call that ends a run";
    case Reason::host_out_of_memory:
      return "was ended because the host ran out of memory";
    case Reason::output_missing:
      return "exited with 0 but left no output file";
    case Reason::not_started:
      return end.exit_code == 126 ? "could not be executed" : "was not found";
    case Reason::setup_failed:
      return "was not run: the sandbox could not be set up";
  }
  return "ended for an unknown reason";
}

std::optional<Limit> limit_behind(const Termination& end) {
  switch (end.reason) {
    case Reason::output_limit:
      return Limit::output_bytes;
    case Reason::wall_time_limit:
      return Limit::wall_time;
    case Reason::idle_limit:
      return Limit::idle_time;
    case Reason::cpu_time_limit:
      return Limit::cpu_time;
    case Reason::memory_limit:
      return Limit::memory;
    case Reason::process_limit:
      return Limit::processes;
    case Reason::disk_limit:
      if (hid_its_growth(end)) return std::nullopt;
      return !end.evidence.empty() && end.evidence.front().field == "files" ? Limit::disk_files : Limit::disk_bytes;
    default:
      return std::nullopt;
  }
}

}  // namespace helios
