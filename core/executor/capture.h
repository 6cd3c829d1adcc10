/// What is kept of one output stream: a bounded head and tail in memory, and the exact bytes in a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/error.h"
#include "helios/worker_result.h"

namespace helios {

/// Keeps the first half and the last half of `limit` bytes; everything in between is counted and dropped. Memory
/// grows with what arrives, never beyond `limit`; a flood costs one memcpy per byte.
class OutputCollector {
 public:
  explicit OutputCollector(std::size_t limit, sys::UniqueFd exact_copy = {});

  void append(std::string_view bytes) noexcept;

  /// Head, a marker line when something was dropped, tail; as UTF-8, cut between characters.
  [[nodiscard]] CapturedStream finish() const;

  /// Why the exact copy is incomplete; empty when it is whole or was not asked for.
  [[nodiscard]] const std::optional<Error>& copy_problem() const { return copy_problem_; }

 private:
  void keep_tail(std::string_view bytes);
  [[nodiscard]] std::string tail() const;

  std::size_t head_limit_;
  std::size_t tail_limit_;
  std::string head_;
  std::string ring_;          // the last tail_limit_ bytes after the head; wraps once it is full
  std::size_t ring_next_{0};  // where the oldest byte is, and the next one goes, when full
  std::uint64_t total_{0};
  sys::UniqueFd exact_copy_;
  std::optional<Error> copy_problem_;
};

/// Opens DIR/NAME for the exact bytes: a regular file of ours, never through a link, 0600, emptied. DIR is made if
/// its parent exists; see open_named_folder for it and for `writable`. Errors: io.
[[nodiscard]] Result<sys::UniqueFd> open_stream_log(const std::string& dir, const std::string& name,
                                                    const std::vector<std::string>& writable);

}  // namespace helios
