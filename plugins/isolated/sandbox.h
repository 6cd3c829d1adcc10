/// A running sandbox: made from a plan, supervised through helios-init's socket, torn down with its namespace.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/cgroup/cgroup.h"
#include "core/supervise/supervisor.h"
#include "core/sys/clone.h"
#include "core/sys/unique_fd.h"
#include "helios/error.h"
#include "helios/request.h"
#include "plugins/isolated/denials.h"
#include "plugins/isolated/ids.h"
#include "plugins/isolated/launch_plan.h"
#include "plugins/isolated/uid_lease.h"

namespace helios::isolated {

/// Both pipes' write ends go into the sandbox; the runner keeps the read ends.
struct Stdio {
  sys::UniqueFd out, err;
};

/// The command was looked for and could not be executed: a result, not an error.
struct NotStarted {
  int exec_errno{0};
};

class Sandbox final : public supervise::Target {
 public:
  /// Starts process 1, which builds the sandbox while the caller goes on, up to the point where the command would be
  /// executed. `born_in`: the group it is born in (v2), or null. Groups outlive the sandbox.
  /// Errors: setup_failed or unsupported, naming the step, the cause and the remedy.
  [[nodiscard]] static Result<std::unique_ptr<Sandbox>> build(const ExecutionRequest& request, const LaunchPlan& plan,
                                                              const cgroup::RunGroup* born_in, Stdio stdio);
  /// Executes the command in `group`, whose limits are in force; null: none can be had and that was allowed. Returns
  /// when it runs, or could not be executed (not_started()). Errors: as build().
  /// A byte on `cancel_fd` before it does ends the run instead (cancelled_by()).
  [[nodiscard]] Status start(cgroup::RunGroup* group, int cancel_fd);
  ~Sandbox() override;
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  [[nodiscard]] int event_fd() const override { return control_.get(); }
  [[nodiscard]] std::optional<supervise::Ended> on_event() override;
  [[nodiscard]] int notice_fd() const override { return denials_.fd(); }
  [[nodiscard]] std::optional<std::string> on_notice() override {
    return request_.learn ? denials_.answer_waiting() : denials_.answer();
  }
  [[nodiscard]] int memory_fd() const override { return group_ != nullptr ? group_->events_fd() : -1; }
  void signal(int number) override;
  void kill() override;
  [[nodiscard]] std::optional<std::uint64_t> cpu_us() override;
  [[nodiscard]] std::optional<cgroup::MemoryParts> sample() override;
  [[nodiscard]] std::optional<cgroup::Counters> counters() override {
    return group_ != nullptr ? std::optional(group_->read()) : std::nullopt;
  }
  [[nodiscard]] cgroup::CpuWait cpu_wait() override {
    return group_ != nullptr ? group_->cpu_wait() : cgroup::CpuWait();
  }
  [[nodiscard]] std::uint64_t oom_kills() override { return group_ != nullptr ? group_->oom_kill_count() : 0; }
  [[nodiscard]] std::vector<LastProcess> last_words() override;

  [[nodiscard]] const std::optional<NotStarted>& not_started() const { return not_started_; }
  /// The signal that cancelled the run while the sandbox was built; 0: none did.
  [[nodiscard]] int cancelled_by() const { return cancelled_by_; }
  [[nodiscard]] std::int64_t started_ns() const { return started_ns_; }
  [[nodiscard]] bool counts_denials() const { return notifying_; }
  [[nodiscard]] std::vector<Denial> denials() { return denials_.take(); }
  [[nodiscard]] std::vector<Use> used() {
    return denials_.learner() != nullptr ? denials_.learner()->take() : std::vector<Use>();
  }
  [[nodiscard]] const std::vector<Survivor>& survivors() const { return survivors_; }
  [[nodiscard]] std::uint64_t survivor_count() const { return survivor_count_; }
  /// Ends everything, and gives the workspace back to its owner; while a process does not end, that is left to the next
  /// run. Also done by the destructor, which cannot tell problem().
  void end();
  /// What could not be brought to an end in time, or given back, if anything.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  Sandbox(const ExecutionRequest& request, const LaunchPlan& plan)
      : request_(request), plan_(plan), denials_(plan.filter) {
    if (request.learn) denials_.learn();
  }

  [[nodiscard]] Status choose_ids();
  [[nodiscard]] Status hand_workspace_over();
  void give_workspace_back();
  [[nodiscard]] Status start_init(const cgroup::RunGroup* born_in, Stdio stdio);
  [[nodiscard]] Status send_trees();
  [[nodiscard]] Result<sys::UniqueFd> open_workspace() const;
  [[nodiscard]] Result<sys::UniqueFd> clone_step(const RootStep& step);
  [[nodiscard]] Status tell(std::uint8_t what, const std::vector<int>& fds = {}) const;
  enum class Heard : std::uint8_t { report, cancel, nothing };
  [[nodiscard]] Heard wait_for_report(int cancel_fd, int timeout_ms);
  [[nodiscard]] Status wait_until_started(int cancel_fd);
  [[nodiscard]] Error explain(const InitReport& report) const;
  [[nodiscard]] Status told_by_init(Error otherwise) const;
  void name_survivors();

  const ExecutionRequest& request_;
  const LaunchPlan& plan_;
  cgroup::RunGroup* group_{nullptr};  ///< from start() on
  Denials denials_;
  UidLease lease_;
  std::uint32_t host_uid_{0}, host_gid_{0};
  bool handed_over_{false};
  std::optional<MappingNamespace> mapping_;  ///< until process 1 has all it needs: its end need not be waited for
  sys::Child init_;
  sys::UniqueFd control_;
  bool gone_{false}, ended_{false}, others_{false}, notifying_{false};
  std::int64_t started_ns_{0};
  std::optional<NotStarted> not_started_;
  int cancelled_by_{0};
  std::vector<Survivor> survivors_;
  std::uint64_t survivor_count_{0};
  std::string problem_;
};

}  // namespace helios::isolated
