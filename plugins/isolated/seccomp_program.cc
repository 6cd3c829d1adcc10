#include "plugins/isolated/seccomp_program.h"

#include <linux/audit.h>
#include <seccomp.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "core/digest/sha256.h"
#include "core/edit_distance.h"
#include "plugins/isolated/bpf.h"
#include "plugins/isolated/seccomp_hardening.h"
#include "plugins/isolated/seccomp_profile.h"

namespace helios::isolated {
namespace {

constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::uint32_t kNotKnown = SECCOMP_RET_ERRNO | ENOSYS;
/// The answer to the 32-bit entry (int 0x80). Not a kill: a command that tries it and goes on is merely refused. Not
/// ENOSYS either: EPERM is reported as a denial, which tells why a 32-bit program does not run.
constexpr std::uint32_t kWrongEntry = SECCOMP_RET_ERRNO | EPERM;
constexpr int kLastNamed = 511;  // beyond every known call's number
constexpr int kTableEnd = 1024;  // system call numbers are far below

/// Calls newer than libseccomp 2.5.4's table; from 403 on the numbers are the same on every architecture.
struct NewCall {
  std::string_view name;
  int number;
};
constexpr std::array kNewCalls{
    NewCall{"cachestat", 451},         NewCall{"fchmodat2", 452},        NewCall{"map_shadow_stack", 453},
    NewCall{"futex_wake", 454},        NewCall{"futex_wait", 455},       NewCall{"futex_requeue", 456},
    NewCall{"statmount", 457},         NewCall{"listmount", 458},        NewCall{"lsm_get_self_attr", 459},
    NewCall{"lsm_set_self_attr", 460}, NewCall{"lsm_list_modules", 461}, NewCall{"mseal", 462},
    NewCall{"setxattrat", 463},        NewCall{"getxattrat", 464},       NewCall{"listxattrat", 465},
    NewCall{"removexattrat", 466},     NewCall{"open_tree_attr", 467},   NewCall{"file_getattr", 468},
    NewCall{"file_setattr", 469},
};

struct Architecture {
  std::uint32_t token;  ///< SCMP_ARCH_, which is AUDIT_ARCH_ for these
};

Result<Architecture> architecture_of(const std::string& name) {
  if (name == "x86_64") return Architecture{SCMP_ARCH_X86_64};
  if (name == "aarch64") return Architecture{SCMP_ARCH_AARCH64};
  if (!name.empty()) return fail(ErrorCode::unsupported, "compile a seccomp filter for " + name + ": not supported");
  const std::uint32_t native = seccomp_arch_native();
  if (native == SCMP_ARCH_X86_64 || native == SCMP_ARCH_AARCH64) return Architecture{native};
  return fail(ErrorCode::unsupported, "compile a seccomp filter: this processor is not supported");
}

/// The number; a negative one other than -1 for a call that only other architectures have; -1 for no call at all.
int resolve(const std::string& name, Architecture arch) {
  const int number = seccomp_syscall_resolve_name_arch(arch.token, name.c_str());
  if (number != __NR_SCMP_ERROR) return number;
  for (const NewCall& call : kNewCalls) {
    if (call.name == name) return call.number;
  }
  return __NR_SCMP_ERROR;
}

std::string name_of(int number, std::uint32_t token) {
  const std::unique_ptr<char, decltype(&::free)> known(seccomp_syscall_resolve_num_arch(token, number), &::free);
  if (known) return known.get();
  for (const NewCall& call : kNewCalls) {
    if (call.number == number) return std::string(call.name);
  }
  return {};
}

/// The name in the table with the fewest edits from `wrong`.
std::string nearest_call(const std::string& wrong, Architecture arch) {
  std::string best;
  std::size_t fewest = SIZE_MAX;
  for (int number = 0; number < kTableEnd; ++number) {
    const std::string name = name_of(number, arch.token);
    const std::size_t edits = name.empty() ? SIZE_MAX : edit_distance(wrong, name);
    if (edits < fewest) {
      fewest = edits;
      best = name;
    }
  }
  return best;
}

std::vector<std::string> unknown_names(const SeccompProfile& profile, Architecture arch) {
  std::vector<std::string> unknown;
  for (const ProfileRule& rule : profile.rules) {
    for (const std::string& name : rule.names) {
      if (resolve(name, arch) != __NR_SCMP_ERROR) continue;
      unknown.push_back(rule.pointer + "/names: no system call is called '" + name + "'; the nearest is '" +
                        nearest_call(name, arch) + "'");
    }
  }
  return unknown;
}

/// What the profile says about one call. A rule without arguments decides alone; of several the first, as in
/// libseccomp.
struct CallRules {
  std::string name;
  std::optional<std::uint32_t> always;
  std::vector<const ProfileRule*> tested;
};
using CallTable = std::map<int, CallRules>;

/// Names without a number here are skipped, as runc does: they belong to another architecture or a newer kernel.
/// Rules that repeat the default say nothing, as in runc.
CallTable table_of(const SeccompProfile& profile, Architecture arch) {
  CallTable table;
  for (const ProfileRule& rule : profile.rules) {
    for (const std::string& name : rule.names) {
      const int number = resolve(name, arch);
      if (number < 0 || number >= kTableEnd) continue;
      CallRules& call = table[number];
      call.name = name;
      if (rule.action == profile.default_action) continue;
      if (!rule.tests.empty()) {
        call.tested.push_back(&rule);
      } else if (!call.always) {
        call.always = rule.action;
      }
    }
  }
  for (auto& entry : table) {
    if (entry.second.always) entry.second.tested.clear();
  }
  return table;
}

bool lets_through(std::uint32_t action) { return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG; }

// ---- the program ----

using Label = BackwardAssembler::Label;

/// Where an argument's halves lie; x86_64 and aarch64 are little-endian.
std::uint32_t low_half(unsigned index) { return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) + 8 * index; }
std::uint32_t high_half(unsigned index) { return low_half(index) + 4; }

Label emit_condition(BackwardAssembler& assembler, const LowCondition& condition, Label yes, Label no) {
  if (condition.op == LowTest::not_equal) std::swap(yes, no);
  const std::uint16_t comparison = condition.op == LowTest::any_bit ? BPF_JSET : BPF_JEQ;
  const Label test = assembler.jump_if(comparison, condition.value, yes, no);
  return assembler.load(condition.high ? high_half(condition.index) : low_half(condition.index), test);
}

/// The refusals in order, then `otherwise`.
Label emit_refusals(BackwardAssembler& assembler, const std::vector<Refusal>& refusals, Label otherwise) {
  for (auto refusal = refusals.rbegin(); refusal != refusals.rend(); ++refusal) {
    Label yes = assembler.ret(refusal->action);
    for (auto c = refusal->conditions.rbegin(); c != refusal->conditions.rend(); ++c) {
      yes = emit_condition(assembler, *c, yes, otherwise);
    }
    otherwise = yes;
  }
  return otherwise;
}

Label emit_masked(BackwardAssembler& assembler, std::uint32_t offset, std::uint32_t mask, std::uint32_t value,
                  Label yes, Label no) {
  if (mask == 0) return yes;
  const Label test = assembler.jump_if(BPF_JEQ, value & mask, yes, no);
  return assembler.load(offset, mask == UINT32_MAX ? test : assembler.keep_bits(mask, test));
}

/// argument > value, or with `comparison` BPF_JGE argument >= value.
Label emit_greater(BackwardAssembler& assembler, const ArgumentTest& test, std::uint16_t comparison, bool narrow,
                   Label yes, Label no) {
  const auto low = static_cast<std::uint32_t>(test.value);
  const auto high = static_cast<std::uint32_t>(test.value >> 32);
  const Label lower = assembler.load(low_half(test.index), assembler.jump_if(comparison, low, yes, no));
  if (narrow) return lower;
  const Label equal = assembler.jump_if(BPF_JEQ, high, lower, no);
  return assembler.load(high_half(test.index), assembler.jump_if(BPF_JGT, high, yes, equal));
}

Label emit_equal(BackwardAssembler& assembler, const ArgumentTest& test, std::uint64_t mask, std::uint64_t value,
                 bool narrow, Label yes, Label no) {
  const Label lower = emit_masked(assembler, low_half(test.index), static_cast<std::uint32_t>(mask),
                                  static_cast<std::uint32_t>(value), yes, no);
  if (narrow) return lower;
  return emit_masked(assembler, high_half(test.index), static_cast<std::uint32_t>(mask >> 32),
                     static_cast<std::uint32_t>(value >> 32), lower, no);
}

/// `narrow`: the kernel sees the low 32 bits only, so they alone are compared.
Label emit_test(BackwardAssembler& assembler, const ArgumentTest& test, bool narrow, Label yes, Label no) {
  switch (test.op) {
    case Comparison::eq:
      return emit_equal(assembler, test, UINT64_MAX, test.value, narrow, yes, no);
    case Comparison::ne:
      return emit_equal(assembler, test, UINT64_MAX, test.value, narrow, no, yes);
    case Comparison::masked_eq:
      return emit_equal(assembler, test, test.value, test.value_two, narrow, yes, no);
    case Comparison::gt:
      return emit_greater(assembler, test, BPF_JGT, narrow, yes, no);
    case Comparison::ge:
      return emit_greater(assembler, test, BPF_JGE, narrow, yes, no);
    case Comparison::lt:
      return emit_greater(assembler, test, BPF_JGE, narrow, no, yes);
    case Comparison::le:
      return emit_greater(assembler, test, BPF_JGT, narrow, no, yes);
  }
  return no;
}

/// How strict an action is: the order in which the kernel lets the answers of several filters win, least first.
int strictness(std::uint32_t action) {
  static constexpr std::array<std::uint32_t, 7> kLeastFirst{
      SECCOMP_RET_ALLOW, SECCOMP_RET_LOG,         SECCOMP_RET_TRACE,       SECCOMP_RET_ERRNO,
      SECCOMP_RET_TRAP,  SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS};
  const auto known = std::find(kLeastFirst.begin(), kLeastFirst.end(), action & SECCOMP_RET_ACTION_FULL);
  return static_cast<int>(known - kLeastFirst.begin());
}

/// The rules of one call are alternatives. Where several hold and disagree the strictest decides, then the first:
/// libseccomp 2.5 leaves that to the shape of its tree, which even lets calls through that no rule allows
/// (docs/policies.md).
Label emit_rules(BackwardAssembler& assembler, const CallRules& call, std::uint32_t otherwise) {
  std::vector<const ProfileRule*> rules = call.tested;
  std::stable_sort(rules.begin(), rules.end(), [](const ProfileRule* a, const ProfileRule* b) {
    return strictness(a->action) > strictness(b->action);
  });
  const unsigned narrow = narrow_arguments(call.name);
  Label next = assembler.ret(otherwise);
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    Label yes = assembler.ret((*rule)->action);
    for (auto test = (*rule)->tests.rbegin(); test != (*rule)->tests.rend(); ++test) {
      yes = emit_test(assembler, *test, (narrow >> test->index & 1U) != 0, yes, next);
    }
    next = yes;
  }
  return next;
}

