/// What of the isolated runner works on this host, found by trying.
#pragma once

#include <vector>

#include "helios/error.h"
#include "helios/runner.h"

namespace helios::isolated {

[[nodiscard]] Result<std::vector<Finding>> probe_host();

}  // namespace helios::isolated
