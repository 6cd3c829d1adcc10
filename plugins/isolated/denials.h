/// System calls that the filter refuses: answered as the plain filter would, counted and named.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/execution.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::isolated {

class Denials {
 public:
  /// `program` outlives us: what it would have answered is what the caller gets.
  explicit Denials(const SeccompProgram& program) : program_(program) {}
  void listen(sys::UniqueFd listener) { listener_ = std::move(listener); }
  [[nodiscard]] int fd() const { return listener_.get(); }

  /// Answers one notification. Returns the text of a fatal refusal: then the run is to be ended.
  [[nodiscard]] std::optional<std::string> answer();
  [[nodiscard]] std::vector<Denial> take() { return std::move(seen_); }

 private:
  Denial& entry(std::int64_t number, std::uint32_t arch, const std::string& error);

  const SeccompProgram& program_;
  sys::UniqueFd listener_;
  std::vector<Denial> seen_;
};

}  // namespace helios::isolated
