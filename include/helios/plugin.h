/// Makes a class that derives from helios::Runner into a plugin. In one source file of the plugin:
///
///     HELIOS_RUNNER_PLUGIN(NiceRunner, "nice", "1.0.0", "runs the command at a lower priority", 0)
///
/// The class needs a default constructor; one object is made at the first call and lives as long as the process.
/// Build it with `helios_add_runner(nice nice.cc)`. See docs/writing-a-runner.md.
#pragma once

#include <string_view>

#include "helios/plugin_abi.h"
#include "helios/plugin_wire.h"
#include "helios/runner.h"

namespace helios::plugin {

inline constexpr std::size_t kMaxNameLength = 32;

/// [a-z0-9-], 1 to 32 characters.
[[nodiscard]] constexpr bool is_runner_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxNameLength) return false;
  for (const char c : name) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    if (!good) return false;
  }
  return true;
}

/// The C functions of one runner class. Nothing a runner returns or throws leaves the plugin as a C++ object.
template <class RunnerClass>
struct Shim {
  /// Never destroyed: a run may still be under way on another thread when the process ends.
  static Runner& runner() {
    static Runner* const one = new RunnerClass();
    return *one;
  }

  static int probe(const HeliosHost* given, const HeliosSink* sink) noexcept {
    return wire::guarded(sink, [&] {
      wire::RemoteHost host(given);
      const auto found = runner().probe(host);
      const wire::Feeder feeder(sink);
      if (!found) return feeder.error(found.error());
      for (const auto& f : *found) feeder.finding(f);
      return 0;
    });
  }

  static int plan(const HeliosRequest* given, const HeliosHost* given_host, const HeliosSink* sink) noexcept {
    return planned(given, given_host, sink, [](Plan& p, Host&, const wire::Feeder& feeder) {
      auto items = runner().describe(p);
      if (!items) return feeder.error(items.error());
      p.items = *std::move(items);
      feeder.plan(p);
      return 0;
    });
  }

  /// Plans first and runs that very plan, so that what `plan` shows is what `run` does.
  static int run(const HeliosRequest* given, const HeliosHost* given_host, const HeliosSink* sink) noexcept {
    return planned(given, given_host, sink, [](const Plan& p, Host& host, const wire::Feeder& feeder) {
      const auto done = runner().run(p, host);
      if (!done) return feeder.error(done.error());
      feeder.execution(*done);
      return 0;
    });
  }

 private:
  template <class Use>
  static int planned(const HeliosRequest* given, const HeliosHost* given_host, const HeliosSink* sink,
                     Use use) noexcept {
    return wire::guarded(sink, [&] {
      const wire::Feeder feeder(sink);
      wire::RemoteHost host(given_host);
      const auto request = wire::request(given);
      if (!request) return feeder.error(request.error());
      auto plan = runner().plan(*request, host);
      if (!plan) return feeder.error(plan.error());
      return use(*plan, static_cast<Host&>(host), feeder);
    });
  }
};

#if defined(__clang__)
#define HELIOS_BUILD_TAG "clang " __clang_version__
#else
#define HELIOS_BUILD_TAG "g++ " __VERSION__
#endif

template <class RunnerClass>
[[nodiscard]] constexpr HeliosRunnerPlugin table(const char* name, const char* version, const char* summary,
                                                 std::uint64_t flags) noexcept {
  return {sizeof(HeliosRunnerPlugin), HELIOS_ABI_GENERATION,    HELIOS_BUILD_TAG,       name, version, summary, flags,
          &Shim<RunnerClass>::probe,  &Shim<RunnerClass>::plan, &Shim<RunnerClass>::run};
}

}  // namespace helios::plugin

#define HELIOS_RUNNER_PLUGIN(Class, name, version, summary, flags)                                  \
  static_assert(::helios::plugin::is_runner_name(name), "a runner's name is 1 to 32 of [a-z0-9-]"); \
  HELIOS_RUNNER_NOTE();                                                                             \
  extern "C" constinit const HeliosRunnerPlugin helios_runner_plugin_v1 =                           \
      ::helios::plugin::table<Class>(name, version, summary, flags);
