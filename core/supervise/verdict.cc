#include "core/supervise/verdict.h"

#include <sys/wait.h>

#include <cstring>

#include "core/sys/signal_name.h"

namespace helios::supervise {
namespace {

std::int64_t signed_of(std::uint64_t v) { return static_cast<std::int64_t>(v); }

/// v2's files tell of the group alone, v1's events of those above it, too.
bool counted_by_v2(const cgroup::Counters& c) { return c.oom_kills.source.starts_with("cgroup-v2"); }

/// The run's own limit had nothing left, rather than the host or a group above. That a limit was met says little: page
/// cache meets it, and is given back.
bool ran_out_itself(const cgroup::Counters& c, const ExecutionRequest& r) {
  const auto& limit = r.limits[Limit::memory];
  if (!limit || c.memory_oom.value == 0U) return false;
  if (c.memory_oom.value && counted_by_v2(c)) return true;
  // If it was a group above, the peak is below the limit by more than what is charged in batches.
  return !c.peak_memory_bytes.value || *c.peak_memory_bytes.value + (*limit / 8) + (1 << 20) >= *limit;
}

void judge_memory(Termination& t, const cgroup::Counters& c, const ExecutionRequest& r) {
  // v2 ends the whole group at once, and counts process 1 and some victims twice: a number would say nothing.
  const std::uint64_t kills = c.oom_kills.value.value_or(0);
  const std::string victims =
      counted_by_v2(c) ? "the kernel killed the run's processes"
                       : std::to_string(kills) + (kills == 1 ? " process" : " processes") + " killed by the kernel";
  if (ran_out_itself(c, r)) {
    t.reason = Reason::memory_limit;
    t.detail = "memory limit of " + std::to_string(*r.limits[Limit::memory]) + " bytes reached; " + victims;
  } else {
    t.reason = Reason::host_out_of_memory;
    t.detail = "the host, or a control group above this run's, ran out of memory; " + victims;
  }
}

void judge_end(Termination& t, const Observation& seen) {
  const int status = seen.ended->wait_status;
  if (WIFSIGNALED(status)) {
    t.reason = Reason::signaled;
    t.detail = "ended by " + sys::signal_name(WTERMSIG(status));
  } else {
    t.reason = Reason::exited;
    t.detail = "exited with status " + std::to_string(WEXITSTATUS(status));
  }
}

bool is_hang(Reason r) { return r == Reason::wall_time_limit || r == Reason::idle_limit; }

}  // namespace

Termination judge(const Observation& seen, const cgroup::Counters& counters, const ExecutionRequest& request) {
  Termination t;
  t.evidence = seen.evidence;
  t.cancel_signal = seen.cancel_signal;
  const std::uint64_t oom_kills = counters.oom_kills.value.value_or(0);
  const std::uint64_t refused_forks = counters.pids_max_hits.value.value_or(0);
  if (oom_kills > 0) {
    t.evidence.push_back({std::string(counters.oom_kills.source), "oom_kill", signed_of(oom_kills)});
    if (counters.memory_oom.value) {
      t.evidence.push_back({std::string(counters.memory_oom.source), "oom", signed_of(*counters.memory_oom.value)});
    }
  }
  if (refused_forks > 0) {
    t.evidence.push_back({std::string(counters.pids_max_hits.source), "max", signed_of(refused_forks)});
  }
  if (counters.memory_high_hits.value.value_or(0) > 0 && request.limits[Limit::memory_high]) {
    const auto& slowed = counters.memory_high_hits;
    t.evidence.push_back({std::string(slowed.source), "high", signed_of(*slowed.value)});
  }
  if (seen.ended) {
    const int status = seen.ended->wait_status;
    t.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    t.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  if (seen.cause && *seen.cause != Reason::memory_limit) {
    t.reason = *seen.cause;
    t.detail = seen.detail;
  } else if (oom_kills > 0) {
    judge_memory(t, counters, request);
  } else if (!seen.ended) {
    t.reason = Reason::signaled;
    t.detail = "could not be brought to an end";
  } else {
    judge_end(t, seen);
  }

  // Refused forks are the reason only if the command then failed or hung: a program may well cope with one.
  const bool failed = (t.reason == Reason::exited && t.exit_code != 0) || t.reason == Reason::signaled;
  if (refused_forks > 0 && (failed || is_hang(t.reason))) {
    const std::string then = t.detail;
    t.reason = Reason::process_limit;
    t.detail = "process limit of " + std::to_string(request.limits[Limit::processes].value_or(0)) + " reached " +
               std::to_string(refused_forks) + (refused_forks == 1 ? " time; " : " times; ") + then;
  }
  return t;
}

}  // namespace helios::supervise
