#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>

#include "plugins/isolated/seccomp_hardening.h"
#include "plugins/isolated/seccomp_profile.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::isolated {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t error(int number) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number); }
constexpr std::uint64_t kHigh = 0xdead00000000;  // what the kernel cuts off

constexpr const char* kAllowAll = R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]})";

seccomp_data call(const char* name, std::initializer_list<std::uint64_t> args = {}) {
  seccomp_data data{};
  data.nr = syscall_number(name);
  data.arch = AUDIT_ARCH_X86_64;
  std::size_t i = 0;
  for (const std::uint64_t arg : args) data.args[i++] = arg;
  return data;
}

SeccompProgram compiled(std::string_view profile, const FilterEnvironment& environment = {}) {
  auto program = compile_seccomp(profile, environment);
  EXPECT_TRUE(program) << program.error().message;
  return program ? *program : SeccompProgram{};
}

std::string refusal(const std::string& profile, const FilterEnvironment& environment = {}) {
  const auto program = compile_seccomp(profile, environment);
  return program ? "accepted" : program.error().message;
}

class Hardened : public testing::Test {
 protected:
  std::uint32_t answer(const char* name, std::initializer_list<std::uint64_t> args = {}) const {
    return evaluate(program, call(name, args));
  }
  SeccompProgram program = compiled(kAllowAll);
};

