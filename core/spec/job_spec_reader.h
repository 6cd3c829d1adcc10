/// JSON -> JobSpec, in one pass that checks the whole document and keeps only the chunks asked for.
///
/// Errors are one line, `origin:LINE:COLUMN: /pointer: expected …, found …`, with ErrorCode::invalid_spec; a chunk that
/// does not exist is not_found and names those that do. docs/spec.md describes the format.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/spec/spec_file.h"
#include "helios/error.h"
#include "helios/job_spec.h"

namespace helios::spec {

inline constexpr std::uint64_t kMaxChunks = std::uint64_t{1} << 22;  ///< four times the largest job ever asked for
inline constexpr std::size_t kMaxEnvBytes = 1 << 20;  ///< of one `env`; execve(2) takes about 2 MiB with the arguments

/// A spec that is in memory. `origin` is the file name or URL, for messages.
struct SpecBytes {
  std::string_view text;
  std::string origin;
};

/// Which chunks are kept. Each id must exist; asking for none keeps none.
struct ChunkFilter {
  std::vector<std::uint64_t> ids;
  bool all{false};
};

/// `expected_sha256` (64 lower-case hex digits), when given, must be the digest of the very bytes that were read.
[[nodiscard]] Result<JobSpec> read_job_spec(const SpecBytes& spec, const ChunkFilter& filter,
                                            std::string_view expected_sha256 = {});

/// The same from a file or stream, read to its end from where it stands. Memory does not grow with the number of chunks
/// beyond finding duplicate ids (one bit each for ids below 2^24).
[[nodiscard]] Result<JobSpec> read_job_spec(const SpecFile& spec, const ChunkFilter& filter,
                                            std::string_view expected_sha256 = {});

}  // namespace helios::spec