/// What happens to one number: an action, or a jump to its own block.
struct Verdict {
  std::uint32_t action{0};
  std::optional<Label> block;
  bool operator==(const Verdict&) const = default;
};

/// The first number of a stretch of numbers with one verdict.
struct Range {
  std::uint32_t first{0};
  Verdict verdict;
};

class Compiler {
 public:
  Compiler(const SeccompProfile& profile, Architecture arch, const FilterEnvironment& environment)
      : profile_(profile), arch_(arch), environment_(environment), table_(table_of(profile, arch)) {}

  Result<std::vector<sock_filter>> compile() {
    std::vector<Range> ranges;
    for (int number = 0; number <= last_number(); ++number) {
      append(ranges, static_cast<std::uint32_t>(number), verdict_of(number));
    }
    append(ranges, static_cast<std::uint32_t>(last_number() + 1), {newer(), {}});
    append(ranges, kX32Bit, {kNotKnown, {}});
    if (auto starts = check_execve(ranges); !starts) return fail(starts.error());
    const Label search = emit_search(ranges);
    const Label number = assembler_.load(offsetof(seccomp_data, nr), search);
    const Label entry = assembler_.jump_if(BPF_JEQ, arch_.token, number, assembler_.ret(kWrongEntry));
    assembler_.load(offsetof(seccomp_data, arch), entry);
    return assembler_.take();
  }

