/// Writes JSON as it comes, without building it in memory first: a result may carry 16 MiB of output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace helios::spec {

/// Appends `text` as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Usage: open('{'), key("a"), value(1), close('}'). Commas and line breaks come by themselves.
class JsonWriter {
 public:
  /// `indent`: blanks per level; negative: everything on one line.
  explicit JsonWriter(int indent) : indent_(indent) {}

  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& key(std::string_view name);
  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool flag);
  void value(std::int64_t number);
  void value(std::uint64_t number);
  void value(int number) { value(static_cast<std::int64_t>(number)); }
  void value(unsigned number) { value(static_cast<std::uint64_t>(number)); }
  /// Rounded to `decimals` places.
  void decimal(double number, int decimals);

  [[nodiscard]] std::string take() { return std::move(out_); }
  void reserve(std::size_t bytes) { out_.reserve(bytes); }

 private:
  void begin_value();
  void new_line();

  std::string out_;
  int indent_;
  int depth_{0};
  bool first_{true};  ///< nothing yet in the innermost bracket
  bool after_key_{false};
};

}  // namespace helios::spec
