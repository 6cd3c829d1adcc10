#include "plugins/isolated/bpf.h"

#include <cstring>
#include <string>

namespace helios::isolated {
namespace {

constexpr std::size_t kReach = 255;  // jt and jf are 8 bits
constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kAnd = BPF_ALU | BPF_AND | BPF_K;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
constexpr std::uint16_t kAlways = BPF_JMP | BPF_JA;

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

/// Performs one instruction that neither jumps nor returns; false if it is none of ours.
bool perform(const sock_filter& in, const seccomp_data& data, std::uint32_t& a) {
  if (in.code == kAnd) {
    a &= in.k;
    return true;
  }
  if (in.code != kLoad || in.k > sizeof(data) - sizeof(a)) return false;
  std::memcpy(&a, reinterpret_cast<const char*>(&data) + in.k, sizeof(a));
  return true;
}

/// Empty when the instruction at `pc` is sound.
std::string unsound(std::span<const sock_filter> program, std::size_t pc) {
  const sock_filter& in = program[pc];
  const std::size_t left = program.size() - pc - 1;
  if (is_conditional(in.code)) return in.jt < left && in.jf < left ? "" : "jumps out of the program";
  switch (in.code) {
    case kReturn:
    case kAnd:
      return "";
    case kAlways:
      return in.k < left ? "" : "jumps out of the program";
    case kLoad:
      return in.k % 4 == 0 && in.k < sizeof(seccomp_data) ? "" : "reads outside of seccomp_data";
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

BackwardAssembler::Label BackwardAssembler::keep_bits(std::uint32_t mask, Label next) {
  if (distance(next) != 0) stepping_stone(next);
  return add({kAnd, 0, 0, mask});
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
  std::uint32_t a = 0;
  for (std::size_t pc = 0; pc < program.size();) {
    const sock_filter& in = program[pc++];
    if (in.code == kReturn) return in.k;
    if (in.code == kAlways) {
      pc += in.k;
    } else if (is_conditional(in.code)) {
      pc += holds(in.code, a, in.k) ? in.jt : in.jf;
    } else if (!perform(in, data, a)) {
      break;
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}

}  // namespace helios::isolated
