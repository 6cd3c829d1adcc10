/// Groups that a test makes in each cgroup v1 hierarchy and hands to the user that helios-run is started as.
#pragma once

#include <string>
#include <vector>

#include "tests/support/identity.h"

namespace helios::test {

class CgroupHandover {
 public:
  /// On cgroup v1, as root: a fresh group in every hierarchy that helios-run uses, owned by `who`. Elsewhere empty.
  explicit CgroupHandover(const Identity& who);
  ~CgroupHandover();
  CgroupHandover(const CgroupHandover&) = delete;
  CgroupHandover& operator=(const CgroupHandover&) = delete;

  /// For --cgroup-parent; empty when there is none.
  [[nodiscard]] const std::string& parent() const { return parent_; }

  /// Groups left inside, in any hierarchy.
  [[nodiscard]] std::vector<std::string> leftovers() const;

 private:
  std::string parent_;
  std::vector<std::string> folders_;
};

}  // namespace helios::test
