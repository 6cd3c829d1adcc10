/// Programs that we carry inside us, executed by descriptor.
#pragma once

#include <string_view>

#include "core/sys/unique_fd.h"
#include "helios/error.h"

namespace helios::sys {

/// A memfd that holds `bytes` and can never change again: nobody who gets at it can alter the next run.
/// Errors: setup_failed (a host with vm.memfd_noexec=2 refuses executable ones; the remedy says so).
[[nodiscard]] Result<UniqueFd> sealed_memfd(const char* name, std::string_view bytes, bool executable);

}  // namespace helios::sys
