/// Runs the command in the caller's environment: no isolation, but every limit that can be had without it.
#pragma once

#include "helios/runner.h"

namespace helios::shell {

class ShellRunner final : public Runner {
 public:
  [[nodiscard]] Result<std::vector<Finding>> probe(Host& host) noexcept override;
  [[nodiscard]] Result<Plan> plan(const ExecutionRequest& request, Host& host) noexcept override;
  [[nodiscard]] Result<std::vector<PlanItem>> describe(const Plan& plan) noexcept override;
  [[nodiscard]] Result<Execution> run(const Plan& plan, Host& host) noexcept override;
};

}  // namespace helios::shell
