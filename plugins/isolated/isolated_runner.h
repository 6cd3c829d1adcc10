/// Runs the command in a sandbox of its own: namespaces, a root of its own, no capabilities, a system call filter,
/// control groups. docs/threat-model.md says what that protects against, and what not.
#pragma once

#include "helios/runner.h"

namespace helios::isolated {

class IsolatedRunner final : public Runner {
 public:
  [[nodiscard]] Result<std::vector<Finding>> probe(Host& host) noexcept override;
  [[nodiscard]] Result<Plan> plan(const ExecutionRequest& request, Host& host) noexcept override;
  [[nodiscard]] Result<std::vector<PlanItem>> describe(const Plan& plan) noexcept override;
  [[nodiscard]] Result<Execution> run(const Plan& plan, Host& host) noexcept override;
};

}  // namespace helios::isolated
