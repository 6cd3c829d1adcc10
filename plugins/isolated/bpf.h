/// Classic BPF as seccomp(2) takes it: putting a program together, checking one that was read, and running one.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "helios/error.h"

namespace helios::isolated {

/// Puts a program together from its end to its start. Classic BPF only jumps forward and a conditional jump reaches
/// 255 instructions: built backwards, every target is already in place and its distance known, so one that is too far
/// gets a stepping stone at once (a copy when it is a return, else an unconditional jump, which reaches everything).
class BackwardAssembler {
 public:
  /// Names an instruction that is already there: its distance from the end of the program, 1 for the last one.
  using Label = std::size_t;

  /// A return of `action`; the same label again for the same action.
  Label ret(std::uint32_t action);
  /// Loads 32 bits of seccomp_data, then goes on at `next`.
  Label load(std::uint32_t offset, Label next);
  /// Keeps the bits of the accumulator that `mask` has, then goes on at `next`.
  Label keep_bits(std::uint32_t mask, Label next);
  /// `comparison`: BPF_JEQ, BPF_JGT, BPF_JGE or BPF_JSET, of the accumulator and `value`.
  Label jump_if(std::uint16_t comparison, std::uint32_t value, Label yes, Label no);
  /// The program, first instruction first; it starts with what was added last.
  [[nodiscard]] std::vector<sock_filter> take() const;

 private:
  Label add(sock_filter instruction);
  Label stepping_stone(Label target);
  [[nodiscard]] std::size_t distance(Label target) const { return reversed_.size() - target; }

  std::vector<sock_filter> reversed_;
  std::map<std::uint32_t, Label> returns_;
};

/// What the kernel checks at load, made a little narrower: 1 to 4096 instructions, only those that our compiler
/// emits, aligned loads within seccomp_data, jumps inside the program, a return at the end.
[[nodiscard]] Status check_program(std::span<const sock_filter> program);

/// What the kernel would answer: a SECCOMP_RET_ value with its data. Needs a program that passed check_program;
/// anything odd is SECCOMP_RET_KILL_PROCESS. [any thread]
[[nodiscard]] std::uint32_t run_program(std::span<const sock_filter> program, const seccomp_data& data);

}  // namespace helios::isolated
