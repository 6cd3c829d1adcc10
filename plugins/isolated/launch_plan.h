/// What an isolated run will do, as a value: computed once, printed by a dry run, performed by a real one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/cgroup/cgroup.h"
#include "core/supervise/run_limits.h"
#include "helios/error.h"
#include "helios/request.h"
#include "helios/runner.h"
#include "plugins/isolated/init/protocol.h"
#include "plugins/isolated/landlock.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::isolated {

/// One step of building the root; `target` is absolute, as seen inside.
struct RootStep {
  MountOp op{};
  std::uint32_t flags{0};
  std::uint32_t mode{0755};
  std::uint64_t size{0};
  std::string source;  ///< attach: absolute host path
  std::string target;
  std::string text;  ///< symlink, file
  bool workspace{false};
};

/// Who the command is. Inside it is always kInsideId.
inline constexpr std::uint32_t kInsideId = 1000;
struct Identity {
  bool privileged{false};  ///< started by root: an unused host id is leased for the run
  std::uint32_t caller_uid{0}, caller_gid{0};
  std::uint32_t workspace_uid{0}, workspace_gid{0};
};

struct LaunchPlan {
  std::vector<RootStep> root;
  std::string rootfs;  ///< under an ephemeral overlay; empty: a new tmpfs
  std::vector<EnvVar> env;
  std::string path;  ///< PATH for the search
  Identity identity;
  std::uint64_t namespaces{0};  ///< CLONE_NEW… flags
  std::vector<std::string> isolation;
  bool loopback{false};
  std::optional<LandlockPlan> landlock;
  SeccompProgram filter;
  std::optional<cgroup::Placement> placement;
  cgroup::GroupLimits group_limits;
  std::vector<cgroup::LimitWrite> writes;
  std::vector<LimitReceipt> receipts;  ///< of what is not held by the group
  std::vector<supervise::Rlimit> rlimits;
  std::vector<std::string> notes;
};

/// Our own processes in the run's group: init.
inline constexpr unsigned kHelpers = 1;

/// Changes nothing. Errors: invalid_argument, unsupported, invalid_policy.
[[nodiscard]] Result<LaunchPlan> make_plan(const ExecutionRequest& request);
/// For people and for diffs.
[[nodiscard]] std::vector<PlanItem> describe(const ExecutionRequest& request, const LaunchPlan& plan);

/// Descriptors that init is given, by the step or list they belong to; -1: init opens the path itself.
struct PassedFds {
  std::vector<int> trees;  ///< one per root step
  std::vector<int> tasks;
};
/// The block that helios-init reads. Numbers in `fds` are those init will see.
[[nodiscard]] Result<std::string> encode(const ExecutionRequest& request, const LaunchPlan& plan, const PassedFds& fds,
                                         bool notify);

/// "mount /usr", for an error of a stage at an index.
[[nodiscard]] std::string describe_stage(Stage stage, std::uint32_t index, const LaunchPlan& plan);

}  // namespace helios::isolated
