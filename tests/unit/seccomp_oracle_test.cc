// libseccomp is the oracle: its whole filter for the same rules, run in the same interpreter, has to answer alike.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>

#include "plugins/isolated/bpf.h"
#include "plugins/isolated/seccomp_hardening.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::isolated {
namespace {

using nlohmann::json;
constexpr std::uint32_t kEnosys = SECCOMP_RET_ERRNO | ENOSYS;
constexpr std::uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;

std::string read_data(const std::string& name) {
  std::ifstream in(std::string(HELIOS_SOURCE_DIR) + "/tests/data/seccomp/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::uint32_t action(const std::string& name, std::uint32_t error) {
  if (name == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (name == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  if (name == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  if (name == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(error);
  throw std::runtime_error("action " + name);
}

scmp_compare comparison(const std::string& op) {
  static const std::map<std::string, scmp_compare> known{{"SCMP_CMP_NE", SCMP_CMP_NE},
                                                         {"SCMP_CMP_LT", SCMP_CMP_LT},
                                                         {"SCMP_CMP_LE", SCMP_CMP_LE},
                                                         {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                                         {"SCMP_CMP_GE", SCMP_CMP_GE},
                                                         {"SCMP_CMP_GT", SCMP_CMP_GT},
                                                         {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
  return known.at(op);
}

/// An independent, plain reading of a profile: as runc feeds libseccomp, with no capabilities, on amd64.
struct Oracle {
  std::vector<sock_filter> program;
  int highest{0};
  std::set<int> tested;  ///< numbers with rules about arguments

  static bool skip(const json& rule) {
    const json includes = rule.value("includes", json::object()), excludes = rule.value("excludes", json::object());
    if (!includes.value("caps", json::array()).empty()) return true;
    const json in = includes.value("arches", json::array()), out = excludes.value("arches", json::array());
    if (!in.empty() && std::find(in.begin(), in.end(), "amd64") == in.end()) return true;
    return std::find(out.begin(), out.end(), "amd64") != out.end();
  }

  explicit Oracle(const std::string& text) {
    const json profile = json::parse(text);
    const std::uint32_t by_default = action(profile["defaultAction"], profile.value("defaultErrnoRet", 1U));
    void* context = seccomp_init(by_default);
    seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP);
    for (const json& rule : profile["syscalls"]) {
      if (skip(rule)) continue;
      const std::uint32_t act = action(rule["action"], rule.value("errnoRet", 1U));
      for (const std::string name : rule["names"]) {
        const int number = seccomp_syscall_resolve_name(name.c_str());
        if (number < 0) continue;
        highest = std::max(highest, number);
        if (act == by_default) continue;
        std::vector<scmp_arg_cmp> args;
        if (rule.contains("args") && rule["args"].is_array()) {
          for (const json& a : rule["args"]) {
            args.push_back({a["index"], comparison(a["op"]), a["value"].get<std::uint64_t>(),
                            a.value("valueTwo", std::uint64_t{0})});
          }
        }
        if (!args.empty()) tested.insert(number);
        EXPECT_EQ(seccomp_rule_add_array(context, act, number, static_cast<unsigned>(args.size()), args.data()), 0)
            << name;
      }
    }
    const int fd = ::memfd_create("oracle", MFD_CLOEXEC);
    seccomp_export_bpf(context, fd);
    program.resize(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)) / sizeof(sock_filter));
    EXPECT_GT(::pread(fd, program.data(), program.size() * sizeof(sock_filter), 0), 0);
    ::close(fd);
    seccomp_release(context);
  }
};

FilterEnvironment plain() {
  FilterEnvironment environment;
  environment.harden = false;
  return environment;
}

const std::vector<std::uint64_t> kValues{0,
                                         1,
                                         2,
                                         3,
                                         7,
                                         8,
                                         9,
                                         16,
                                         39,
                                         40,
                                         41,
                                         0x7fffffff,
                                         0x80000000,
                                         0xffffffff,
                                         0x20000,
                                         0x20008,
                                         2114060288,
                                         0x10000000,
                                         1ULL << 32,
                                         (1ULL << 32) | 40,
                                         (1ULL << 32) | 8,
                                         (1ULL << 32) | 0x10000000,
                                         0xffffffff00000008,
                                         UINT64_MAX};

seccomp_data call(int number, std::uint32_t arch, std::uint64_t a0 = 0, std::uint64_t a1 = 0, std::uint64_t a2 = 0) {
  seccomp_data data{};
  data.nr = number;
  data.arch = arch;
  data.args[0] = a0;
  data.args[1] = a1;
  data.args[2] = a2;
  return data;
}

void expect_same_verdicts(const std::string& profile) {
  const Oracle oracle(profile);
  const auto ours = compile_seccomp(profile, plain());
  ASSERT_TRUE(ours) << ours.error().message;
  for (int number = 0; number < 1024; ++number) {
    const char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    const unsigned narrow = name ? narrow_arguments(name) : 0;
    const bool tested = oracle.tested.count(number) != 0;
    for (const std::uint64_t a0 : tested ? kValues : std::vector<std::uint64_t>{0, UINT64_MAX}) {
      for (const std::uint64_t a2 : tested ? kValues : std::vector<std::uint64_t>{0}) {
        // The kernel sees cut arguments; so has the oracle to.
        const auto cut = [narrow](unsigned i, std::uint64_t v) { return (narrow >> i & 1U) ? v & 0xffffffff : v; };
        const std::uint32_t wanted =
            number > oracle.highest
                ? kEnosys
                : run_program(oracle.program, call(number, AUDIT_ARCH_X86_64, cut(0, a0), cut(1, a0), cut(2, a2)));
        ASSERT_EQ(evaluate(*ours, call(number, AUDIT_ARCH_X86_64, a0, a0, a2)), wanted)
            << number << " " << (name ? name : "") << " " << a0 << " " << a2;
      }
    }
    std::free(const_cast<char*>(name));
    // The other entries are closed in both; ours says how, libseccomp says "bad architecture".
    const int x32 = number | 0x40000000;
    ASSERT_EQ(evaluate(*ours, call(x32, AUDIT_ARCH_X86_64)), kEnosys);
    ASSERT_EQ(run_program(oracle.program, call(x32, AUDIT_ARCH_X86_64)), SECCOMP_RET_TRAP);
    for (const std::uint32_t arch : std::initializer_list<std::uint32_t>{AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64}) {
      ASSERT_EQ(evaluate(*ours, call(number, arch)), kEperm);
      ASSERT_EQ(run_program(oracle.program, call(number, arch)), SECCOMP_RET_TRAP);
    }
  }
  EXPECT_EQ(evaluate(*ours, call(-1, AUDIT_ARCH_X86_64)), kEnosys);
}

TEST(SeccompOracle, PodmansProfileUnchanged) { expect_same_verdicts(read_data("podman.json")); }
TEST(SeccompOracle, DockersProfileUnchanged) { expect_same_verdicts(read_data("docker.json")); }
TEST(SeccompOracle, DockersKindOfProfile) { expect_same_verdicts(read_data("docker_like.json")); }

std::string profile_with(const std::string& rules, const std::string& by_default = "SCMP_ACT_ERRNO") {
  return R"({"defaultAction":")" + by_default +
         R"(","syscalls":[{"names":["execve","statx"],"action":"SCMP_ACT_ALLOW"})" +
         (rules.empty() ? "" : "," + rules) + "]}";
}

/// Rules of several calls, drawn at random. `actions` has one entry for rules that cannot disagree.
json random_rules(std::mt19937& random, const std::vector<json>& actions) {
  static const std::vector<std::string> kOps{"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",       "SCMP_CMP_EQ",
                                             "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"};
  const auto below = [&random](std::size_t n) { return random() % n; };
  json rules = json::array();
  for (std::size_t i = 0, n = 1 + below(5); i < n; ++i) {
    json rule = actions[below(actions.size())];
    rule["names"] = {std::vector<std::string>{"read", "mmap", "socket", "ioctl", "clone"}[below(5)]};
    rule["args"] = json::array();
    for (unsigned index = 0; index < 3; ++index) {
      if (below(2) == 0) continue;
      rule["args"].push_back({{"index", index},
                              {"op", kOps[below(kOps.size())]},
                              {"value", kValues[below(kValues.size())]},
                              {"valueTwo", kValues[below(kValues.size())]}});
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

bool holds(const json& test, const std::array<std::uint64_t, 3>& args, unsigned narrow) {
  const unsigned index = test["index"];
  const std::uint64_t kept = (narrow >> index & 1U) ? 0xffffffff : UINT64_MAX;
  const std::uint64_t a = args.at(index) & kept, v = test["value"].get<std::uint64_t>() & kept,
                      two = test["valueTwo"].get<std::uint64_t>() & kept;
  const std::string op = test["op"];
  if (op == "SCMP_CMP_NE") return a != v;
  if (op == "SCMP_CMP_LT") return a < v;
  if (op == "SCMP_CMP_LE") return a <= v;
  if (op == "SCMP_CMP_EQ") return a == v;
  if (op == "SCMP_CMP_GE") return a >= v;
  if (op == "SCMP_CMP_GT") return a > v;
  return (a & v) == (two & v);
}

TEST(SeccompOracle, RulesOfOneCallAreAlternativesAndTheirTestsAllHave) {
  std::mt19937 random(7);
  const std::vector<json> allow{{{"action", "SCMP_ACT_ALLOW"}}};
  for (int round = 0; round < 150; ++round) {
    const json rules = random_rules(random, allow);
    const std::string inner = rules.dump().substr(1, rules.dump().size() - 2);
    const auto program = compile_seccomp(profile_with(inner), plain());
    ASSERT_TRUE(program) << program.error().message << inner;
    for (const std::string name : {"read", "mmap", "socket", "ioctl", "clone"}) {
      for (int i = 0; i < 300; ++i) {
        const std::array<std::uint64_t, 3> args{kValues[random() % kValues.size()], kValues[random() % kValues.size()],
                                                kValues[random() % kValues.size()]};
        bool allowed = false;
        for (const json& rule : rules) {
          if (rule["names"][0] != name) continue;
          allowed |= std::all_of(rule["args"].begin(), rule["args"].end(),
                                 [&](const json& test) { return holds(test, args, narrow_arguments(name)); });
        }
        ASSERT_EQ(evaluate(*program, call(syscall_number(name), AUDIT_ARCH_X86_64, args[0], args[1], args[2])),
                  allowed ? SECCOMP_RET_ALLOW : kEperm)
            << name << " " << inner << " " << args[0] << " " << args[1] << " " << args[2];
      }
    }
  }
}

TEST(SeccompOracle, AgreesOnEveryComparisonByItself) {
  for (const std::string op : {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
                               "SCMP_CMP_MASKED_EQ"}) {
    for (const std::uint64_t value : kValues) {
      const json test{{"index", 0}, {"op", op}, {"value", value}, {"valueTwo", 0x100000008ULL}};
      const json rule{{"names", {"mmap", "mremap"}}, {"action", "SCMP_ACT_ALLOW"}, {"args", {test}}};
      const std::string profile = profile_with(rule.dump());
      const Oracle oracle(profile);
      const auto ours = compile_seccomp(profile, plain());
      ASSERT_TRUE(ours);
      for (const std::uint64_t argument : kValues) {
        const seccomp_data data = call(syscall_number("mmap"), AUDIT_ARCH_X86_64, argument);
        ASSERT_EQ(evaluate(*ours, data), run_program(oracle.program, data)) << op << " " << value << " " << argument;
      }
    }
  }
}

TEST(SeccompOracle, LetsTheStrictestOfRulesThatDisagreeDecide) {
  const auto rule = [](const char* action, int above) {
    return json{
        {"names", {"mmap"}}, {"action", action}, {"args", {{{"index", 0}, {"op", "SCMP_CMP_GT"}, {"value", above}}}}}
        .dump();
  };
  for (const bool strict_first : {false, true}) {
    const std::string allow = rule("SCMP_ACT_ALLOW", 2), kill = rule("SCMP_ACT_KILL_PROCESS", 5);
    const auto program = compile_seccomp(profile_with(strict_first ? kill + "," + allow : allow + "," + kill), plain());
    ASSERT_TRUE(program);
    const int mmap = syscall_number("mmap");
    EXPECT_EQ(evaluate(*program, call(mmap, AUDIT_ARCH_X86_64, 2)), kEperm);
    EXPECT_EQ(evaluate(*program, call(mmap, AUDIT_ARCH_X86_64, 5)), SECCOMP_RET_ALLOW);
    EXPECT_EQ(evaluate(*program, call(mmap, AUDIT_ARCH_X86_64, 6)), SECCOMP_RET_KILL_PROCESS);
  }
}

/// Why how rules combine is not left to libseccomp. Should this ever fail, libseccomp has been mended.
TEST(SeccompOracle, AllowsCallsThatNoRuleAllowsAndOursDoesNot) {
  const std::string profile = profile_with(R"({"names":["mmap"],"action":"SCMP_ACT_ALLOW","args":[
        {"index":0,"value":0,"op":"SCMP_CMP_LE"},{"index":1,"value":1,"op":"SCMP_CMP_EQ"}]},
      {"names":["mmap"],"action":"SCMP_ACT_ALLOW","args":[
        {"index":0,"value":8,"op":"SCMP_CMP_LE"},{"index":1,"value":99,"op":"SCMP_CMP_GT"}]})");
  const seccomp_data neither = call(syscall_number("mmap"), AUDIT_ARCH_X86_64, 2, 1);
  EXPECT_EQ(evaluate(*compile_seccomp(profile, plain()), neither), kEperm);
  EXPECT_EQ(run_program(Oracle(profile).program, neither), SECCOMP_RET_ALLOW);
}

}  // namespace
}  // namespace helios::isolated
