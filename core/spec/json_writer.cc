#include "core/spec/json_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/spec/json_scanner.h"
#include "core/spec/utf8.h"

namespace helios::spec {
namespace {

void append_escape(std::string& out, char c) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += '\\';
  if (c == '"' || c == '\\') {
    out += c;
  } else if (const std::size_t short_form = std::string_view("\b\t\n\f\r").find(c);
             short_form != std::string_view::npos) {
    out += "btnfr"[short_form];
  } else {
    out.append("u00").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t plain = plain_json_prefix(text);
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const Utf8Step step = utf8_step(text);
    if (step.length == 1 && step.valid) {
      append_escape(out, text[0]);
    } else {
      out.append(step.valid ? text.substr(0, step.length) : kReplacement);
    }
    text.remove_prefix(step.length);
  }
  out += '"';
}

JsonWriter& JsonWriter::open(char bracket) {
  begin_value();
  out_ += bracket;
  ++depth_;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  --depth_;
  if (!std::exchange(first_, false)) new_line();
  out_ += bracket;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  begin_value();
  append_json_string(out_, name);
  out_ += indent_ < 0 ? ":" : ": ";
  after_key_ = true;
  return *this;
}

void JsonWriter::value(std::string_view text) {
  begin_value();
  append_json_string(out_, text);
}

void JsonWriter::value(bool flag) {
  begin_value();
  out_ += flag ? "true" : "false";
}

void JsonWriter::value(std::int64_t number) {
  begin_value();
  out_ += std::to_string(number);
}

void JsonWriter::value(std::uint64_t number) {
  begin_value();
  out_ += std::to_string(number);
}

void JsonWriter::decimal(double number, int decimals) {
  begin_value();
  std::array<char, 400> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), number, std::chars_format::fixed, decimals);
  out_.append(digits.data(), end.ptr);
}

/// What stands between the last value and the next one.
void JsonWriter::begin_value() {
  if (std::exchange(after_key_, false)) return;
  if (!std::exchange(first_, false)) out_ += ',';
  if (depth_ > 0) new_line();
}

void JsonWriter::new_line() {
  if (indent_ < 0) return;
  out_ += '\n';
  out_.append(static_cast<std::size_t>(depth_) * static_cast<std::size_t>(indent_), ' ');
}

}  // namespace helios::spec
