/// Which limit fits what was seen. One deterministic rule for drafts and suggestions; docs/learn.md states it.
#pragma once

#include <cstdint>
#include <string>

#include "helios/limits.h"

namespace helios::policy {

/// How a limit follows from the highest value seen: `seen` times `factor`, at least `least`, rounded up to `step`.
struct FitRule {
  double factor;
  std::uint64_t least;
  std::uint64_t step;
};

[[nodiscard]] FitRule fit_rule(Limit limit);

/// In the limit's unit, as `seen` is.
[[nodiscard]] std::uint64_t fitting_limit(Limit limit, double seen);

/// What to try after a run that was ended at `in_force`: twice as much, rounded up to the rule's step.
[[nodiscard]] std::uint64_t next_limit(Limit limit, std::uint64_t in_force);

/// "peak 132.4M + 25 %, in steps of 16M"
[[nodiscard]] std::string margin_words(Limit limit);

}  // namespace helios::policy
