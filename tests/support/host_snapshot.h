/// What a run must leave as it was, seen from the host.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace helios::test {

/// Things by kind ("mount", "cgroup", "sysv", "shm", "mqueue", "tmp", "run", "net"), each with one line that identifies
/// it. Processes are not listed here: whoever is a subreaper knows them exactly (see descendants()). Shape: a sorted
/// set per kind. Only what could be ours is listed, so that neighbours on the host do no harm.
struct HostSnapshot {
  std::map<std::string, std::set<std::string>> things;
  bool operator==(const HostSnapshot&) const = default;
};

[[nodiscard]] HostSnapshot take_host_snapshot();

/// This process started `pid`: a group that bears its number is then ours to miss. [one thread]
void note_run(pid_t pid);

/// SysV keys of baits (tests/escape) look so: 0x0bXXXXXX. Their makers check and remove them.
inline constexpr int kBaitKeyShift = 24;
inline constexpr long kBaitKeyMark = 0x0b;

/// "kind: thing" for everything in `after` that is not in `before`, and "gone kind: thing" for the reverse.
[[nodiscard]] std::vector<std::string> differences(const HostSnapshot& before, const HostSnapshot& after);

/// All orphans of this process' tree come to it from now on, so that none can hide.
void become_subreaper();

struct ProcessSeen {
  pid_t pid{0};
  std::string name;
  uid_t uid{0};
};

/// Every living process below `ancestor` (zombies of our own are reaped and not listed).
[[nodiscard]] std::vector<ProcessSeen> descendants(pid_t ancestor);

/// Waits until this process has no descendants; returns those that are still there at the end.
[[nodiscard]] std::vector<ProcessSeen> wait_until_childless(std::chrono::milliseconds limit);

/// Waits until `before` is reached again; returns the differences that remain at the end.
[[nodiscard]] std::vector<std::string> wait_until_restored(const HostSnapshot& before, std::chrono::milliseconds limit);

}  // namespace helios::test
