/// A runner for tests. HELIOS_TEST_INIT says what its static initialiser does, HELIOS_TEST_PROBE what its probe does.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "helios/plugin.h"
#include "plugin_sample.h"

namespace {

using namespace helios;

void misbehave(const char* variable) {
  const char* const value = std::getenv(variable);
  const std::string_view how = value == nullptr ? "" : value;
  if (how == "throw") throw std::runtime_error("no luck");
  if (how == "abort") std::abort();
  if (how == "crash") std::raise(SIGSEGV);
  if (how == "hang") {
    for (;;) ::pause();
  }
  if (how == "exit") ::_exit(3);
  if (how == "print") std::printf("noise on stdout\n"), std::fflush(stdout);
  if (how.starts_with("touch:")) std::fclose(std::fopen(how.substr(6).data(), "w"));
}

const struct Initialiser {
  Initialiser() { misbehave("HELIOS_TEST_INIT"); }
} initialiser;

class Fixture final : public Runner {
 public:
  Fixture() { misbehave("HELIOS_TEST_MAKE"); }

  Result<std::vector<Finding>> probe(Host&) noexcept override {
    misbehave("HELIOS_TEST_PROBE");
    return test::sample_findings();
  }

  /// What came over the boundary must be the sample; "other" is planned with another runner; "" fails.
  Result<Plan> plan(const ExecutionRequest& request, Host& host) noexcept override {
    if (request.argv.empty()) {
      Error e{ErrorCode::unsupported, "plan: no argv", "give one"};
      e.sys_errno = 95;
      return fail(e);
    }
    if (request.argv[0] == "other") return host.plan_with("other", request);
    if (!(request == test::sample_request())) return fail(ErrorCode::internal, "the request changed on its way");
    Plan p;
    p.request = request;
    p.items = test::sample_items();
    p.missing = test::sample_findings();
    p.detail = std::make_shared<int>(42);
    return p;
  }

  /// Runs only its own plan, so that "run plans first" is seen.
  Result<Execution> run(const Plan& p, Host& host) noexcept override {
    if (!p.detail || *static_cast<const int*>(p.detail.get()) != 42) return fail(ErrorCode::internal, "not my plan");
    host.output(Stream::out, "to stdout");
    host.output(Stream::err, std::string_view("to\0stderr", 9));
    host.log(LogLevel::warning, "cancel_fd is " + std::to_string(host.cancel_fd()));
    return test::sample_execution();
  }
};

}  // namespace

HELIOS_RUNNER_PLUGIN(Fixture, "fixture", "1.2.3", "for tests", HELIOS_INHERITS_ENVIRONMENT)
