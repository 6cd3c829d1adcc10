/// The answer to "run this chunk": Helios' four fields as Helios has them, everything else beside them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "helios/execution.h"

namespace helios {

enum class Retry { never, same, raise_limit, other_host };

/// What JSON keeps of one stream. `text` is UTF-8: head, and when cut a marker line and the tail.
struct CapturedStream {
  std::string text;
  std::uint64_t bytes{0};  ///< the true count, also of what was not kept
  bool truncated{false};
  bool operator==(const CapturedStream&) const = default;
};

/// The chunk's output file, looked at without trusting it (O_NOFOLLOW, beneath the workspace, regular files only).
struct OutputFile {
  std::string path;  ///< as in the spec
  bool exists{false};
  std::uint64_t bytes{0};
  std::string sha256;
  std::string problem;  ///< why it does not count: "is a symbolic link", "is a FIFO" …; empty otherwise
  bool operator==(const OutputFile&) const = default;
};

struct HostInfo {
  std::string kernel;  ///< uname release
  std::string cgroup;  ///< "v2", "v1", "mixed", "none"
  unsigned cpus{0};
  bool operator==(const HostInfo&) const = default;
};

struct WorkerResult {
  int exit_code{0};            ///< the number helios-run exits with
  CapturedStream out;          ///< JSON `stdout`
  CapturedStream err;          ///< JSON `stderr`
  std::uint64_t duration_ms{0};
  bool success{false};
  std::string job_id;
  std::optional<std::uint64_t> chunk_id;  ///< absent for `-- CMD`
  std::uint32_t attempt{1};
  std::string started_at;      ///< RFC 3339, UTC, milliseconds
  Execution execution;
  Retry retry{Retry::never};
  std::string bottleneck;      ///< what held it back, in one line; empty: nothing stands out
  std::string runner;
  std::string runner_version;
  std::string policy;
  std::string policy_sha256;
  std::optional<OutputFile> output;  ///< absent when the spec named none
  HostInfo host;
  bool operator==(const WorkerResult&) const = default;
};

}  // namespace helios
