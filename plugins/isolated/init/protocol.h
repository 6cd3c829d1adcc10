/// What the isolated runner tells helios-init, and what it hears back. Plain data: the plan is one block in a sealed
/// memfd, offsets count from its start, strings end in NUL. Both sides are built together; the version only guards
/// against a mixed-up build.
#pragma once

#include <linux/filter.h>

#include <cstdint>

namespace helios::isolated {

inline constexpr std::uint32_t kPlanMagic = 0x31494c48;  // "HLI1"
inline constexpr std::uint32_t kMaxMounts = 256;
inline constexpr std::uint32_t kMaxTaskFds = 8;

/// Descriptors that helios-init finds open at these numbers.
inline constexpr int kControlFd = 3;    ///< SOCK_SEQPACKET to the runner; its end of file ends the namespace
inline constexpr int kPlanFd = 4;       ///< the plan
inline constexpr int kLockFd = 5;       ///< the uid's lock; init keeps it as long as it lives
inline constexpr int kFirstFreeFd = 6;  ///< then what the runner sends, as it comes

/// Steps in the order in which they happen; a failure names its stage, the errno and the index within it.
enum class Stage : std::int32_t {
  exec_init,  // in the runner's child: helios-init itself could not be executed
  descriptors,
  signals,
  read_plan,
  network,
  loopback,
  wait_for_ids,
  groups,
  gid,
  uid,
  hostname,
  receive_trees,
  new_root,
  rootfs_overlay,  // a root file system of the user's under an ephemeral upper layer
  pivot_root,
  mounts,  // index: which step; a /proc is made before the old root goes
  read_only_root,
  working_directory,
  wait_for_start,
  join_groups,  // v1: write "0" into each `tasks`
  cgroup_namespace,
  capabilities,
  no_new_privs,
  landlock,
  clone_command,
  session,
  rlimits,  // index: which limit
  seccomp,
  exec,
  count,
};

enum class MountOp : std::uint32_t {
  directory,  ///< mkdir target, mode
  symlink,    ///< text -> target
  file,       ///< create target with `text` as content, mode
  attach,     ///< a tree: one that the runner sends, or by path `source`
  tmpfs,      ///< size=, nr_inodes=, mode
  proc,
  devpts,
  mask,       ///< hide target (if it exists): /dev/null over a file; over a directory `source`, which is empty, or
              ///< without one a new, empty file system
  read_only,  ///< bind target onto itself read-only (if it exists)
  setting,    ///< write `text` into target, which is there
};

enum MountFlags : std::uint32_t {
  kReadOnly = 1,
  kNoExec = 2,
  kNoDev = 4,
  kNoSuid = 8,
  kOptional = 16,        ///< attach: a missing source is skipped
  kTargetIsFile = 32,    ///< attach: make an empty file as the mount point, not a directory
  kFinishReadOnly = 64,  ///< tmpfs: made read-only after everything is in place
  kSent = 128,  ///< attach: the runner sends the tree, also of an optional source; init opens the others itself
};

struct MountStep {
  MountOp op;
  std::uint32_t flags;
  std::uint64_t size;   ///< tmpfs
  std::uint64_t files;  ///< tmpfs: how many; 0: as many as the kernel thinks fit
  std::uint32_t mode;
  std::uint32_t source;  ///< offsets into the plan
  std::uint32_t target;  ///< relative to the new root, no leading '/'
  std::uint32_t text;
  std::uint32_t text_size;
  std::uint32_t no_links_from;  ///< what of `target` comes after that many characters lies in the workspace, where a
                                ///< link is the last chunk's and not followed; 0: it does not
};

struct RlimitStep {
  std::uint32_t resource;
  std::uint32_t pad;
  std::uint64_t soft;
  std::uint64_t hard;
};

enum PlanFlags : std::uint32_t {
  kNewNetwork = 1,  ///< a network namespace, with its loopback up
  kDropGroups = 4,  ///< setgroups(0); a user cannot (the kernel forbids it with a single-id map)
  kLandlock = 8,
  kCpuCountedLate = 16,  ///< CPU time is v1's to count: from joining on
};

struct LandlockRule {
  std::uint64_t access;
  std::uint32_t path;  ///< offset
  std::uint32_t pad;
};

struct InitPlan {
  std::uint32_t magic;
  std::uint32_t size;
  std::uint32_t flags;
  std::uint32_t uid, gid;  ///< as seen inside
  std::uint32_t umask;
  std::uint32_t mounts, mount_count;    ///< MountStep[]
  std::uint32_t rlimits, rlimit_count;  ///< RlimitStep[]
  std::uint32_t argv, argc;             ///< u32 offsets[]
  std::uint32_t envp, envc;
  std::uint32_t path;  ///< PATH for the search; empty string: none
  std::uint32_t workdir;
  std::uint32_t hostname;
  std::uint32_t rootfs;                     ///< offset of a directory under an ephemeral overlay; 0: a new tmpfs
  std::uint32_t filter, filter_len;         ///< sock_filter[]: refuses by errno
  std::uint32_t notify_filter, notify_len;  ///< the same, refusals go to the listener; where one may be attached
  std::uint64_t landlock_fs, landlock_net, landlock_scope;
  std::uint32_t landlock_rules, landlock_rule_count;
};

/// init -> runner. A `started` message may carry the listener descriptor.
enum class ReportKind : std::uint32_t { failed = 1, started, exited };

struct InitReport {
  ReportKind kind;
  Stage stage;
  std::int32_t error;  ///< errno
  std::uint32_t index;
  std::int32_t status;      ///< exited: the raw wait status
  std::uint32_t others;     ///< exited: 1 if other processes were left
  std::uint32_t notifying;  ///< started: 1 if refusals go to the listener
  std::uint32_t landlocked;
  std::int64_t time_ns;       ///< CLOCK_MONOTONIC of the event
  std::int64_t setup_cpu_ns;  ///< started: CPU that init had used inside the run's group
};

/// runner -> init while it builds, in this order; init takes each when it needs it, so that both sides work at the same
/// time. The count is of the descriptors that come with it: the kernel may drop some, and none is no fewer than some.
struct Order {
  std::uint8_t what;
  std::uint8_t count;
};
inline constexpr std::uint8_t kGo = 255;  ///< ids are mapped
inline constexpr std::uint8_t kTrees =
    254;  ///< trees to attach, in the order of the steps; as many messages as it takes
inline constexpr std::uint8_t kStart = 253;  ///< limits are in force: join by these `tasks` files, start the command
inline constexpr std::uint32_t kMaxFdsPerMessage = 64;  // the kernel's own bound is 253

/// runner -> init from the command's start on: one byte, a signal number for the command's process group.

}  // namespace helios::isolated
