/// Small JSON documents (policies) as the library's values, with the place of each value in the text.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/spec/json_problem.h"
#include "helios/error.h"

namespace helios::spec {

/// Shape: `positions` maps the JSON pointer of every value ("" is the root) to where it begins.
struct LocatedJson {
  std::string origin;
  nlohmann::json root;
  std::map<std::string, TextPosition, std::less<>> positions;

  /// "origin:LINE:COL: pointer: expected …, found …" for the value at `pointer` (or, where there is none, the nearest
  /// one above it, which then lacks it). `found` empty: the value itself in words.
  [[nodiscard]] Error problem(std::string_view pointer, std::string_view expected, std::string_view found = {},
                              ErrorCode code = ErrorCode::invalid_policy) const;
};

/// As strict as for specs: duplicate names, nesting, string length, UTF-8, nothing after the end. Errors: `code`, one
/// line.
[[nodiscard]] Result<LocatedJson> parse_located_json(std::string_view text, std::string origin,
                                                     ErrorCode code = ErrorCode::invalid_policy);

}  // namespace helios::spec
