/// Sizes, durations, processor shares and counts: one strict grammar for flags, variables, specs and policies.
///
///   bytes         512M   1.5G   64MiB   4096        K M G T (or KiB MiB GiB TiB) are powers of 1024; rounded down
///   milliseconds  500ms  90s  1.5m  2h              the unit is required
///   milli-CPUs    1.5    0.25   4                   processors, at most three decimals
///   count         64
///
/// No sign, blank, exponent, leading zero or other unit; at most three decimals, and only before a unit (or in
/// milli-CPUs).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "helios/error.h"
#include "helios/limits.h"

namespace helios::spec {

/// Errors: invalid_argument, naming the text and what is allowed.
[[nodiscard]] Result<std::uint64_t> parse_quantity(LimitUnit unit, std::string_view text);

/// The same within the limit's bounds. The message begins with the limit's flag: "--memory: expected …, found "4K"".
[[nodiscard]] Result<std::uint64_t> parse_limit(Limit limit, std::string_view text);

/// The shortest text with one whole unit that means exactly `value`: "512M", "90s", "1.5", "64". Parses back to
/// `value`.
[[nodiscard]] std::string format_quantity(LimitUnit unit, std::uint64_t value);

/// What a limit may be, for messages: "a size from 1M to 1048576T such as 512M, 1.5G or a number of bytes".
[[nodiscard]] std::string allowed_values(Limit limit);

/// A limit as JSON writes it: a string in the grammar above, or a plain number (bytes, milliseconds, processors,
/// count). `number` is the number as written. Empty when it is not one of `allowed_values`.
[[nodiscard]] std::optional<std::uint64_t> limit_from_json_string(Limit limit, std::string_view text);
[[nodiscard]] std::optional<std::uint64_t> limit_from_json_number(Limit limit, std::string_view number);

/// The same of a parsed value. Errors: invalid_argument, "expected …, found …" without a position.
[[nodiscard]] Result<std::uint64_t> limit_from_json(Limit limit, const nlohmann::json& value);

}  // namespace helios::spec
