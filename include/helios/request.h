/// Everything one run depends on, as one value that can be printed before anything runs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "helios/limits.h"

namespace helios {

enum class Network : std::uint32_t {
  none,  ///< a network namespace of its own with only a loopback
  host,  ///< the caller's network
};

/// How files in the workspace come to belong to its owner although the command runs as another uid.
enum class WorkspaceIds : std::uint32_t {
  map,    ///< id-mapped mount (the default); refused where the file system cannot
  owner,  ///< run as the workspace's owner, if that is not root
  chown,  ///< hand the workspace to the run's uid and back afterwards
};

enum class MountKind : std::uint32_t { ro_bind, bind, tmpfs };

/// Shape: `source` is an absolute host path (empty for tmpfs), `target` an absolute path inside.
struct Mount {
  MountKind kind{MountKind::ro_bind};
  std::string source;
  std::string target;
  std::uint64_t size_bytes{0};  ///< tmpfs only; 0 means "the policy's tmp size"
  bool optional{false};         ///< a missing source is skipped instead of refused (policy mounts only)
  bool operator==(const Mount&) const = default;
};

/// One variable of the command's environment.
struct EnvVar {
  std::string name;
  std::string value;
  bool operator==(const EnvVar&) const = default;
};

/// What the policy says about the sandbox, apart from limits (which are merged into the request's).
struct SandboxProfile {
  std::string policy_name;             ///< "default", or the file's name without .json
  std::string policy_sha256;           ///< of the policy file's bytes, lower-case hex
  std::vector<std::string> env_allow;  ///< names passed from the caller's environment; a trailing '*' is a prefix
  std::vector<EnvVar> env_set;         ///< fixed variables (PATH, HOME, LANG …)
  std::vector<Mount> mounts;           ///< policy mounts first, then those of the command line
  Network network{Network::none};
  std::uint64_t tmp_bytes{64 << 20};     ///< size of /tmp
  std::uint64_t shm_bytes{64 << 20};     ///< size of /dev/shm
  bool nested_user_namespaces{false};    ///< may the command make user namespaces of its own
  std::string rootfs;                    ///< "host" (read-only view) or an absolute directory
  std::string seccomp_json;              ///< an OCI/Docker seccomp profile, as text
  std::string seccomp_sha256;            ///< of that text: names the compiled filter in the caches
  std::vector<std::string> filter_dirs;  ///< where compiled filters may lie: NAME = seccomp_sha256 + ".bpf"
  bool operator==(const SandboxProfile&) const = default;
};

/// The whole of a run. All paths absolute. Produced by the Executor, consumed by a Runner.
struct ExecutionRequest {
  std::string job_id;
  std::uint64_t chunk_id{0};
  std::uint32_t attempt{1};
  std::vector<std::string> argv;   ///< never empty; argv[0] is searched in the command's PATH unless it holds '/'
  std::vector<EnvVar> caller_env;  ///< the caller's whole environment; `isolated` filters it, `shell` passes it
  std::vector<EnvVar> extra_env;   ///< from the spec, --env and --pass-env; wins over caller_env
  std::string workspace;           ///< the tree the command may write
  std::string workdir;             ///< inside the workspace
  std::string output_file;         ///< the chunk's output, absolute, inside the workspace; empty without a spec
  Limits limits;                   ///< merged and in force: flag > variable > spec > policy default
  std::uint64_t grace_ms{1000};    ///< between SIGTERM and SIGKILL
  std::uint64_t drain_ms{500};     ///< for the pipes after the end
  SandboxProfile profile;
  WorkspaceIds workspace_ids{WorkspaceIds::map};
  std::uint64_t uid_first{1900000000};  ///< host uids for runs started by root
  std::uint64_t uid_count{65536};
  std::string cgroup_parent;                ///< empty: found by probing
  std::vector<std::string> allow_degraded;  ///< keys of limits that may be missing
  std::string plan_for;                     ///< dry-run only: the runner to plan
  std::string state_dir;                    ///< locks and owner tokens, e.g. /run/helios
  std::string cache_dir;                    ///< 0700 of the caller's; empty: no cache
  bool learn{false};                        ///< tell in Execution::used what is used; calls that the profile answers
                                            ///< with SCMP_ACT_LOG are let through and recorded
  std::uint64_t timeline_ms{0};             ///< between two samples for Stream::timeline; 0: none are wanted
  bool operator==(const ExecutionRequest&) const = default;
};

}  // namespace helios
