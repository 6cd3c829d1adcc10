/// The programs' log: lines on stderr, through spdlog, which is set up by the first line that passes the threshold; a
/// quiet run pays nothing for it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "helios/runner.h"

namespace helios {

enum class LogFormat { text, json };

class Log {
 public:
  /// Nothing below `threshold` is written.
  Log(std::string program, LogLevel threshold, LogFormat format);
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;
  ~Log();

  [[nodiscard]] bool passes(LogLevel level) const { return level >= threshold_; }
  /// One line, whatever `message` holds: control characters are escaped.
  void write(LogLevel level, std::string_view message) noexcept;

 private:
  class Sink;
  std::string program_;
  LogLevel threshold_;
  LogFormat format_;
  std::unique_ptr<Sink> sink_;
};

/// `text` with control characters as \n, \t, \x1b …, so that it is one line and harmless to a terminal. C1 controls
/// (U+0080 to U+009F), bidirectional overrides and what is not UTF-8 are escaped too.
[[nodiscard]] std::string one_line(std::string_view text);

/// The same, but line feeds and tabs stay.
[[nodiscard]] std::string for_terminal(std::string_view text);

/// `text` as a JSON string, with its quotes. Not UTF-8: U+FFFD.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace helios
