// Every attack of the table: stopped inside `isolated`, and shown to work where nothing stops it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "tests/escape/attack_classes.h"
#include "tests/support/ia32_entry.h"

namespace helios::test {
namespace {

struct Try {
  Attack attack;
  Identity who;
};

void PrintTo(const Try& t, std::ostream* out) { *out << t.attack.name << " as " << t.who.name; }

std::string try_name(const testing::TestParamInfo<Try>& info) {
  std::string name = info.param.attack.name + "_" + info.param.who.name + "_" + std::to_string(info.index);
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}

std::vector<Try> all_tries(const std::vector<Identity>& identities) {
  std::vector<Try> all;
  for (const Identity& who : identities)
    for (const Attack& attack : attacks()) all.push_back({attack, who});
  return all;
}

std::vector<std::string> probe_command(const std::string& name, const std::vector<std::string>& arguments) {
  std::vector<std::string> command{"./escape_probe", name};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

Invocation with_bait(Invocation what, const Bait& bait, bool terminal) {
  what.env.emplace_back("PLANTED_SECRET", bait.word);
  what.terminal = terminal;
  return what;
}

// ---- stopped ----

class Escape : public testing::TestWithParam<Try> {};

bool was_stopped(const Finished& f) {
  if (f.reason() == "syscall-denied" || f.exit_code == 128 + SIGSYS) return true;
  return f.reason() == "exited" && f.exit_code == 1 && f.text("stdout").find("stopped: ") != std::string::npos;
}

TEST_P(Escape, IsStopped) {
  const Attack& attack = GetParam().attack;
  Scene scene(GetParam().who);
  {
    Bait bait(scene);
    if (attack.name == "setuid-gain" && bait.root_program.empty()) GTEST_SKIP() << "a set-user-id file needs root";
    const std::vector<std::string> arguments = attack.arguments ? attack.arguments(bait) : std::vector<std::string>{};
    if (attack.name == "posix-mq" && bait.queue_name.empty()) GTEST_SKIP() << "the kernel has no POSIX message queues";
    Invocation what = scene.command("isolated", {"--timeout", "15s"}, probe_command(attack.name, arguments));
    const int leaked = open("/", O_RDONLY | O_DIRECTORY);
    what.leaked_fds = {leaked};
    const Finished f = run_to_end(with_bait(what, bait, attack.terminal));
    close(leaked);
    ASSERT_TRUE(f.has_result()) << attack.why << "\n" << f.describe();
    EXPECT_TRUE(was_stopped(f)) << attack.why << "\n" << f.describe();
    EXPECT_EQ(bait.damage(), "") << attack.why << "\n" << f.describe();
  }
  EXPECT_EQ(scene.left_behind(), std::vector<std::string>{});
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Escape);
INSTANTIATE_TEST_SUITE_P(All, Escape, testing::ValuesIn(all_tries(able_identities())), try_name);

// ---- and works elsewhere ----

class EscapeControl : public testing::TestWithParam<Try> {};

// HELIOS_ESCAPE_CONTROL=bare starts the probes with nothing around them, to try them before there is a helios-run.
bool bare_controls() {
  const char* value = std::getenv("HELIOS_ESCAPE_CONTROL");
  return value != nullptr && std::string(value) == "bare";
}

Invocation control_of(const Attack& attack, const Scene& scene, const Bait& bait, int leaked) {
  const Arguments& given = attack.control_arguments ? attack.control_arguments : attack.arguments;
  std::vector<std::string> command = probe_command(attack.name, given ? given(bait) : std::vector<std::string>{});
  if (attack.control == Control::shell_differs) command = probe_command(attack.control_command[0], {});
  Invocation bare = scene.unconfined(command);
  bare.argv[0] = scene.in_workspace("escape_probe");
  if (attack.control == Control::bare_leaky) bare.leaked_fds = {leaked};
  if (attack.control == Control::bare_user) bare.uid = bare.gid = kUser;
  const bool is_bare = attack.control == Control::bare_leaky || attack.control == Control::bare_user;
  return is_bare || bare_controls() ? bare : scene.command("shell", {"--timeout", "15s"}, command);
}

// Linux 6.6
bool kernel_has_fchmodat2() {
  constexpr long kFchmodat2 = 452;
  return syscall(kFchmodat2, -1, "", 0, 0) == 0 || errno != ENOSYS;
}

bool kernel_has_vsock() {
  const int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) close(fd);
  return fd >= 0 || errno != EAFNOSUPPORT;
}

TEST_P(EscapeControl, TheProbeWorks) {
  const Attack& attack = GetParam().attack;
  Scene scene(GetParam().who);
  {
    Bait bait(scene);
    if (attack.name == "posix-mq" && bait.queue_name.empty()) GTEST_SKIP() << "the kernel has no POSIX message queues";
    if (attack.name == "int80" && !kernel_has_ia32_entry()) GTEST_SKIP() << "the kernel has no 32-bit entry";
    if (attack.name.rfind("vsock", 0) == 0 && !kernel_has_vsock()) GTEST_SKIP() << "the kernel has no AF_VSOCK";
    const int leaked = open("/", O_RDONLY | O_DIRECTORY);
    const Finished f = run_to_end(with_bait(control_of(attack, scene, bait, leaked), bait, attack.terminal));
    close(leaked);
    EXPECT_EQ(f.exit_code, 0) << attack.why << "\n" << f.describe();
    const std::string said = f.has_result() ? f.text("stdout") : f.out;
    EXPECT_NE(said.find("escaped: "), std::string::npos) << f.describe();
    if (attack.name == "leave-setuid") {
      for (const char* call : {"chmod", "fchmod", "fchmodat", "fchmodat2", "open", "openat", "creat", "openat2",
                               "O_TMPFILE", "mknod", "mknodat"}) {
        if (std::string_view(call) == "fchmodat2" && !kernel_has_fchmodat2()) continue;
        EXPECT_NE(said.find(std::string("file by ") + call + "\n"), std::string::npos) << call << "\n" << said;
      }
    }
    if (attack.name == "signal-outside") {
      EXPECT_NE(bait.damage().find("victim"), std::string::npos);
    }
    if (attack.name == "leave-setuid-file") {
      EXPECT_NE(bait.damage().find("set-user-id"), std::string::npos);
    }
  }
  EXPECT_EQ(scene.left_behind(), std::vector<std::string>{});
}

// Only root can do what these probes try; the controls belong to root's run of the suite.
std::vector<Identity> root_only() {
  std::vector<Identity> root;
  for (Identity& who : able_identities())
    if (who.is_root()) root.push_back(who);
  return root;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EscapeControl);
INSTANTIATE_TEST_SUITE_P(All, EscapeControl, testing::ValuesIn(all_tries(root_only())), try_name);

}  // namespace
}  // namespace helios::test
