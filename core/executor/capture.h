/// What is kept of one output stream: a bounded head and tail in memory, and the exact bytes in a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/error.h"
#include "helios/worker_result.h"

namespace helios {

/// Keeps the first half and the last half of `limit` bytes; everything in between is counted and dropped. Memory
/// grows with what arrives, never beyond `limit`; a flood costs nothing when it is read into room(), else one memcpy
/// per byte.
class OutputCollector {
 public:
  explicit OutputCollector(std::size_t limit, sys::UniqueFd exact_copy = {});

  /// `bytes` may lie in room(), from its beginning on: then they are where they belong.
  void append(std::string_view bytes) noexcept;

  /// Where the next bytes will be kept, once the end of a flood is all that still changes: the oldest bytes of the
  /// tail. Empty before that. Who reads less than fits leaves the rest as it is.
  [[nodiscard]] std::span<char> room() noexcept;

  /// Head, a marker line when something was dropped, tail; as UTF-8, cut between characters. The last call.
  [[nodiscard]] CapturedStream finish();

  /// Why the exact copy is incomplete; empty when it is whole or was not asked for.
  [[nodiscard]] const std::optional<Error>& copy_problem() const { return copy_problem_; }

 private:
  void keep_tail(std::string_view bytes);

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
