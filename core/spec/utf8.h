/// UTF-8 as the WHATWG decoder (Node's TextDecoder) reads it: what is not a character becomes U+FFFD.
///
/// Each maximal subpart of an ill-formed sequence becomes one U+FFFD (Unicode 15, section 3.9, table 3-8). A byte order
/// mark is kept: it is part of what the program wrote.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace helios::spec {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// What stands at the start of a text: `length` bytes that are one character, or (not `valid`) the maximal ill-formed
/// part that becomes one U+FFFD. `unfinished`: the text ends inside what may still become a character.
struct Utf8Step {
  std::size_t length{0};
  bool valid{false};
  bool unfinished{false};
};

/// Looks at the first character of a text that is not empty.
[[nodiscard]] Utf8Step utf8_step(std::string_view text) noexcept;

/// How many bytes at the start are plain ASCII.
[[nodiscard]] std::size_t ascii_prefix(std::string_view text) noexcept;

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// The text with every ill-formed part replaced by U+FFFD. Valid text comes back unchanged.
[[nodiscard]] std::string sanitize_utf8(std::string_view text);

/// How many bytes at the end (0 to 3) begin a character whose rest has not come yet.
[[nodiscard]] std::size_t unfinished_utf8_suffix(std::string_view text) noexcept;

/// The same as `sanitize_utf8` for text that comes in pieces: a character split over pieces stays whole.
class Utf8Sanitizer {
 public:
  /// Appends to `out` everything of `piece` (and of what was held back) that is decided by now.
  void append(std::string_view piece, std::string& out);
  /// The text has ended: an unfinished character held back becomes U+FFFD.
  void finish(std::string& out);

 private:
  std::string held_;  ///< 0 to 3 bytes that begin a character
};

}  // namespace helios::spec
