// Every shipped filter, loaded into a real kernel in a forked child that then starts programs.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>

#include "core/policy/policy.h"
#include "plugins/isolated/seccomp_program.h"
#include "tests/support/ia32_entry.h"

namespace helios {
namespace {

const std::string kPolicies = HELIOS_BINARY_DIR "/policies";

bool load(const isolated::SeccompProgram& program) {
  sock_fprog filter{static_cast<unsigned short>(program.instructions.size()),
                    const_cast<sock_filter*>(program.instructions.data())};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

/// The wait status of a child that ran `body` under the filter and exited with what it returned.
int status_under(const isolated::SeccompProgram& program, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(load(program) ? body() : 99);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

int failed_with(long result) { return result < 0 ? errno : 0; }

class ShippedFilter : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto policy = policy::load_policy(GetParam(), {kPolicies});
    ASSERT_TRUE(policy) << policy.error().message;
    const std::string name =
        isolated::compiled_name(policy->profile.seccomp_sha256, policy->profile.nested_user_namespaces);
    auto built = isolated::load_compiled(kPolicies + "/compiled/" + name);
    ASSERT_TRUE(built) << built.error().message;  // the build made it, under the name that a run looks for
    auto found = isolated::filter_for(policy->profile, "");
    ASSERT_TRUE(found);
    program = *found;
  }
  isolated::SeccompProgram program;
};

TEST_P(ShippedFilter, StartsPrograms) {
  EXPECT_EQ(status_under(program, [] { return ::execl("/bin/true", "true", nullptr); }), 0);
  EXPECT_EQ(
      status_under(program,
                   [] {
                     return ::execl(
                         "/bin/sh", "sh", "-c",
                         "d=$(mktemp -d) && cd $d && seq 100 | sort -rn | head -1 > f && cat f >/dev/null && rm -r $d",
                         nullptr);
                   }),
      0);
}

TEST_P(ShippedFilter, AnswersErrnosToWhatItRefuses) {
  const int status = status_under(program, [] {
    if (failed_with(::syscall(SYS_ptrace, 0, 0, 0, 0)) != EPERM) return 1;
    if (failed_with(::syscall(SYS_keyctl, 0, 0, 0, 0)) != EPERM) return 2;
    if (failed_with(::syscall(SYS_clone3, nullptr, 0)) != ENOSYS) return 3;
    if (failed_with(::syscall(SYS_openat2, -1, "", nullptr, 0)) != ENOSYS) return 4;
    if (failed_with(::syscall(SYS_unshare, 0x10000000)) == 0) return 5;
    if (failed_with(::syscall(SYS_socket, 40L | 1L << 32, SOCK_STREAM, 0)) == 0) return 6;
    if (failed_with(::syscall(SYS_getpid | 0x40000000)) != ENOSYS) return 7;
    if (failed_with(::syscall(600)) != ENOSYS) return 8;
    const int file = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (failed_with(::syscall(SYS_fchmod, file, 04755)) != EPERM) return 9;
    if (::mount("none", "/proc", "proc", 0, nullptr) == 0 || errno != EPERM) return 10;
    return 0;
  });
  EXPECT_EQ(status, 0) << "probe " << WEXITSTATUS(status);
}

TEST_P(ShippedFilter, ClosesThe32BitEntry) {
  if (!test::kernel_has_ia32_entry()) GTEST_SKIP() << "the kernel has no 32-bit entry";
  EXPECT_EQ(status_under(program, [] { return test::ia32_getpid() == -EPERM ? 0 : 1; }), 0);
}

TEST_P(ShippedFilter, LoadsInAFractionOfALaunch) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto start = std::chrono::steady_clock::now();
    const bool loaded = load(program);
    const auto taken = std::chrono::steady_clock::now() - start;
    ::dprintf(2, "load: %lld us, %zu instructions\n",
              static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(taken).count()),
              program.instructions.size());
    ::_exit(loaded && taken < std::chrono::milliseconds(20) ? 0 : 1);  // 0.1 ms on an idle machine
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

/// The default profiles of Docker and Podman as they are, compiled as a run compiles them.
class ForeignFilter : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::ifstream in(std::string(HELIOS_SOURCE_DIR) + "/tests/data/seccomp/" + GetParam() + ".json");
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    auto compiled = isolated::compile_seccomp(text, {});
    ASSERT_TRUE(compiled) << compiled.error().message;
    program = *compiled;
  }
  isolated::SeccompProgram program;
};

TEST_P(ForeignFilter, StartsProgramsAndRefusesWhatACommandWithoutCapabilitiesMayNot) {
  EXPECT_EQ(status_under(program, [] { return ::execl("/bin/sh", "sh", "-c", "seq 9 | sort -rn | head -1", nullptr); }),
            0);
  const bool docker = std::string_view(GetParam()) == "docker";
  const int refused = docker ? EPERM : ENOSYS;  // defaultErrnoRet
  const int status = status_under(program, [docker, refused] {
    if (failed_with(::syscall(SYS_keyctl, 0, 0, 0, 0)) != EPERM) return 1;
    // Docker's needs CAP_SYS_ADMIN for mount (includes); Podman's leaves that to the kernel, which finds no arguments.
    if ((failed_with(::syscall(SYS_mount, 0, 0, 0, 0, 0)) == EPERM) != docker) return 2;
    if (failed_with(::syscall(SYS_clone3, nullptr, 0)) != ENOSYS) return 3;
    if (failed_with(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)) != EPERM) return 4;  // masked argument
    if (failed_with(::syscall(SYS_socket, 40, SOCK_STREAM, 0)) == 0) return 5;
    if (failed_with(::syscall(SYS_personality, 0x0040000)) != refused) return 6;  // only some values
    if (failed_with(::syscall(SYS_personality, 0xffffffff)) != 0) return 7;
    if (failed_with(::syscall(SYS_getpid | 0x40000000)) != ENOSYS) return 8;
    if (failed_with(::syscall(600)) != ENOSYS) return 9;
    return 0;
  });
  EXPECT_EQ(status, 0) << "probe " << WEXITSTATUS(status);
}

INSTANTIATE_TEST_SUITE_P(Profiles, ForeignFilter, testing::Values("docker", "podman"),
                         [](const auto& test) { return std::string(test.param); });

INSTANTIATE_TEST_SUITE_P(Policies, ShippedFilter, testing::Values("default", "strict", "compute", "render"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace helios