  [[nodiscard]] unsigned allowed_calls() const { return allowed_; }

 private:
  /// The last number that is looked at one by one. A profile that lets everything through by default does so with
  /// calls it does not mention, too: there all that have a name count, because hardening may speak about them.
  int last_number() const {
    const int mentioned = table_.empty() ? 0 : table_.rbegin()->first;
    return lets_through(profile_.default_action) ? std::max(mentioned, kLastNamed) : mentioned;
  }

  /// Calls newer than any the profile knows: its author could not decide about them. As in runc.
  std::uint32_t newer() const { return lets_through(profile_.default_action) ? profile_.default_action : kNotKnown; }

  Verdict verdict_of(int number) {
    const auto known = table_.find(number);
    const std::string name = known == table_.end() ? name_of(number, arch_.token) : known->second.name;
    const Hardening hardening =
        environment_.harden ? hardening_of(name, environment_.nested_user_namespaces) : Hardening{};
    if (hardening.always) return Verdict{*hardening.always, {}};
    const bool tested = known != table_.end() && !known->second.tested.empty();
    const std::uint32_t action =
        known == table_.end() ? profile_.default_action : known->second.always.value_or(profile_.default_action);
    if (!tested && !lets_through(action)) return Verdict{action, {}};
    if (!name.empty()) ++allowed_;
    if (!tested && hardening.refusals.empty()) return Verdict{action, {}};
    const Label rules = tested ? emit_rules(assembler_, known->second, action) : assembler_.ret(action);
    return Verdict{0, emit_refusals(assembler_, hardening.refusals, rules)};
  }

