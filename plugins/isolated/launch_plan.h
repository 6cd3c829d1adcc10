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
  std::string source;  ///< attach: absolute host path; mask: an empty directory inside, or nothing
  std::string target;
  std::string text;  ///< symlink, file
  bool workspace{false};
  std::uint64_t files{0};  ///< tmpfs: how many; 0: as many as the kernel thinks fit
};

/// Who the command is. Inside it is always kInsideId.
inline constexpr std::uint32_t kInsideId = 1000;
struct Identity {
  bool privileged{false};  ///< started by root: an unused host id is leased for the run
  std::uint32_t caller_uid{0}, caller_gid{0};
  std::uint32_t workspace_uid{0}, workspace_gid{0};  ///< its owner when the run was planned
};

struct LaunchPlan {
  std::vector<RootStep> root;
  std::string rootfs;  ///< under an ephemeral overlay; empty: a new tmpfs
  std::vector<EnvVar> env;
  std::string path;  ///< PATH for the search
  Identity identity;
  std::uint64_t namespaces{0};  ///< CLONE_NEW… flags, for clone3
  bool network{false};          ///< a network namespace, which init makes, with its loopback up
  std::vector<std::string> isolation;
  std::optional<LandlockPlan> landlock;
  SeccompProgram filter;
  supervise::LimitPlan limits;
  std::vector<std::string> notes;
};

/// Our own processes in the run's group: init.
inline constexpr unsigned kHelpers = 1;

/// Changes nothing. Errors: invalid_argument, unsupported, invalid_policy.
[[nodiscard]] Result<LaunchPlan> make_plan(const ExecutionRequest& request);
/// For people and for diffs.
[[nodiscard]] std::vector<PlanItem> describe(const ExecutionRequest& request, const LaunchPlan& plan);

/// Whether the runner clones the trees of this step and sends them: root does, since behind the new user namespace init
/// could neither pass closed folders nor map ids.
[[nodiscard]] inline bool sends_tree(const LaunchPlan& plan, const RootStep& step) {
  return plan.identity.privileged && step.op == MountOp::attach;
}

/// The block that helios-init reads.
[[nodiscard]] Result<std::string> encode(const ExecutionRequest& request, const LaunchPlan& plan);

/// "mount /usr", for an error of a stage at an index.
[[nodiscard]] std::string describe_stage(Stage stage, std::uint32_t index, const LaunchPlan& plan);

}  // namespace helios::isolated
