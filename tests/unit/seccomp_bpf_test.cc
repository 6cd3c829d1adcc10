#include <gtest/gtest.h>

#include "plugins/isolated/bpf.h"

namespace helios::isolated {
namespace {

seccomp_data call(int number, std::uint64_t first = 0) {
  seccomp_data data{};
  data.nr = number;
  data.args[0] = first;
  return data;
}

TEST(BackwardAssembler, ReachesTargetsBeyond255Instructions) {
  BackwardAssembler assembler;
  const auto last = assembler.ret(1000);
  std::size_t next = last;
  for (std::uint32_t i = 700; i-- > 0;) next = assembler.jump_if(BPF_JEQ, i, assembler.ret(i), next);
  assembler.load(0, next);
  const auto program = assembler.take();
  ASSERT_TRUE(check_program(program));
  for (int i = 0; i < 700; ++i) EXPECT_EQ(run_program(program, call(i)), static_cast<std::uint32_t>(i));
  EXPECT_EQ(run_program(program, call(700)), 1000U);
}

TEST(BackwardAssembler, ReachesFarTargetsThatAreNoReturns) {
  BackwardAssembler assembler;
  const auto masked = assembler.keep_bits(0xf0, assembler.jump_if(BPF_JEQ, 0x30, assembler.ret(1), assembler.ret(2)));
  const auto far = assembler.load(16, masked);
  std::size_t next = assembler.ret(77);
  for (std::uint32_t i = 1000; i-- > 600;) next = assembler.jump_if(BPF_JEQ, i, assembler.ret(i), next);
  assembler.load(0, assembler.jump_if(BPF_JEQ, 5, far, next));
  const auto program = assembler.take();
  ASSERT_TRUE(check_program(program));
  EXPECT_EQ(run_program(program, call(5, 0x1234)), 1U);
  EXPECT_EQ(run_program(program, call(5, 0x1244)), 2U);
  EXPECT_EQ(run_program(program, call(6)), 77U);
  EXPECT_EQ(run_program(program, call(999)), 999U);
}

TEST(CheckProgram, RefusesWhatTheKernelWould) {
  const sock_filter ret{BPF_RET | BPF_K, 0, 0, 0};
  using Program = std::vector<sock_filter>;
  EXPECT_FALSE(check_program(Program{}));
  EXPECT_FALSE(check_program(Program(4097, ret)));
  EXPECT_FALSE(check_program(Program{{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}}));        // no return
  EXPECT_FALSE(check_program(Program{{BPF_LD | BPF_W | BPF_ABS, 0, 0, 64}, ret}));  // outside
  EXPECT_FALSE(check_program(Program{{BPF_LD | BPF_W | BPF_ABS, 0, 0, 2}, ret}));   // unaligned
  EXPECT_FALSE(check_program(Program{{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0}, ret}));  // one too far
  EXPECT_FALSE(check_program(Program{{BPF_JMP | BPF_JA, 0, 0, 1}, ret}));
  EXPECT_FALSE(check_program(Program{{BPF_JMP | BPF_JA, 0, 0, 0xffffffff}, ret}));  // backwards in some eyes
  EXPECT_FALSE(check_program(Program{{BPF_ST, 0, 0, 16}, ret}));
  EXPECT_FALSE(check_program(Program{{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, ret}));
  EXPECT_TRUE(check_program(Program{{BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0}, ret}));
}

TEST(RunProgram, KillsOnWhatItDoesNotKnow) {
  const std::vector<sock_filter> odd{{BPF_LDX | BPF_IMM, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  EXPECT_EQ(run_program(odd, call(0)), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ(run_program({}, call(0)), SECCOMP_RET_KILL_PROCESS);
}

}  // namespace
}  // namespace helios::isolated