  static void append(std::vector<Range>& ranges, std::uint32_t first, const Verdict& verdict) {
    if (ranges.empty() || !(ranges.back().verdict == verdict)) ranges.push_back({first, verdict});
  }

  /// The filter is in force when the command is started: execve has to pass whatever its arguments.
  Status check_execve(const std::vector<Range>& ranges) const {
    const auto number = static_cast<std::uint32_t>(resolve("execve", arch_));
    const auto after = std::find_if(ranges.begin(), ranges.end(), [&](const Range& r) { return r.first > number; });
    const Verdict& verdict = std::prev(after)->verdict;
    if (!verdict.block && lets_through(verdict.action)) return {};
    return fail(ErrorCode::invalid_policy,
                "seccomp profile: execve is not allowed without conditions: nothing could be started",
                "add a rule that allows execve");
  }

  /// A balanced search over the ranges: about 7 comparisons for any call. It only looks at the number, so the kernel
  /// (5.11 and later) sees which calls are allowed whatever their arguments and does not run the filter for them.
  Label emit_search(std::span<const Range> ranges) {
    if (ranges.size() == 1) {
      const Verdict& verdict = ranges.front().verdict;
      return verdict.block ? *verdict.block : assembler_.ret(verdict.action);
    }
    const std::size_t half = ranges.size() / 2;
    const Label right = emit_search(ranges.subspan(half));
    const Label left = emit_search(ranges.first(half));
    return assembler_.jump_if(BPF_JGE, ranges[half].first, right, left);
  }

  const SeccompProfile& profile_;
  Architecture arch_;
  const FilterEnvironment& environment_;
  CallTable table_;
  BackwardAssembler assembler_;
  unsigned allowed_{0};
};

std::string running_kernel() {
  utsname running{};
  if (::uname(&running) != 0) return "0.0";
  const std::string release = running.release;
  const std::size_t dot = release.find('.');
  const std::size_t end = release.find_first_not_of("0123456789", dot == std::string::npos ? dot : dot + 1);
  return release.substr(0, end);
}

std::string describe_action(std::uint32_t action) {
  const int data = static_cast<int>(action & SECCOMP_RET_DATA);
  switch (action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
      return "allow";
    case SECCOMP_RET_LOG:
      return "allow and log";
    case SECCOMP_RET_ERRNO:
      return data == 0 ? "pretend" : errno_name(data);
    case SECCOMP_RET_TRAP:
      return "trap";
    case SECCOMP_RET_TRACE:
      return "trace";
    case SECCOMP_RET_KILL_THREAD:
      return "kill the thread";
    default:
      return "kill";
  }
}

std::string describe_test(const ArgumentTest& test) {
  static constexpr std::array kSigns{"!=", "<", "<=", "==", ">=", ">", "&"};
  std::string text = "arg" + std::to_string(test.index) + " " + kSigns[static_cast<std::size_t>(test.op)] + " " +
                     std::to_string(test.value);
  if (test.op == Comparison::masked_eq) text += " == " + std::to_string(test.value_two);
  return text;
}

