/// The chunk ids of a job: finds duplicates, and names the ids that exist when one is asked for that does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace helios::spec {

/// Ids are usually 0 … n-1 and cost one bit each; larger ones cost 8 to 16 bytes each (a hash set whose seed is the
/// process's own, so that a spec cannot be written to make it slow).
class ChunkIds {
 public:
  ChunkIds();
  /// False when it was there already.
  [[nodiscard]] bool insert(std::uint64_t id);
  [[nodiscard]] bool contains(std::uint64_t id) const;
  [[nodiscard]] std::uint64_t size() const noexcept { return count_; }
  /// "0-3, 7, 9-11", ascending, at most `max_ranges` of them and then "…".
  [[nodiscard]] std::string ranges(std::size_t max_ranges) const;

 private:
  [[nodiscard]] std::size_t slot_of(std::uint64_t id) const;
  void grow();

  std::vector<std::uint64_t> bits_;   ///< one bit per id below kDenseIds
  std::vector<std::uint64_t> slots_;  ///< open addressing; an empty slot is kEmpty
  std::size_t used_{0};
  std::uint64_t count_{0};
  std::uint64_t seed_;
};

}  // namespace helios::spec