TEST_F(Hardened, RefusesSetIdModesWhateverTheHighBits) {
  for (const std::uint64_t mode : {04755, 02755, 06000, 04000}) {
    EXPECT_EQ(answer("chmod", {0, mode}), error(EPERM));
    EXPECT_EQ(answer("fchmod", {0, mode | kHigh}), error(EPERM));
    EXPECT_EQ(answer("fchmodat", {0, 0, mode}), error(EPERM));
    EXPECT_EQ(answer("fchmodat2", {0, 0, mode}), error(EPERM));
    EXPECT_EQ(answer("creat", {0, mode}), error(EPERM));
    EXPECT_EQ(answer("mkdir", {0, mode}), error(EPERM));
    EXPECT_EQ(answer("mkdirat", {0, 0, mode}), error(EPERM));
    EXPECT_EQ(answer("mknod", {0, mode}), error(EPERM));
    EXPECT_EQ(answer("mknodat", {0, 0, mode}), error(EPERM));
    EXPECT_EQ(answer("open", {0, O_CREAT | O_WRONLY, mode}), error(EPERM));
    EXPECT_EQ(answer("openat", {0, 0, O_TMPFILE | O_RDWR, mode}), error(EPERM));
    EXPECT_EQ(answer("openat", {0, 0, O_RDONLY, mode}), SECCOMP_RET_ALLOW) << "the mode is not looked at";
  }
  EXPECT_EQ(answer("chmod", {0, 01777}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer("openat", {0, 0, O_CREAT, 0755}), SECCOMP_RET_ALLOW);
}

TEST_F(Hardened, OpensNoSocketsOfOtherFamilies) {
  for (const std::uint64_t family : {AF_UNIX, AF_INET, AF_INET6}) {
    EXPECT_EQ(answer("socket", {family, 1, 0}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer("socket", {family | kHigh, 1, 0}), SECCOMP_RET_ALLOW);
  }
  for (const std::uint64_t family : {0, AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH, AF_XDP, AF_KEY, AF_TIPC, 99}) {
    EXPECT_EQ(answer("socket", {family, 1, 0}), error(EAFNOSUPPORT)) << family;
    EXPECT_EQ(answer("socket", {family | (1ULL << 32), 1, 0}), error(EAFNOSUPPORT)) << family;
    EXPECT_EQ(answer("socketpair", {family, 1, 0}), error(EAFNOSUPPORT)) << family;
  }
  EXPECT_EQ(answer("socket", {AF_NETLINK, SOCK_RAW, 0}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer("socket", {AF_NETLINK, SOCK_RAW, 12}), error(EPROTONOSUPPORT));
}

TEST_F(Hardened, KeepsTerminalsAndNamespacesClosed) {
  EXPECT_EQ(answer("ioctl", {0, TIOCSTI}), error(EPERM));
  EXPECT_EQ(answer("ioctl", {0, TIOCSTI | kHigh}), error(EPERM));
  EXPECT_EQ(answer("ioctl", {0, TIOCLINUX}), error(EPERM));
  EXPECT_EQ(answer("ioctl", {0, TCGETS}), SECCOMP_RET_ALLOW);
  for (const std::uint64_t flag :
       {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET}) {
    EXPECT_EQ(answer("clone", {flag | 17}), error(EPERM));
    EXPECT_EQ(answer("clone", {flag | 17 | kHigh}), error(EPERM));
  }
  EXPECT_EQ(answer("clone", {CLONE_VM | CLONE_THREAD | CLONE_SIGHAND}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer("unshare", {0}), error(EPERM));
  EXPECT_EQ(answer("setns", {0, 0}), error(EPERM));
  for (const char* opaque : {"clone3", "openat2", "io_uring_setup", "io_uring_enter", "io_uring_register"}) {
    EXPECT_EQ(answer(opaque), error(ENOSYS)) << opaque;
  }
}

TEST_F(Hardened, LetsNobodyChangeTheCoreLimit) {
  constexpr std::uint64_t kPointer = 0x7ffd12345678, kLowHalfIsZero = 1ULL << 32;
  for (const std::uint64_t pointer : {kPointer, kLowHalfIsZero, std::uint64_t{8}}) {
    EXPECT_EQ(answer("prlimit64", {0, RLIMIT_CORE, pointer, 0}), error(EPERM)) << pointer;
    EXPECT_EQ(answer("prlimit64", {0, RLIMIT_CORE | kHigh, pointer, 0}), error(EPERM)) << pointer;
    EXPECT_EQ(answer("prlimit64", {0, RLIMIT_NOFILE, pointer, 0}), SECCOMP_RET_ALLOW) << pointer;
  }
  EXPECT_EQ(answer("setrlimit", {RLIMIT_CORE, kPointer}), error(EPERM));
  EXPECT_EQ(answer("setrlimit", {RLIMIT_CORE | kHigh, kPointer}), error(EPERM));
  EXPECT_EQ(answer("setrlimit", {RLIMIT_NOFILE, kPointer}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer("prlimit64", {0, RLIMIT_CORE, 0, kPointer}), SECCOMP_RET_ALLOW) << "only asks";
  EXPECT_EQ(answer("prlimit64", {1, RLIMIT_CORE, 0, kPointer}), error(EPERM)) << "another process";
}

TEST_F(Hardened, TakesNoPagesThatNoLimitCountsAndReadsNoKeyringOfTheCaller) {
  constexpr std::uint64_t kPlain = MAP_PRIVATE | MAP_ANONYMOUS;
  EXPECT_EQ(answer("mmap", {0, 4096, 3, kPlain | MAP_HUGETLB}), error(EINVAL));
  EXPECT_EQ(answer("mmap", {0, 4096, 3, kPlain | MAP_HUGETLB | (21ULL << MAP_HUGE_SHIFT)}), error(EINVAL));
  EXPECT_EQ(answer("mmap", {0, 4096, 3, kPlain | kHigh | MAP_HUGETLB}), error(EINVAL));
  EXPECT_EQ(answer("mmap", {0, 4096, 3, kPlain | MAP_NORESERVE | MAP_FIXED}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer("memfd_create", {0, MFD_HUGETLB | MFD_CLOEXEC}), error(EINVAL));
  EXPECT_EQ(answer("memfd_create", {0, MFD_CLOEXEC | MFD_ALLOW_SEALING}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer("memfd_create", {0, UINT32_MAX}), SECCOMP_RET_ALLOW)
      << "Chromium's question; the kernel says EINVAL";
  EXPECT_EQ(answer("shmget", {0, 4096, SHM_HUGETLB | IPC_CREAT | 0600}), error(EINVAL));
  EXPECT_EQ(answer("shmget", {0, 4096, IPC_CREAT | 0600}), SECCOMP_RET_ALLOW);
  for (const char* call : {"add_key", "keyctl", "request_key"}) EXPECT_EQ(answer(call), error(EPERM)) << call;
}

TEST(Hardening, LeavesNamespacesToThePolicyThatAllowsThem) {
  FilterEnvironment nested;
  nested.nested_user_namespaces = true;
  const auto program = compiled(kAllowAll, nested);
  EXPECT_EQ(evaluate(program, call("clone", {CLONE_NEWUSER})), SECCOMP_RET_ALLOW);
  EXPECT_EQ(evaluate(program, call("unshare", {CLONE_NEWUSER})), SECCOMP_RET_ALLOW);
  EXPECT_EQ(evaluate(program, call("clone3")), error(ENOSYS)) << "its flags cannot be seen";
  EXPECT_EQ(evaluate(program, call("chmod", {0, 04755})), error(EPERM));
}

TEST(Hardening, NeverOpensWhatTheProfileRefuses) {
  const auto program = compiled(R"({"defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[
      {"names":["execve"],"action":"SCMP_ACT_ALLOW"},{"names":["zzz","cachestat"],"action":"SCMP_ACT_LOG"}]})");
  for (const char* name : {"chmod", "socket", "ioctl", "open", "clone"}) {
    EXPECT_EQ(evaluate(program, call(name)), SECCOMP_RET_KILL_PROCESS) << name;
  }
  EXPECT_EQ(evaluate(program, call("cachestat")), SECCOMP_RET_LOG);
  EXPECT_EQ(program.allowed_calls, 2U);
}

TEST(CompileSeccomp, AnswersEnosysBeyondTheProfilesTable) {
  const std::string strict =
      R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["execve","statx"],"action":"SCMP_ACT_ALLOW"}]})";
  const auto program = compiled(strict);
  EXPECT_EQ(evaluate(program, call("statx")), SECCOMP_RET_ALLOW);
  EXPECT_EQ(evaluate(program, call("rseq")), error(ENOSYS)) << "334 is beyond statx, 332";
  EXPECT_EQ(evaluate(program, call("read")), error(EPERM));
  EXPECT_EQ(evaluate(compiled(kAllowAll), call("rseq")), SECCOMP_RET_ALLOW) << "a deny list lets new calls through";
}

TEST(CompileSeccomp, WantsToBeAbleToStartSomething) {
  EXPECT_THAT(
      refusal(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]})"),
      HasSubstr("execve"));
  EXPECT_THAT(refusal(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["execve"],"action":"SCMP_ACT_ALLOW",
      "args":[{"index":0,"value":0,"op":"SCMP_CMP_NE"}]}]})"),
              HasSubstr("execve"));
  EXPECT_THAT(refusal(R"({"defaultAction":"SCMP_ACT_ERRNO"})"), HasSubstr("execve"));
}

