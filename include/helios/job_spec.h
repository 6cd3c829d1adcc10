/// A Helios job, as the wire format has it, plus our optional additions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "helios/limits.h"
#include "helios/request.h"

namespace helios {

/// Additions that both a job and a chunk may carry; the chunk's win, field by field (env: name by name).
struct SpecOverrides {
  Limits resources;           ///< JSON `resources{}`, keys as in kLimits
  std::vector<EnvVar> env;    ///< JSON `env{}`
  std::optional<bool> shell;  ///< JSON `shell`: run `/bin/sh -c COMMAND`
  bool operator==(const SpecOverrides&) const = default;
};

struct Chunk {
  std::uint64_t id{0};          ///< JSON `id`; what --chunk names. 0 … 2^53-1
  std::uint64_t start_frame{0};
  std::uint64_t frame_count{0};
  std::string output_file;      ///< as written: relative to the spec's folder
  std::string command;          ///< never blank
  SpecOverrides overrides;
  bool operator==(const Chunk&) const = default;
};

struct JobMetadata {
  std::optional<double> total_frames, fps, width, height, duration;
  bool operator==(const JobMetadata&) const = default;
};

/// Shape: `chunks` holds only the chunks that were asked for, in the order of the file; `chunk_count` counts all.
struct JobSpec {
  std::string id;                   ///< JSON `id`, or "job-" + 16 hex digits of the content's sha256 when absent
  std::optional<std::string> assets_url;
  JobMetadata metadata;
  std::string merge_command;
  SpecOverrides overrides;
  std::vector<Chunk> chunks;
  std::uint64_t chunk_count{0};
  bool operator==(const JobSpec&) const = default;
};

}  // namespace helios
