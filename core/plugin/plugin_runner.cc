#include "core/plugin/plugin_runner.h"

#include "helios/plugin_wire.h"

namespace helios::plugin {

Result<std::vector<Finding>> PluginRunner::probe(Host& host) noexcept {
  const wire::FlatHost flat_host(host);
  wire::Collector collected;
  const int returned = plugin_.probe(flat_host.get(), collected.sink());
  return collected.findings(returned, name_);
}

Result<Plan> PluginRunner::plan(const ExecutionRequest& request, Host& host) noexcept {
  const wire::FlatRequest flat(request);
  const wire::FlatHost flat_host(host);
  wire::Collector collected;
  const int returned = plugin_.plan(flat.get(), flat_host.get(), collected.sink());
  return collected.plan(returned, name_, request);
}

Result<Execution> PluginRunner::run(const Plan& plan, Host& host) noexcept {
  const wire::FlatRequest flat(plan.request);
  const wire::FlatHost flat_host(host);
  wire::Collector collected;
  const int returned = plugin_.run(flat.get(), flat_host.get(), collected.sink());
  return collected.execution(returned, name_);
}

}  // namespace helios::plugin