TEST(CompileSeccomp, NamesWhatIsWrongInAProfile) {
  const auto with = [](const std::string& rule) {
    return refusal(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[)" + rule + "]}");
  };
  EXPECT_THAT(refusal("{"), HasSubstr("malformed JSON at byte"));
  EXPECT_THAT(refusal("[]"), HasSubstr("expected an object, found array"));
  EXPECT_THAT(refusal("{}"), HasSubstr("\"defaultAction\" is missing"));
  EXPECT_THAT(refusal(R"({"defaultAction":"SCMP_ACT_ALOW"})"),
              HasSubstr("/defaultAction: no action is called 'SCMP_ACT_ALOW'"));
  EXPECT_THAT(refusal(R"({"defaultAction":"SCMP_ACT_ALLOW","defaultAction":"SCMP_ACT_ALLOW"})"), HasSubstr("twice"));
  EXPECT_THAT(with(R"({"names":["read"],"action":"SCMP_ACT_NOTIFY"})"), HasSubstr("listener"));
  EXPECT_THAT(with(R"({"names":[],"action":"SCMP_ACT_ALLOW"})"), HasSubstr("/syscalls/0: \"names\""));
  EXPECT_THAT(with(R"({"names":[7],"action":"SCMP_ACT_ALLOW"})"), HasSubstr("/syscalls/0/names/0: expected a string"));
  EXPECT_THAT(with(R"({"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":5000})"), HasSubstr("at most 4095"));
  EXPECT_THAT(with(R"({"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]})"),
              HasSubstr("/syscalls/0/args/0/index: expected at most 5"));
  EXPECT_THAT(
      with(R"({"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}]})"),
      HasSubstr("not negative"));
  EXPECT_THAT(with(R"({"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"=="}]})"),
              HasSubstr("no comparison is called '=='"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("nested deeper"));
}

TEST(CompileSeccomp, SkipsUnknownNamesButNamesTheNearestWhenStrict) {
  const std::string profile =
      R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["opneat","chown32"],"action":"SCMP_ACT_ERRNO"}]})";
  EXPECT_EQ(refusal(profile), "accepted");
  FilterEnvironment strict;
  strict.strict_names = true;
  EXPECT_THAT(refusal(profile, strict),
              HasSubstr("/syscalls/0/names: no system call is called 'opneat'; the nearest is 'openat'"));
  EXPECT_THAT(*unknown_syscalls(profile), testing::SizeIs(1)) << "chown32 is known, on other architectures";
}