std::string describe_rule(const ProfileRule& rule) {
  std::string text = describe_action(rule.action);
  for (const ArgumentTest& test : rule.tests) {
    text += (&test == rule.tests.data() ? " if " : " and ") + describe_test(test);
  }
  return text;
}

}  // namespace

Result<SeccompProgram> compile_seccomp(std::string_view oci_profile_json, const FilterEnvironment& environment) {
  const auto arch = architecture_of(environment.arch);
  if (!arch) return fail(arch.error());
  const auto profile = read_seccomp_profile(oci_profile_json, environment);
  if (!profile) return fail(profile.error());
  if (environment.strict_names) {
    const auto unknown = unknown_names(*profile, *arch);
    if (!unknown.empty()) return fail(ErrorCode::invalid_policy, "seccomp profile: " + unknown.front());
  }
  Compiler compiler(*profile, *arch, environment);
  auto instructions = compiler.compile();
  if (!instructions) return fail(instructions.error());
  if (auto sound = check_program(*instructions); !sound) {
    return fail(ErrorCode::invalid_policy, "seccomp profile: " + sound.error().message);
  }
  SeccompProgram program;
  program.instructions = std::move(*instructions);
  program.sha256_of_profile = digest::sha256_hex(oci_profile_json);
  if (profile->asks_for_kernel) program.kernel = environment.kernel.empty() ? running_kernel() : environment.kernel;
  program.nested_user_namespaces = environment.nested_user_namespaces;
  program.allowed_calls = compiler.allowed_calls();
  return program;
}

Result<std::vector<std::string>> unknown_syscalls(std::string_view oci_profile_json) {
  const auto arch = architecture_of({});
  if (!arch) return fail(arch.error());
  const auto profile = read_seccomp_profile(oci_profile_json, {});
  if (!profile) return fail(profile.error());
  return unknown_names(*profile, *arch);
}

Result<std::vector<std::string>> describe_profile(std::string_view oci_profile_json,
                                                  const FilterEnvironment& environment) {
  const auto arch = architecture_of(environment.arch);
  if (!arch) return fail(arch.error());
  const auto profile = read_seccomp_profile(oci_profile_json, environment);
  if (!profile) return fail(profile.error());
  std::set<std::string> lines{"(default) " + describe_action(profile->default_action)};
  for (const auto& entry : table_of(*profile, *arch)) {
    const CallRules& call = entry.second;
    if (call.always) lines.insert(call.name + " " + describe_action(*call.always));
    for (const ProfileRule* rule : call.tested) lines.insert(call.name + " " + describe_rule(*rule));
  }
  return std::vector<std::string>(lines.begin(), lines.end());
}

SeccompProgram with_user_notification(const SeccompProgram& program) {
  SeccompProgram asking = program;
  for (sock_filter& in : asking.instructions) {
    if (in.code != (BPF_RET | BPF_K) || lets_through(in.k) || in.k == kNotKnown) continue;
    in.k = SECCOMP_RET_USER_NOTIF;
  }
  return asking;
}

SeccompProgram with_learning_notification(const SeccompProgram& program) {
  SeccompProgram asking = program;
  for (sock_filter& in : asking.instructions) {
    if (in.code == (BPF_RET | BPF_K) && in.k != SECCOMP_RET_ALLOW) in.k = SECCOMP_RET_USER_NOTIF;
  }
  return asking;
}

std::uint32_t evaluate(const SeccompProgram& program, const seccomp_data& data) {
  return run_program(program.instructions, data);
}

std::string syscall_name(std::int64_t number, std::uint32_t arch) {
  std::string unnamed = "syscall " + std::to_string(number);
  if (number < 0 || number > INT32_MAX) return unnamed;
  const bool x32 = arch == AUDIT_ARCH_X86_64 && (number & kX32Bit) != 0;
  const std::string name = name_of(static_cast<int>(x32 ? number & ~std::int64_t{kX32Bit} : number), arch);
  if (name.empty()) return unnamed;
  return name + (x32 ? " (x32)" : arch == AUDIT_ARCH_I386 || arch == AUDIT_ARCH_ARM ? " (32-bit)" : "");
}

int syscall_number(const std::string& name) {
  const auto arch = architecture_of({});
  return arch ? std::max(resolve(name, *arch), -1) : -1;
}

std::string errno_name(int number) {
  const char* known = strerrorname_np(number);
  return known && number > 0 ? known : "errno " + std::to_string(number);
}

}  // namespace helios::isolated
