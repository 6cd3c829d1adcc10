/// dry-run: starts nothing. Its plan is the plan of another runner, computed by that runner's own code.
#include "helios/plugin.h"

namespace {

using namespace helios;

constexpr std::string_view kName = "dry-run";
constexpr std::string_view kDefaultRunner = "isolated";

class DryRun final : public Runner {
 public:
  Result<std::vector<Finding>> probe(Host&) noexcept override {
    return std::vector<Finding>{{"plan", Severity::ok, "starts nothing, so it needs nothing of this host", {}}};
  }

  Result<Plan> plan(const ExecutionRequest& request, Host& host) noexcept override {
    const std::string_view planned = request.plan_for.empty() ? kDefaultRunner : std::string_view(request.plan_for);
    if (planned == kName) {
      return fail(ErrorCode::invalid_argument, "plan for dry-run: dry-run starts nothing, so there is nothing to plan",
                  "name the runner to plan with --plan-for, e.g. --plan-for isolated");
    }
    return host.plan_with(planned, request);
  }

  Result<Execution> run(const Plan&, Host&) noexcept override {
    return fail(ErrorCode::invalid_argument, "run with dry-run: dry-run starts nothing", "choose another --sandbox");
  }
};

}  // namespace

HELIOS_RUNNER_PLUGIN(DryRun, "dry-run", "1.0.0", "starts nothing; shows what another runner would do",
                     HELIOS_STARTS_NOTHING)