TEST(CompileSeccomp, LooksAtTheKernelOnlyWhenAsked) {
  const std::string profile =
      R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["execve","fchmodat2"],"action":"SCMP_ACT_ALLOW"},
      {"names":["ptrace"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}}]})";
  FilterEnvironment kernel;
  kernel.kernel = "4.7";
  EXPECT_EQ(evaluate(compiled(profile, kernel), call("ptrace")), error(EPERM));
  kernel.kernel = "4.10";
  EXPECT_EQ(evaluate(compiled(profile, kernel), call("ptrace")), SECCOMP_RET_ALLOW);
  EXPECT_EQ(compiled(profile, kernel).kernel, "4.10");
  EXPECT_EQ(compiled(kAllowAll, kernel).kernel, "");
}

TEST(CompileSeccomp, GivesRulesForCapabilitiesToNobody) {
  const std::string profile =
      R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["execve","fchmodat2"],"action":"SCMP_ACT_ALLOW"},
      {"names":["chroot"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_CHROOT"]}}]})";
  EXPECT_EQ(evaluate(compiled(profile), call("chroot")), error(EPERM));
  FilterEnvironment able;
  able.caps = {"CAP_SYS_CHROOT"};
  EXPECT_EQ(evaluate(compiled(profile, able), call("chroot")), SECCOMP_RET_ALLOW);
}

TEST(WithUserNotification, AsksAboutRefusalsButNotAboutEnosys) {
  const auto program = compiled(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
      {"names":["execve","fchmodat2","chmod"],"action":"SCMP_ACT_ALLOW"},{"names":["ptrace"],"action":"SCMP_ACT_KILL"},
      {"names":["bpf"],"action":"SCMP_ACT_TRAP"},{"names":["keyctl"],"action":"SCMP_ACT_TRACE"},
      {"names":["mount"],"action":"SCMP_ACT_KILL_PROCESS"},{"names":["swapon"],"action":"SCMP_ACT_LOG"},
      {"names":["swapoff"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]})");
  const auto asking = with_user_notification(program);
  ASSERT_EQ(asking.instructions.size(), program.instructions.size());
  for (const char* refused : {"ptrace", "bpf", "keyctl", "mount", "read"}) {
    EXPECT_EQ(evaluate(asking, call(refused)), SECCOMP_RET_USER_NOTIF) << refused;
  }
  EXPECT_EQ(evaluate(asking, call("chmod", {0, 04755})), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(evaluate(asking, call("chmod", {0, 0755})), SECCOMP_RET_ALLOW);
  EXPECT_EQ(evaluate(asking, call("swapon")), SECCOMP_RET_LOG);
  EXPECT_EQ(evaluate(asking, call("swapoff")), error(ENOSYS));
  EXPECT_EQ(evaluate(asking, call("clone3")), error(ENOSYS));
}

TEST(Names, AreTheUsualOnes) {
  EXPECT_EQ(syscall_name(257, AUDIT_ARCH_X86_64), "openat");
  EXPECT_EQ(syscall_name(469, AUDIT_ARCH_X86_64), "file_setattr");
  EXPECT_EQ(syscall_name(257 | 0x40000000, AUDIT_ARCH_X86_64), "openat (x32)");
  EXPECT_EQ(syscall_name(4, AUDIT_ARCH_I386), "write (32-bit)");
  EXPECT_EQ(syscall_name(999, AUDIT_ARCH_X86_64), "syscall 999");
  EXPECT_EQ(syscall_name(-1, AUDIT_ARCH_X86_64), "syscall -1");
  EXPECT_EQ(syscall_number("openat"), 257);
  EXPECT_EQ(syscall_number("mseal"), 462);
  EXPECT_EQ(syscall_number("nonsense"), -1);
  EXPECT_EQ(errno_name(1), "EPERM");
  EXPECT_EQ(errno_name(4000), "errno 4000");
}

TEST(NarrowArguments, AreOnlyGivenForCallsThatExist) {
  EXPECT_EQ(narrow_arguments("socket"), 7U);
  EXPECT_EQ(narrow_arguments("mmap"), 0U);
  EXPECT_EQ(narrow_arguments("ioctl"), 2U);
}

TEST(DescribeProfile, SaysWhatEachCallGets) {
  const auto lines =
      describe_profile(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},
      {"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]}]})",
                       {});
  ASSERT_TRUE(lines);
  EXPECT_THAT(*lines, testing::ElementsAre("(default) EPERM", "personality allow if arg0 == 8", "read allow"));
}

}  // namespace
}  // namespace helios::isolated
