/// "Did you mean …?"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/edit_distance.h"

namespace helios::app {

/// The candidate most like `word`; nothing when none is close enough to be meant.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace helios::app
