/// System calls that the filter refuses: answered as the plain filter would, counted and named.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/execution.h"
#include "plugins/isolated/learning.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::isolated {

/// A call's six arguments, "0x1, 0x2, …".
[[nodiscard]] std::string arguments_of(const seccomp_data& data);

class Denials {
 public:
  /// `program` outlives us: what it would have answered is what the caller gets.
  explicit Denials(const SeccompProgram& program) : program_(program) {}
  void listen(sys::UniqueFd listener);
  [[nodiscard]] int fd() const { return listener_.get(); }

  /// Answers one notification. Returns the text of a fatal refusal: then the run is to be ended.
  [[nodiscard]] std::optional<std::string> answer();
  /// From now on calls that the program answers with SECCOMP_RET_LOG are recorded and let through.
  void learn() { learner_.emplace(); }
  /// Learning only: answers what is waiting, a bounded number.
  [[nodiscard]] std::optional<std::string> answer_waiting();
  [[nodiscard]] Learner* learner() { return learner_ ? &*learner_ : nullptr; }
  [[nodiscard]] std::vector<Denial> take() { return std::move(seen_); }

 private:
  Denial& entry(std::int64_t number, std::uint32_t arch, const std::string& error);

  const SeccompProgram& program_;
  sys::UniqueFd listener_;
  std::vector<Denial> seen_;
  std::optional<Learner> learner_;
};

}  // namespace helios::isolated
