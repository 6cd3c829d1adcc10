#include "plugins/isolated/bpf.h"

#include <array>
#include <cstring>
#include <string>

namespace helios::isolated {
namespace {

constexpr std::size_t kReach = 255;  // jt and jf are 8 bits
constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
constexpr std::uint16_t kAlways = BPF_JMP | BPF_JA;
constexpr std::uint32_t kFirstArgument = 16;  // offsetof(seccomp_data, args)

bool is_conditional(std::uint16_t code) {
  return code == (BPF_JMP | BPF_JEQ | BPF_K) || code == (BPF_JMP | BPF_JGT | BPF_K) ||
         code == (BPF_JMP | BPF_JGE | BPF_K) || code == (BPF_JMP | BPF_JSET | BPF_K);
}

bool holds(std::uint16_t code, std::uint32_t a, std::uint32_t k) {
  switch (BPF_OP(code)) {
    case BPF_JEQ:
      return a == k;
    case BPF_JGT:
      return a > k;
    case BPF_JGE:
      return a >= k;
    default:
      return (a & k) != 0;
  }
}

/// The accumulator and scratch memory while a program runs.
struct Machine {
  std::uint32_t a{0};
  std::array<std::uint32_t, BPF_MEMWORDS> memory{};

  /// Performs one instruction that neither jumps nor returns; false if it is none of ours.
  bool perform(const sock_filter& in, const seccomp_data& data) {
    switch (in.code) {
      case kLoad:
        if (in.k > sizeof(data) - sizeof(a)) return false;
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + in.k, sizeof(a));
        return true;
      case BPF_LD | BPF_IMM:
        a = in.k;
        return true;
      case BPF_LD | BPF_MEM:
        a = memory[in.k % BPF_MEMWORDS];
        return true;
      case BPF_ST:
        memory[in.k % BPF_MEMWORDS] = a;
        return true;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= in.k;
        return true;
      default:
        return false;
    }
  }
};

/// Steps through the program; `stop(pc, instruction)` ends it early.
template <class Stop>
std::uint32_t interpret(std::span<const sock_filter> program, const seccomp_data& data, Stop stop) {
  Machine machine;
  for (std::size_t pc = 0; pc < program.size();) {
    const sock_filter& in = program[pc];
    if (in.code == kReturn) return in.k;
    if (stop(pc, in)) break;
    if (in.code == kAlways) {
      pc += std::size_t{1} + in.k;
    } else if (is_conditional(in.code)) {
      pc += std::size_t{1} + (holds(in.code, machine.a, in.k) ? in.jt : in.jf);
    } else if (machine.perform(in, data)) {
      ++pc;
    } else {
      break;
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}

/// Empty when the instruction at `pc` is sound.
std::string unsound(std::span<const sock_filter> program, std::size_t pc) {
  const sock_filter& in = program[pc];
  const std::size_t left = program.size() - pc - 1;
  if (is_conditional(in.code)) return in.jt < left && in.jf < left ? "" : "jumps out of the program";
  switch (in.code) {
    case kReturn:
    case BPF_LD | BPF_IMM:
    case BPF_ALU | BPF_AND | BPF_K:
      return "";
    case kAlways:
      return in.k < left ? "" : "jumps out of the program";
    case kLoad:
      return in.k % 4 == 0 && in.k < sizeof(seccomp_data) ? "" : "reads outside of seccomp_data";
    case BPF_LD | BPF_MEM:
    case BPF_ST:
      return in.k < BPF_MEMWORDS ? "" : "uses scratch memory that does not exist";
    default:
      return "is none that a filter of ours holds";
  }
}

}  // namespace

BackwardAssembler::Label BackwardAssembler::add(sock_filter instruction) {
  reversed_.push_back(instruction);
  return reversed_.size();
}

BackwardAssembler::Label BackwardAssembler::ret(std::uint32_t action) {
  const auto known = returns_.find(action);
  if (known != returns_.end()) return known->second;
  const Label label = add({kReturn, 0, 0, action});
  returns_.emplace(action, label);
  return label;
}

BackwardAssembler::Label BackwardAssembler::stepping_stone(Label target) {
  const sock_filter& there = reversed_[target - 1];
  if (there.code != kReturn) return add({kAlways, 0, 0, static_cast<std::uint32_t>(distance(target))});
  const sock_filter copy = there;
  return returns_[copy.k] = add(copy);  // what comes before it reaches the copy more easily
}

BackwardAssembler::Label BackwardAssembler::load(std::uint32_t offset, Label next) {
  if (distance(next) != 0) stepping_stone(next);
  return add({kLoad, 0, 0, offset});
}

BackwardAssembler::Label BackwardAssembler::jump_if(std::uint16_t comparison, std::uint32_t value, Label yes,
                                                    Label no) {
  while (distance(yes) > kReach || distance(no) > kReach) {  // a stone moves the other target one further away
    Label& far = distance(yes) > distance(no) ? yes : no;
    far = stepping_stone(far);
  }
  return add({static_cast<std::uint16_t>(BPF_JMP | comparison | BPF_K), static_cast<std::uint8_t>(distance(yes)),
              static_cast<std::uint8_t>(distance(no)), value});
}

BackwardAssembler::Label BackwardAssembler::block(std::span<const sock_filter> instructions) {
  reversed_.insert(reversed_.end(), instructions.rbegin(), instructions.rend());
  return reversed_.size();
}

std::vector<sock_filter> BackwardAssembler::take() const { return {reversed_.rbegin(), reversed_.rend()}; }

Status check_program(std::span<const sock_filter> program) {
  if (program.empty() || program.size() > BPF_MAXINSNS) {
    return fail(ErrorCode::invalid_argument,
                "a filter has 1 to 4096 instructions, not " + std::to_string(program.size()));
  }
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const std::string problem = unsound(program, pc);
    if (!problem.empty()) {
      return fail(ErrorCode::invalid_argument, "instruction " + std::to_string(pc) + " of the filter " + problem);
    }
  }
  if (program.back().code != kReturn) {
    return fail(ErrorCode::invalid_argument, "the filter's last instruction is no return");
  }
  return {};
}

std::uint32_t run_program(std::span<const sock_filter> program, const seccomp_data& data) {
  return interpret(program, data, [](std::size_t, const sock_filter&) { return false; });
}

std::size_t first_argument_load(std::span<const sock_filter> program, const seccomp_data& data) {
  std::size_t found = program.size();
  interpret(program, data, [&found](std::size_t pc, const sock_filter& in) {
    if (in.code != kLoad || in.k < kFirstArgument) return false;
    found = pc;
    return true;
  });
  return found;
}

}  // namespace helios::isolated
