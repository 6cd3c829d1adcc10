#include "core/spec/chunk_ids.h"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace helios::spec {
namespace {

constexpr std::uint64_t kDenseIds = std::uint64_t{1} << 24;  // at most 2 MiB of bits
constexpr std::uint64_t kEmpty = ~std::uint64_t{0};          // ids end at 2^53-1

/// The finaliser of SplitMix64: every bit of the result depends on every bit of `x`.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed)) return seed;
  return mix(static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()));
}

/// Joins ascending ids into ranges.
class RangeText {
 public:
  explicit RangeText(std::size_t max) : left_(max) {}
  /// False once there is no room for more.
  bool add(std::uint64_t id) {
    if (open_ && id == last_ + 1) return last_ = id, true;
    close();
    if (left_ == 0) return text_ += ", …", false;
    --left_;
    first_ = last_ = id;
    return open_ = true;
  }
  std::string finish() {
    close();
    return std::move(text_);
  }

 private:
  void close() {
    if (!std::exchange(open_, false)) return;
    if (!text_.empty()) text_ += ", ";
    text_ += std::to_string(first_);
    if (last_ > first_) text_ += (last_ == first_ + 1 ? ", " : "-") + std::to_string(last_);
  }
  std::size_t left_;
  bool open_{false};
  std::uint64_t first_{0};
  std::uint64_t last_{0};
  std::string text_;
};

}  // namespace

ChunkIds::ChunkIds() : seed_(random_seed()) {}

bool ChunkIds::insert(std::uint64_t id) {
  if (contains(id)) return false;
  ++count_;
  if (id < kDenseIds) {
    if (id / 64 >= bits_.size()) bits_.resize(std::max<std::size_t>(id / 64 + 1, 2 * bits_.size()));
    bits_[id / 64] |= std::uint64_t{1} << (id % 64);
    return true;
  }
  if (4 * used_ >= 3 * slots_.size()) grow();
  slots_[slot_of(id)] = id;
  ++used_;
  return true;
}

bool ChunkIds::contains(std::uint64_t id) const {
  if (id < kDenseIds) return id / 64 < bits_.size() && ((bits_[id / 64] >> (id % 64)) & 1) != 0;
  return !slots_.empty() && slots_[slot_of(id)] == id;
}

/// Where `id` is, or the empty slot where it would be.
std::size_t ChunkIds::slot_of(std::uint64_t id) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = mix(id ^ seed_) & mask;
  while (slots_[slot] != kEmpty && slots_[slot] != id) slot = (slot + 1) & mask;
  return slot;
}

void ChunkIds::grow() {
  std::vector<std::uint64_t> old(std::max<std::size_t>(64, 2 * slots_.size()), kEmpty);
  old.swap(slots_);
  for (const std::uint64_t id : old) {
    if (id != kEmpty) slots_[slot_of(id)] = id;
  }
}

std::string ChunkIds::ranges(std::size_t max_ranges) const {
  RangeText text(max_ranges);
  for (std::uint64_t id = 0; id < 64 * bits_.size(); ++id) {
    if (contains(id) && !text.add(id)) return text.finish();
  }
  std::vector<std::uint64_t> large;
  std::copy_if(slots_.begin(), slots_.end(), std::back_inserter(large), [](std::uint64_t id) { return id != kEmpty; });
  std::sort(large.begin(), large.end());
  for (const std::uint64_t id : large) {
    if (!text.add(id)) break;
  }
  return text.finish();
}

}  // namespace helios::spec
