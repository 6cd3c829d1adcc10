#include "core/spec/json_problem.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/spec/utf8.h"

namespace helios::spec {
namespace {

constexpr std::size_t kMaxQuoted = 60;
constexpr std::size_t kMaxPointer = 200;
constexpr std::size_t kMaxOrigin = 500;

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

/// What a terminal or a log must not get: C0, DEL, C1, and the characters that turn text around (bidi controls) or
/// break lines.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (first < 0x20 || first == 0x7F) return true;
  if (first == 0xC2) return static_cast<unsigned char>(character[1]) < 0xA0;
  if (character.size() != 3 || first != 0xE2) return false;
  const auto second = static_cast<unsigned char>(character[1]);
  const auto third = static_cast<unsigned char>(character[2]);
  return (second == 0x80 && third >= 0xA8 && third <= 0xAE) || (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

void append_escaped(std::string& out, std::string_view character) {
  static constexpr char kDigits[] = "0123456789abcdef";
  if (character == "\n") out += "\\n";
  if (character == "\t") out += "\\t";
  if (character == "\r") out += "\\r";
  if (character == "\n" || character == "\t" || character == "\r") return;
  for (const char byte : character) {
    const auto value = static_cast<unsigned char>(byte);
    out.append("\\x").append(1, kDigits[value >> 4]).append(1, kDigits[value & 15]);
  }
}

}  // namespace

void PositionCounter::pass(std::string_view bytes) noexcept {
  if (const std::size_t newline = bytes.rfind('\n'); newline != std::string_view::npos) {
    at_.line += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
    at_.column = 1;
    bytes.remove_prefix(newline + 1);
  }
  at_.column += static_cast<std::uint64_t>(std::count_if(bytes.begin(), bytes.end(), starts_character));
}

std::string escape_for_message(std::string_view text, std::size_t max) {
  std::string out;
  while (!text.empty() && out.size() < max) {
    const Utf8Step step = utf8_step(text);
    const std::string_view character = text.substr(0, step.length);
    if (!step.valid || is_control(character)) {
      append_escaped(out, character);
    } else {
      out += character;
    }
    text.remove_prefix(step.length);
  }
  if (!text.empty()) out += "…";
  return out;
}

std::string quote_for_message(std::string_view text) { return '"' + escape_for_message(text, kMaxQuoted) + '"'; }

std::string describe_for_message(const nlohmann::json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (value.is_string()) return "string " + quote_for_message(value.get_ref<const std::string&>());
  return (value.is_number() ? "number " : "") + value.dump();
}

void append_pointer_token(std::string& pointer, std::string_view token) {
  pointer += '/';
  for (const char c : token) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
}

std::string to_string(const JsonProblem& problem, std::string_view origin) {
  std::string line = escape_for_message(origin, kMaxOrigin);
  line += ':' + std::to_string(problem.at.line) + ':' + std::to_string(problem.at.column) + ": ";
  if (!problem.pointer.empty()) line += escape_for_message(problem.pointer, kMaxPointer) + ": ";
  return line + "expected " + problem.expected + ", found " + problem.found;
}

Error to_error(const JsonProblem& problem, std::string_view origin, ErrorCode code) {
  return Error{code, to_string(problem, origin)};
}

}  // namespace helios::spec
