/// A host that remembers what it was told, and plans for the runner "other".
#pragma once

#include <array>
#include <span>

#include "helios/runner.h"
#include "plugin_sample.h"

namespace helios::test {

class RecordingHost : public Host {
 public:
  std::string out, err, logged;
  LogLevel level{};
  ExecutionRequest planned;

  void output(Stream stream, std::string_view bytes) noexcept override { (stream == Stream::out ? out : err) += bytes; }
  std::array<char, 8> kept{};
  [[nodiscard]] std::span<char> room(Stream stream) noexcept override {
    return stream == Stream::out ? std::span<char>(kept) : std::span<char>();
  }
  void log(LogLevel l, std::string_view message) noexcept override {
    level = l;
    logged += message;
  }
  [[nodiscard]] int cancel_fd() const noexcept override { return 17; }
  [[nodiscard]] Result<Plan> plan_with(std::string_view runner, const ExecutionRequest& request) noexcept override {
    if (runner != "other") return fail(ErrorCode::not_found, "no runner " + std::string(runner), "there is: other");
    planned = request;
    Plan p;
    p.items = sample_items();
    p.missing = sample_findings();
    return p;
  }
};

}  // namespace helios::test
