/// A process that ends a run whose runner has died: see guardian/guardian.cc.
#pragma once

#include <string>
#include <vector>

#include "core/sys/clone.h"
#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::shell {

/// While it lives, the groups named at its start are ended and removed when this process dies. The
/// destructor, which comes after the groups are gone, waits for its end.
class Guardian {
 public:
  [[nodiscard]] static Result<Guardian> start(const std::vector<std::string>& group_dirs);
  /// The groups are empty: it may end while they are read and removed. Without this the destructor ends it.
  void dismiss();

  Guardian() = default;
  Guardian(Guardian&&) noexcept = default;
  Guardian& operator=(Guardian&&) = delete;
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;
  ~Guardian();

 private:
  sys::Child child_;
  sys::UniqueFd pipe_;
};

}  // namespace helios::shell
