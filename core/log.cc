#include "core/log.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "core/spec/utf8.h"

namespace helios {
namespace {

void append_escape(std::string& out, unsigned code) {
  char text[16];
  std::snprintf(text, sizeof text, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
  out += text;
}

// The code point of a valid sequence.
unsigned decode(std::string_view c) {
  if (c.size() == 1) return static_cast<unsigned char>(c[0]);
  unsigned code = static_cast<unsigned char>(c[0]) & (0xFFU >> (c.size() + 1));
  for (const char b : c.substr(1)) code = (code << 6U) | (static_cast<unsigned char>(b) & 0x3FU);
  return code;
}

// Moves the cursor, changes colours, or lets text read in another order than it is written.
bool acts_on_terminals(unsigned code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x200E || code == 0x200F || code == 0x2028 ||
         code == 0x2029 || (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

std::string escaped(std::string_view raw, bool keep_lines) {
  const std::string text = spec::sanitize_utf8(raw);
  std::string out;
  out.reserve(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t n = spec::utf8_step(rest).length;
    const std::string_view c = rest.substr(0, n);
    const unsigned code = decode(c);
    rest.remove_prefix(n);
    if (!acts_on_terminals(code) || (keep_lines && (code == '\n' || code == '\t'))) {
      out += c;
    } else if (code == '\n') {
      out += "\\n";
    } else if (code == '\t') {
      out += "\\t";
    } else if (code == '\r') {
      out += "\\r";
    } else {
      append_escape(out, code);
    }
  }
  return out;
}

// One write(2) per line: lines of several processes on one terminal do not mix.
class StderrSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    while (::write(STDERR_FILENO, line.data(), line.size()) < 0 && errno == EINTR) {
    }
  }
  void flush_() override {}
};

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

class Log::Sink {
 public:
  Sink(const std::string& program, LogFormat format) : logger_(program, std::make_shared<StderrSink>()) {
    logger_.set_level(spdlog::level::trace);
    // %v is the payload as it is: `write` escapes it before (spdlog does not).
    logger_.set_pattern(format == LogFormat::text
                            ? "%n: %l: %v"
                            : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","program":"%n","level":"%l","message":%v})",
                        spdlog::pattern_time_type::utc);
  }
  spdlog::logger& logger() { return logger_; }

 private:
  spdlog::logger logger_;
};

Log::Log(std::string program, LogLevel threshold, LogFormat format)
    : program_(std::move(program)), threshold_(threshold), format_(format) {}
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;
Log::~Log() = default;

void Log::write(LogLevel level, std::string_view message) noexcept {
  if (!passes(level)) return;
  if (!sink_) sink_ = std::make_unique<Sink>(program_, format_);
  sink_->logger().log(level_of(level), format_ == LogFormat::text ? one_line(message) : json_string(message));
}

std::string one_line(std::string_view text) { return escaped(text, false); }
std::string for_terminal(std::string_view text) { return escaped(text, true); }

std::string json_string(std::string_view raw) {
  std::string out = "\"";
  for (const char c : spec::sanitize_utf8(raw)) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char text[8];
      std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(c));
      out += text;
    } else {
      out += c;
    }
  }
  return out += '"';
}

}  // namespace helios
