/// Growth of a directory tree, for hosts without quotas. Nothing in the tree is followed or trusted.
#pragma once

#include <cstdint>
#include <string>

#include "core/sys/tree_walk.h"
#include "helios/error.h"

namespace helios::supervise {

struct DiskUse {
  std::uint64_t bytes{0};  ///< allocated (st_blocks), hard links once per name
  std::uint64_t files{0};  ///< entries of any kind
};

/// One look at a tree, in slices of time. What vanishes or is moved meanwhile may be left out. What is there and
/// cannot be counted is an error, so that nobody hides what they write behind a folder's mode: but for a folder of
/// somebody else's that we may not enter, since what the command runs as may not either.
class DiskLook final : private sys::TreeVisitor {
 public:
  /// `root`: its folder, O_PATH will do; it outlives the look. More than `most` of either ends the look early, with
  /// what was found so far.
  explicit DiskLook(int root, DiskUse most = {UINT64_MAX, UINT64_MAX});
  DiskLook(const DiskLook&) = delete;
  DiskLook& operator=(const DiskLook&) = delete;

  /// Goes on for `slice_ns`; true when all has been seen. Errors: io with errno, naming the folder.
  [[nodiscard]] Result<bool> go_on(std::int64_t slice_ns);

  [[nodiscard]] const DiskUse& use() const { return use_; }

 private:
  Status folder(int, const struct stat& st) override;
  Result<Next> entry(int in, const char* name) override;
  Status closed(int fd, const struct stat& st, Error why) override;
  Status moved() override { return {}; }

  DiskUse most_, use_;
  dev_t device_{0};
  bool at_top_{true};
  sys::TreeWalk walk_;
};

/// The whole tree at `root`. A byte on `cancel_fd` (-1: nobody cancels) ends the look with what was found so far; it
/// is not read.
[[nodiscard]] Result<DiskUse> measure_disk(const std::string& root, int cancel_fd = -1);

}  // namespace helios::supervise
