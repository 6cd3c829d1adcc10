/// What is wrong in a JSON text, and where: the one form in which specs and policies are refused.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "helios/error.h"

namespace helios::spec {

/// Where a byte of a text stands. Both count from 1; columns count characters (code points), not bytes.
struct TextPosition {
  std::uint64_t line{1};
  std::uint64_t column{1};
  bool operator==(const TextPosition&) const = default;
};

/// Counts lines and characters over a text that is seen piece by piece and then forgotten.
class PositionCounter {
 public:
  void pass(std::string_view bytes) noexcept;
  [[nodiscard]] TextPosition position() const noexcept { return at_; }

 private:
  TextPosition at_;
};

/// One thing that is wrong. `pointer` is RFC 6901 ("" is the whole text).
struct JsonProblem {
  TextPosition at;
  std::string pointer;
  std::string expected;  ///< "a string"
  std::string found;     ///< "number 7"
  bool operator==(const JsonProblem&) const = default;
};

/// One line: `s.json:14:18: /chunks/3/command: expected a string, found number 7`. Control characters are escaped,
/// long parts shortened.
[[nodiscard]] std::string to_string(const JsonProblem& problem, std::string_view origin);
[[nodiscard]] Error to_error(const JsonProblem& problem, std::string_view origin, ErrorCode code);

/// "abc" with control characters escaped, at most some 60 bytes of it, as one line of valid UTF-8.
[[nodiscard]] std::string quote_for_message(std::string_view text);
/// The same without quotes, keeping `max` bytes.
[[nodiscard]] std::string escape_for_message(std::string_view text, std::size_t max);
/// `string "abc"`, `number 7`, `true`, `null`, `an object`, `an array`.
[[nodiscard]] std::string describe_for_message(const nlohmann::json& value);

/// Appends "/token" with ~ and / escaped as RFC 6901 wants it.
void append_pointer_token(std::string& pointer, std::string_view token);

}  // namespace helios::spec
