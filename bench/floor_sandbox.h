/// What the hand-written launch (floor.cc) and its process 1 (floor_init.cc) agree on: everything `helios-run
/// --sandbox=isolated` does under the default policy on a Debian host, decided at compile time.
#pragma once

namespace floor_bench {

// Descriptors as process 1 finds them. 0 to 2 are the command's.
enum : int { kControl = 3, kFilter = 4, kLock = 5, kTasks = 6, kTaskCount = 3, kTrees = kTasks + kTaskCount };

/// Bound into the sandbox, in this order; kFile: the mount point is a file. The workspace comes last.
struct Bind {
  const char* path;
  bool file;
  bool read_only;
};
inline constexpr Bind kBinds[] = {
    {"/usr", false, true},
    {"/etc/ld.so.cache", true, true},
    {"/etc/alternatives", false, true},
    {"/etc/fonts", false, true},
    {"/etc/localtime", true, true},
    {"/etc/ssl/certs", false, true},
    {"/etc/ssl/openssl.cnf", true, true},
    {"/dev/null", true, false},
    {"/dev/zero", true, false},
    {"/dev/full", true, false},
    {"/dev/random", true, false},
    {"/dev/urandom", true, false},
};
inline constexpr int kBindCount = sizeof kBinds / sizeof kBinds[0];

inline constexpr unsigned kInsideId = 1000;

/// One message of process 1: 's' the command was executed (carries the seccomp listener), 'e' it ended, 'f' a step
/// failed.
struct Report {
  char kind;
  int status;  ///< 'e': raw wait status; 'f': errno
  int where;   ///< 'f': line of floor_init.cc
  long long cpu_ns;
};

}  // namespace floor_bench
