// What is read out of a result and a policy.
#include "apps/helios-run/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace helios::app {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

WorkerResult failed(const std::string& err) {
  WorkerResult r;
  r.exit_code = 1;
  r.err.text = err;
  r.execution.isolation = {"mount", "net"};
  return r;
}

policy::Policy shows_usr() {
  policy::Policy p;
  p.profile.mounts = {{MountKind::ro_bind, "/usr", "/usr", 0, false}};
  p.profile.seccomp_json =
      R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[)"
      R"({"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]})";
  return p;
}

std::string text_of(const WorkerResult& r) {
  const policy::Policy p = shows_usr();
  return explanation_text(explain(r, &p));
}

TEST(Explain, FindsThePathInWhatProgramsSay) {
  EXPECT_THAT(text_of(failed("cat: /etc/passwd: No such file or directory\n")),
              AllOf(HasSubstr("/etc/passwd was not found: it is outside the sandbox's view"),
                    HasSubstr("--ro-bind /etc/passwd")));
  EXPECT_THAT(text_of(failed("FileNotFoundError: [Errno 2] No such file or directory: '/no/such'\n")),
              HasSubstr("/no/such was not found: the host does not have it either"));
  EXPECT_THAT(text_of(failed("Error: ENOENT: no such file or directory, open '/etc/hostname'\n")),
              HasSubstr("/etc/hostname was not found"));
  EXPECT_THAT(text_of(failed("touch: cannot touch '/usr/x': Read-only file system\n")),
              AllOf(HasSubstr("/usr/x could not be written"), HasSubstr("never shown writable")));
  EXPECT_THAT(text_of(failed("/bin/sh: 1: cannot create /data/x: Read-only file system\n")), HasSubstr("--bind /data"));
}

TEST(Explain, TellsANetworkThatIsNotThere) {
  EXPECT_THAT(text_of(failed("curl: (6) Could not resolve host: example.com\n")), HasSubstr("--network host"));
  WorkerResult with_network = failed("curl: (6) Could not resolve host: example.com\n");
  with_network.execution.isolation = {"mount"};
  EXPECT_THAT(text_of(with_network), Not(HasSubstr("network"))) << "then it is not ours";
}

TEST(Explain, DecodesArgumentsAndTellsHardeningFromThePolicy) {
  WorkerResult r = failed("");
  r.execution.denied = {{"socket", 41, 1, "EPERM", "0x2, 0x80001, 0x0", "x (pid 2)"},
                        {"clone", 56, 1, "EPERM", "0x10000011, 0x0", ""},
                        {"fchmodat", 268, 1, "EPERM", "0xffffff9c, 0x7f, 0x9ed", ""},
                        {"openat (32-bit)", 5, 1, "EPERM", "0x0", ""}};
  EXPECT_THAT(text_of(r), AllOf(HasSubstr("socket(AF_INET, SOCK_STREAM, 0)"), HasSubstr("only with other arguments"),
                                HasSubstr(R"("args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}])")));
  EXPECT_THAT(text_of(r), AllOf(HasSubstr("clone(CLONE_NEWUSER)"), HasSubstr("nestedUserNamespaces")));
  EXPECT_THAT(text_of(r), AllOf(HasSubstr("fchmodat(DIR, …, 04755)"), HasSubstr("setuid")));
  EXPECT_THAT(text_of(r), HasSubstr("64-bit build"));
}

TEST(Explain, SaysSoWhenNothingWasInTheWay) {
  WorkerResult r;
  r.success = true;
  EXPECT_THAT(text_of(r), HasSubstr("nothing was refused"));
}

TEST(Explain, KeepsControlCharactersOfTheCommandOffTheTerminal) {
  EXPECT_THAT(text_of(failed("cat: '/x\x1b[31m': No such file or directory\n")), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace helios::app
