/// Draft policies: from what a run was seen to use to a policy file that allows that and little more. A draft is text
/// for a person to read; nothing enforces it until somebody names it with --policy. docs/learn.md tells the whole
/// story.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/policy.h"
#include "helios/error.h"
#include "helios/execution.h"
#include "helios/request.h"

namespace helios::policy {

/// The seccomp profile of a learning run: what every C library needs is let through silently, what has no business in a
/// chunk (mounts, modules, tracing of others, keyrings …) is refused, everything else is answered with SCMP_ACT_LOG,
/// which a learning runner lets through and records.
[[nodiscard]] std::string learning_profile();

/// What one or several runs need, before it is written down. Merging is union and maximum, in any order.
struct Draft {
  std::uint64_t runs{0};
  std::set<std::string> commands;    ///< names of the programs, for the note
  std::set<std::string> calls;       ///< beyond the base set
  std::set<std::uint32_t> sockets;   ///< address families
  std::set<std::uint32_t> personas;  ///< arguments of personality
  std::map<Limit, double> peaks;     ///< highest seen, in the limit's unit
  Limits limits;                     ///< what is not measured: as it was in force
  std::vector<Mount> mounts;
  std::map<std::string, std::string> mount_notes;  ///< by target: why it is there
  std::vector<std::string> env_allow;
  std::vector<EnvVar> env_set;
  std::string rootfs{"host"};
  Network network{Network::none};
  std::uint64_t tmp_bytes{0}, shm_bytes{0};
  bool nested_user_namespaces{false};
  std::vector<std::string> other_rules;  ///< JSON of rules that somebody wrote into the draft; kept as they are
};

/// What a run needed. `request` is what it was given, `execution` what it used.
[[nodiscard]] Draft draft_of(const ExecutionRequest& request, const Execution& execution);

/// A draft that was written before, perhaps edited since. Errors: as load_policy.
[[nodiscard]] Result<Draft> read_draft(const std::string& file, const std::vector<std::string>& search_dirs);

[[nodiscard]] Draft merged(Draft a, const Draft& b);

/// A complete policy file.
[[nodiscard]] std::string to_json(const Draft& draft);

/// How many different system calls the draft allows, the base set included.
[[nodiscard]] std::size_t allowed_calls(const Draft& draft);

/// Calls with their use, for notes: "ptrace" -> "trace other processes". Empty for one that is not in the list.
[[nodiscard]] std::string_view purpose_of(std::string_view syscall);
/// Why a call is closed even while learning; empty for one that is not.
[[nodiscard]] std::string_view danger_of(std::string_view syscall);

}  // namespace helios::policy
