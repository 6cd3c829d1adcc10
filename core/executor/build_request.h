/// From a chunk (or a command), a policy and the caller's options to the one value that says everything about a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/executor/places.h"
#include "core/policy/policy.h"
#include "helios/error.h"
#include "helios/job_spec.h"
#include "helios/request.h"

namespace helios {

/// What is to be run: a chunk of a spec, or (both pointers null) a plain command. Not trusted, `argv` apart.
struct Job {
  const JobSpec* spec{nullptr};
  const Chunk* chunk{nullptr};
  std::vector<std::string> argv;  ///< the command, when there is no spec
  std::string spec_dir;           ///< folder of the spec's file; empty for a URL, stdin or no spec
};

/// What flags and HELIOS_* variables say; a flag has already won over its variable. Trusted: may go beyond the
/// policy's ceilings, which bound the spec only.
struct RunOptions {
  Limits limits;
  std::optional<bool> shell;
  std::vector<EnvVar> env;            ///< --env
  std::vector<std::string> pass_env;  ///< --pass-env: names
  std::string workspace, workdir;     ///< as given; empty: default
  std::vector<Mount> mounts;          ///< --ro-bind, --bind, --tmpfs, in order
  std::optional<Network> network;
  std::string rootfs;  ///< empty: the policy's
  WorkspaceIds workspace_ids{WorkspaceIds::map};
  std::uint64_t uid_first{1900000000};
  std::uint64_t uid_count{65536};
  std::string cgroup_parent;
  std::vector<std::string> allow_degraded;
  std::string plan_for;
  std::uint64_t grace_ms{1000};
  std::uint32_t attempt{1};
  bool require_output{false};
  bool learn{false};                           ///< see ExecutionRequest::learn
  std::optional<std::uint64_t> capture_bytes;  ///< per stream, in the result; empty: the output limit, at most 8 MiB
  std::string log_dir;                         ///< empty: no exact copies
  std::string timeline;                        ///< file for samples over time; empty: none
  std::uint64_t timeline_ms{1000};             ///< between two samples
};

/// What the caller's process looks like. Passed in, so that tests can pass theirs.
struct Surroundings {
  std::string cwd;
  std::vector<EnvVar> env;
  std::string state_dir;
  std::string cache_dir;
};

/// The argument vector of a job. Errors: invalid_spec, invalid_argument when there is nothing to run.
[[nodiscard]] Result<std::vector<std::string>> command_of(const Job& job, const RunOptions& options);

/// Flag or variable > chunk > job > policy default; where only a ceiling is named, the ceiling. Errors: invalid_spec,
/// naming both values, when the spec asks for more than the policy's ceiling.
[[nodiscard]] Result<Limits> merge_limits(const Job& job, const policy::Policy& policy, const Limits& options);

/// Variables beyond the caller's own: the job's, the chunk's, --pass-env, --env; later wins. Errors: invalid_spec when
/// the spec sets one that steers the loader.
[[nodiscard]] Result<std::vector<EnvVar>> extra_environment(const Job& job, const RunOptions& options,
                                                            const std::vector<EnvVar>& caller_env);

/// Starts nothing and asks the system nothing: the same arguments give the same request.
[[nodiscard]] Result<ExecutionRequest> build_request(const Job& job, const policy::Policy& policy,
                                                     const RunOptions& options, const Surroundings& around,
                                                     const Places& places);

/// The chunk's outputFile as written; empty when there is no spec.
[[nodiscard]] std::string output_file_of(const Job& job);

}  // namespace helios
