#include "core/executor/build_request.h"

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "core/digest/sha256.h"
#include "core/executor/environment.h"
#include "core/loader_variables.h"
#include "core/spec/command_line.h"
#include "core/spec/quantity.h"

namespace helios {
namespace {

using Words = std::vector<std::string>;

bool wants_shell(const Job& job, const RunOptions& options) {
  if (options.shell) return *options.shell;
  if (job.chunk == nullptr) return false;
  return job.chunk->overrides.shell.value_or(job.spec->overrides.shell.value_or(false));
}

Result<Words> plain_command(const Job& job, bool shell) {
  if (job.argv.empty()) return fail(ErrorCode::invalid_argument, "there is no command to run");
  if (!shell) return job.argv;
  if (job.argv.size() != 1) {
    return fail(ErrorCode::invalid_argument,
                "--shell wants the command as one word, found " + std::to_string(job.argv.size()),
                "quote it: --shell -- 'COMMAND | COMMAND'");
  }
  return Words{"/bin/sh", "-c", job.argv.front()};
}

std::optional<std::uint64_t> asked_by_spec(const Job& job, Limit limit) {
  if (job.chunk == nullptr) return std::nullopt;
  const auto chunk = job.chunk->overrides.resources[limit];
  return chunk ? chunk : job.spec->overrides.resources[limit];
}

Error above_ceiling(const LimitInfo& row, std::uint64_t asked, std::uint64_t ceiling, const policy::Policy& policy) {
  const std::string value = spec::format_quantity(row.unit, asked);
  return {ErrorCode::invalid_spec,
          "the spec asks for " + std::string(row.key) + " " + value + ", above the ceiling " +
              spec::format_quantity(row.unit, ceiling) + " of policy '" + policy.name + "'",
          "a flag may exceed it: " + std::string(row.flag) + " " + value};
}

/// A soft limit above the hard one would never be met. Asked for so it is a mistake; a policy's, above the smaller
/// memory that a spec or flag asks for, gives way to it.
Status fit_memory_high(Limits& limits, bool was_asked_for) {
  const auto memory = limits[Limit::memory];
  auto& high = limits[Limit::memory_high];
  if (!memory || !high || *high <= *memory) return {};
  if (was_asked_for) {
    return fail(ErrorCode::invalid_argument,
                "memoryHigh " + spec::format_quantity(LimitUnit::bytes, *high) + " is above memory " +
                    spec::format_quantity(LimitUnit::bytes, *memory) + ": the run would be ended before it is slowed",
                "ask for a smaller --memory-high, or for more --memory");
  }
  high = memory;
  return {};
}

Status add_spec_variables(std::vector<EnvVar>& out, const std::vector<EnvVar>& vars) {
  for (const EnvVar& v : vars) {
    if (steers_the_loader(v.name)) {
      return fail(ErrorCode::invalid_spec,
                  "the spec sets the variable " + v.name + ", which steers the loader of every program",
                  "pass it with --env if you mean it");
    }
    set_variable(out, v);
  }
  return {};
}

// Same content, same name: results of one command can be found again.
std::string job_id_of(const Job& job) {
  if (job.spec != nullptr) return job.spec->id;
  digest::Sha256 sum;
  for (const std::string& word : job.argv) sum.update(std::string_view(word.c_str(), word.size() + 1));
  return "command-" + sum.hex().substr(0, 16);
}

// What a policy names is the system's; what is named for one run may lie where commands have been.
Result<SandboxProfile> profile_of(const policy::Policy& policy, const RunOptions& options) {
  SandboxProfile profile = policy.profile;
  for (Mount& m : profile.mounts) {
    char real[PATH_MAX];
    if (m.kind != MountKind::tmpfs && ::realpath(m.source.c_str(), real) != nullptr) m.source = real;
  }
  for (Mount m : options.mounts) {
    if (m.kind != MountKind::tmpfs) {
      auto source = resolve_source(m.source, m.kind == MountKind::bind ? "--bind" : "--ro-bind");
      if (!source) return fail(source.error());
      m.source = *std::move(source);
    }
    profile.mounts.push_back(std::move(m));
  }
  if (options.network) profile.network = *options.network;
  if (options.rootfs == "host") {
    profile.rootfs = options.rootfs;
  } else if (!options.rootfs.empty()) {
    auto rootfs = resolve_source(options.rootfs, "--rootfs");
    if (!rootfs) return fail(rootfs.error());
    profile.rootfs = *std::move(rootfs);
  }
  return profile;
}

}  // namespace

std::string output_file_of(const Job& job) { return job.chunk == nullptr ? std::string() : job.chunk->output_file; }

Result<Words> command_of(const Job& job, const RunOptions& options) {
  const bool shell = wants_shell(job, options);
  if (job.chunk == nullptr) return plain_command(job, shell);
  if (shell) return Words{"/bin/sh", "-c", job.chunk->command};
  auto words = spec::split_command(job.chunk->command);
  if (words && words->empty()) {
    return fail(ErrorCode::invalid_spec, "the command of chunk " + std::to_string(job.chunk->id) + " names no program");
  }
  return words;
}

Result<Limits> merge_limits(const Job& job, const policy::Policy& policy, const Limits& options) {
  Limits merged;
  for (const LimitInfo& row : kLimits) {
    const auto asked = asked_by_spec(job, row.limit);
    const auto ceiling = policy.ceilings[row.limit];
    if (asked && ceiling && *asked > *ceiling && !options[row.limit]) {
      return fail(above_ceiling(row, *asked, *ceiling, policy));
    }
    merged[row.limit] = options[row.limit]           ? options[row.limit]
                        : asked                      ? asked
                        : policy.defaults[row.limit] ? policy.defaults[row.limit]
                                                     : ceiling;
  }
  if (auto fits = fit_memory_high(merged, asked_by_spec(job, Limit::memory_high) || options[Limit::memory_high]);
      !fits) {
    return fail(fits.error());
  }
  return merged;
}

Result<std::vector<EnvVar>> extra_environment(const Job& job, const RunOptions& options,
                                              const std::vector<EnvVar>& caller_env) {
  std::vector<EnvVar> vars;
  if (job.chunk != nullptr) {
    if (auto ok = add_spec_variables(vars, job.spec->overrides.env); !ok) return fail(ok.error());
    if (auto ok = add_spec_variables(vars, job.chunk->overrides.env); !ok) return fail(ok.error());
  }
  for (const std::string& name : options.pass_env) {
    const auto have =
        std::find_if(caller_env.begin(), caller_env.end(), [&](const EnvVar& v) { return v.name == name; });
    if (have != caller_env.end()) set_variable(vars, *have);
  }
  for (const EnvVar& v : options.env) set_variable(vars, v);
  return vars;
}

Result<ExecutionRequest> build_request(const Job& job, const policy::Policy& policy, const RunOptions& options,
                                       const Surroundings& around, const Places& places) {
  ExecutionRequest r;
  auto argv = command_of(job, options);
  if (!argv) return fail(argv.error());
  auto limits = merge_limits(job, policy, options.limits);
  if (!limits) return fail(limits.error());
  auto extra = extra_environment(job, options, around.env);
  if (!extra) return fail(extra.error());
  r.job_id = job_id_of(job);
  r.chunk_id = job.chunk == nullptr ? 0 : job.chunk->id;
  r.attempt = options.attempt;
  r.argv = *std::move(argv);
  r.caller_env = around.env;
  r.extra_env = *std::move(extra);
  r.workspace = places.workspace;
  r.workdir = places.workdir;
  r.output_file = places.output_file;
  r.limits = *std::move(limits);
  r.grace_ms = options.grace_ms;
  auto profile = profile_of(policy, options);
  if (!profile) return fail(profile.error());
  r.profile = *std::move(profile);
  r.workspace_ids = options.workspace_ids;
  r.uid_first = options.uid_first;
  r.uid_count = options.uid_count;
  r.cgroup_parent = options.cgroup_parent;
  r.allow_degraded = options.allow_degraded;
  r.plan_for = options.plan_for;
  r.state_dir = around.state_dir;
  r.cache_dir = around.cache_dir;
  r.learn = options.learn;
  if (!options.timeline.empty()) r.timeline_ms = options.timeline_ms;
  return r;
}

}  // namespace helios
