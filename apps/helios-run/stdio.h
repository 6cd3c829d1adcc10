/// The program's own three descriptors.
#pragma once

#include <string>
#include <string_view>

#include "helios/error.h"

namespace helios::app {

/// Gives 0, 1 and 2 something to be when the caller closed them: else the next file opened would become stdout. What
/// is written to a closed stdout still fails.
void fill_missing_descriptors() noexcept;

/// Writes all of `text` to stdout and makes sure that it arrived. Errors: io.
[[nodiscard]] Status write_stdout(std::string_view text);

/// Lines on stderr, beside the log.
void print_notice(std::string_view text);

/// One line on stderr: "helios-run: MESSAGE - REMEDY".
void print_failure(const Error& error);

}  // namespace helios::app
