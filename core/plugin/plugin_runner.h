/// The host's side of the boundary: a loaded plugin's C table, seen as a helios::Runner.
#pragma once

#include <string>

#include "helios/plugin_abi.h"
#include "helios/runner.h"

namespace helios::plugin {

/// The table must outlive the runner (a plugin is never unloaded, so it does).
///
/// A plan obtained here has an empty `detail`: what the plugin's own plan holds stays inside the plugin. `run` hands
/// over the plan's request, and the plugin plans it again before it runs it, by the same code.
/// [any thread; calls may overlap]
class PluginRunner final : public Runner {
 public:
  explicit PluginRunner(const HeliosRunnerPlugin& plugin) : plugin_(plugin), name_(plugin.name) {}

  [[nodiscard]] Result<std::vector<Finding>> probe(Host& host) noexcept override;
  [[nodiscard]] Result<Plan> plan(const ExecutionRequest& request, Host& host) noexcept override;
  [[nodiscard]] Result<Execution> run(const Plan& plan, Host& host) noexcept override;

 private:
  const HeliosRunnerPlugin& plugin_;
  std::string name_;
};

}  // namespace helios::plugin
