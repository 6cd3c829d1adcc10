/// What a plugin file says about itself, read without running any of it. libelf's only home.
#pragma once

#include <cstdint>
#include <string>

#include "core/plugin/trusted_path.h"
#include "helios/error.h"

namespace helios::plugin {

/// The note a file must carry. `kind` counts for modules only (HELIOS_NOTE_MODULE).
struct NoteWanted {
  std::uint32_t type;
  std::string kind;
};

/// Refused (plugin_rejected) unless the file is an ELF shared object for this processor, whole (every segment and the
/// section table inside the file: mapping a truncated one ends in SIGBUS), with the wanted note of our generation.
/// Tells "not a runner" from "a runner for another generation". Reads headers and notes only.
[[nodiscard]] Status check_elf(const TrustedFile& file, const NoteWanted& wanted);

}  // namespace helios::plugin
