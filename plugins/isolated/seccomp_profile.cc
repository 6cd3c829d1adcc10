#include "plugins/isolated/seccomp_profile.h"

#include <linux/seccomp.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace helios::isolated {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDepth = 16;    // the format needs 6
constexpr std::size_t kMaxErrno = 4095;  // the kernel's MAX_ERRNO
constexpr std::uint64_t kMaxArgument = 5;

struct Named {
  std::string_view name;
  std::uint32_t value;
};
constexpr std::array kActions{
    Named{"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
    Named{"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
    Named{"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
    Named{"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
    Named{"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
    Named{"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
    Named{"SCMP_ACT_LOG", SECCOMP_RET_LOG},
    Named{"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
};
constexpr std::array<std::pair<std::string_view, Comparison>, 7> kComparisons{
    {{"SCMP_CMP_NE", Comparison::ne},
     {"SCMP_CMP_LT", Comparison::lt},
     {"SCMP_CMP_LE", Comparison::le},
     {"SCMP_CMP_EQ", Comparison::eq},
     {"SCMP_CMP_GE", Comparison::ge},
     {"SCMP_CMP_GT", Comparison::gt},
     {"SCMP_CMP_MASKED_EQ", Comparison::masked_eq}}};

/// Thrown inside this file only; read_seccomp_profile turns it into an Error.
struct Problem {
  std::string where;
  std::string what;
};
[[noreturn]] void complain(const std::string& where, std::string what) { throw Problem{where, std::move(what)}; }

const Json* find(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;  // Go's encoder writes null for an empty list
}

const std::string& text(const Json& value, const std::string& where) {
  if (!value.is_string()) complain(where, std::string("expected a string, found ") + value.type_name());
  return value.get_ref<const std::string&>();
}

std::uint64_t number(const Json& value, const std::string& where, std::uint64_t max) {
  if (!value.is_number_integer() && !value.is_number_unsigned()) {
    complain(where, std::string("expected an integer, found ") + value.type_name());
  }
  if (!value.is_number_unsigned()) complain(where, "expected a number that is not negative");
  const auto n = value.get<std::uint64_t>();
  if (n > max) complain(where, "expected at most " + std::to_string(max) + ", found " + std::to_string(n));
  return n;
}

const Json& list(const Json& value, const std::string& where) {
  if (!value.is_array()) complain(where, std::string("expected an array, found ") + value.type_name());
  return value;
}

const Json& object(const Json& value, const std::string& where) {
  if (!value.is_object()) complain(where, std::string("expected an object, found ") + value.type_name());
  return value;
}

std::uint32_t errno_by_name(const std::string& name, const std::string& where) {
  for (int e = 1; e < 134; ++e) {
    const char* known = strerrorname_np(e);
    if (known && name == known) return static_cast<std::uint32_t>(e);
  }
  complain(where, "no error is called '" + name + "'");
}

/// The action with its data. `errno_key` and `name_key` are the integer and (containers-common) the name of the error.
std::uint32_t action_of(const Json& holder, const char* action_key, const char* errno_key, const char* name_key,
                        const std::string& where) {
  const Json* action = find(holder, action_key);
  if (!action) complain(where, std::string("\"") + action_key + "\" is missing");
  const std::string at = where + "/" + action_key;
  const std::string& name = text(*action, at);
  if (name == "SCMP_ACT_NOTIFY") complain(at, "SCMP_ACT_NOTIFY needs a listener, and helios-run has its own");
  const auto known = std::find_if(kActions.begin(), kActions.end(), [&](const Named& n) { return n.name == name; });
  if (known == kActions.end()) complain(at, "no action is called '" + name + "'");
  if (known->value != SECCOMP_RET_ERRNO && known->value != SECCOMP_RET_TRACE) return known->value;
  if (const Json* by_name = find(holder, name_key)) {
    const std::string named_at = where + "/" + name_key;
    if (!text(*by_name, named_at).empty()) {
      return known->value | errno_by_name(by_name->get_ref<const std::string&>(), named_at);
    }
  }
  const Json* data = find(holder, errno_key);
  return known->value | (data ? static_cast<std::uint32_t>(number(*data, where + "/" + errno_key, kMaxErrno)) : EPERM);
}

ArgumentTest test_of(const Json& value, const std::string& where) {
  object(value, where);
  ArgumentTest test;
  const Json* index = find(value, "index");
  if (!index) complain(where, "\"index\" is missing");
  test.index = static_cast<unsigned>(number(*index, where + "/index", kMaxArgument));
  const auto get = [&](const char* key) {
    const Json* found = find(value, key);
    return found ? number(*found, where + "/" + key, UINT64_MAX) : 0;
  };
  test.value = get("value");
  test.value_two = get("valueTwo");
  const Json* op = find(value, "op");
  if (!op) complain(where, "\"op\" is missing");
  const std::string& name = text(*op, where + "/op");
  const auto known =
      std::find_if(kComparisons.begin(), kComparisons.end(), [&](const auto& pair) { return pair.first == name; });
  if (known == kComparisons.end()) complain(where + "/op", "no comparison is called '" + name + "'");
  test.op = known->second;
  return test;
}

/// Which of the environment's facts a rule may ask for.
class Conditions {
 public:
  explicit Conditions(const FilterEnvironment& environment) : caps_(environment.caps) {
    std::string arch = environment.arch;
    utsname running{};
    if (::uname(&running) != 0) running.release[0] = '\0';
    if (arch.empty()) arch = running.machine;
    arch_ = arch == "aarch64" ? "arm64" : "amd64";  // the names Go has for them
    kernel_ = version(environment.kernel.empty() ? running.release : environment.kernel, "");
  }

  /// Whether a rule with these `includes` and `excludes` applies; `asked_kernel` is set when a minKernel was met.
  bool hold(const Json& rule, const std::string& where, bool& asked_kernel) const {
    const Json* includes = find(rule, "includes");
    const Json* excludes = find(rule, "excludes");
    bool applies = true;
    if (includes) {
      const std::string at = where + "/includes";
      object(*includes, at);
      // Every capability that is named, but any of the architectures: as Docker reads them.
      for (const Json& cap : list_or_empty(*includes, "caps", at)) applies &= has_cap(text(cap, at + "/caps"));
      const Json& arches = list_or_empty(*includes, "arches", at);
      if (!arches.empty()) applies &= names_arch(arches, at);
      applies &= kernel_at_least(*includes, at, asked_kernel).value_or(true);
    }
    if (excludes) {
      const std::string at = where + "/excludes";
      object(*excludes, at);
      for (const Json& cap : list_or_empty(*excludes, "caps", at)) applies &= !has_cap(text(cap, at + "/caps"));
      applies &= !names_arch(list_or_empty(*excludes, "arches", at), at);
      applies &= !kernel_at_least(*excludes, at, asked_kernel).value_or(false);
    }
    return applies;
  }

 private:
  using Version = std::pair<unsigned, unsigned>;

  static Version version(std::string_view written, const std::string& where) {
    Version v;
    const char* end = written.data() + written.size();
    const auto major = std::from_chars(written.data(), end, v.first);
    const bool dotted = major.ec == std::errc{} && major.ptr != end && *major.ptr == '.';
    if (!dotted || std::from_chars(major.ptr + 1, end, v.second).ec != std::errc{}) {
      complain(where, "'" + std::string(written) + "' is no kernel version like 4.8");
    }
    return v;
  }

  static const Json& list_or_empty(const Json& holder, const char* key, const std::string& where) {
    static const Json empty = Json::array();
    const Json* found = find(holder, key);
    return found ? list(*found, where + "/" + key) : empty;
  }
  bool has_cap(const std::string& cap) const { return std::find(caps_.begin(), caps_.end(), cap) != caps_.end(); }
  bool names_arch(const Json& arches, const std::string& where) const {
    return std::any_of(arches.begin(), arches.end(),
                       [&](const Json& arch) { return text(arch, where + "/arches") == arch_; });
  }
  std::optional<bool> kernel_at_least(const Json& holder, const std::string& where, bool& asked) const {
    const Json* wanted = find(holder, "minKernel");
    if (!wanted || text(*wanted, where + "/minKernel").empty()) return std::nullopt;
    asked = true;
    return kernel_ >= version(wanted->get_ref<const std::string&>(), where + "/minKernel");
  }

  std::vector<std::string> caps_;
  std::string arch_;
  Version kernel_;
};

std::vector<std::string> names_of(const Json& rule, const std::string& where) {
  std::vector<std::string> names;
  if (const Json* several = find(rule, "names")) {
    std::size_t i = 0;
    for (const Json& name : list(*several, where + "/names")) {
      names.push_back(text(name, where + "/names/" + std::to_string(i++)));
    }
  }
  if (const Json* one = find(rule, "name"); one && !text(*one, where + "/name").empty()) names.push_back(*one);
  if (names.empty()) complain(where, "\"names\" is missing or empty");
  return names;
}

/// libseccomp takes one test per argument and rule; a rule with two of the same argument is one rule per test,
/// as runc has it.
std::vector<std::vector<ArgumentTest>> split_repeated(std::vector<ArgumentTest> tests) {
  std::set<unsigned> seen;
  const bool repeated =
      std::any_of(tests.begin(), tests.end(), [&seen](const ArgumentTest& t) { return !seen.insert(t.index).second; });
  if (!repeated) return {std::move(tests)};
  std::vector<std::vector<ArgumentTest>> alone;
  alone.reserve(tests.size());
  for (const ArgumentTest& test : tests) alone.push_back({test});
  return alone;
}

void add_rule(SeccompProfile& profile, const Json& value, const std::string& where, const Conditions& conditions) {
  object(value, where);
  const bool applies = conditions.hold(value, where, profile.asks_for_kernel);
  ProfileRule rule{names_of(value, where), action_of(value, "action", "errnoRet", "errno", where), {}, where};
  std::vector<ArgumentTest> tests;
  if (const Json* args = find(value, "args")) {
    std::size_t i = 0;
    for (const Json& arg : list(*args, where + "/args")) {
      tests.push_back(test_of(arg, where + "/args/" + std::to_string(i++)));
    }
  }
  if (!applies) return;
  for (auto& group : split_repeated(std::move(tests))) {
    rule.tests = std::move(group);
    profile.rules.push_back(rule);
  }
}

Json parse(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&keys](int depth, Json::parse_event_t event, Json& value) {
    if (depth > static_cast<int>(kMaxDepth)) complain("", "nested deeper than " + std::to_string(kMaxDepth));
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
      complain("", "the key \"" + value.get<std::string>() + "\" stands twice in one object");
    }
    return true;
  };
  return Json::parse(text.begin(), text.end(), watch);
}

SeccompProfile read(std::string_view json, const FilterEnvironment& environment) {
  const Json root = parse(json);
  object(root, "");
  SeccompProfile profile;
  profile.default_action = action_of(root, "defaultAction", "defaultErrnoRet", "defaultErrno", "");
  const Conditions conditions(environment);
  if (const Json* rules = find(root, "syscalls")) {
    std::size_t i = 0;
    for (const Json& rule : list(*rules, "/syscalls")) {
      add_rule(profile, rule, "/syscalls/" + std::to_string(i++), conditions);
    }
  }
  return profile;
}

}  // namespace

Result<SeccompProfile> read_seccomp_profile(std::string_view json, const FilterEnvironment& environment) {
  try {
    return read(json, environment);
  } catch (const Problem& problem) {
    const std::string where = problem.where.empty() ? "" : problem.where + ": ";
    return fail(ErrorCode::invalid_policy, "seccomp profile: " + where + problem.what);
  } catch (const Json::parse_error& error) {
    return fail(ErrorCode::invalid_policy,
                "seccomp profile: malformed JSON at byte " + std::to_string(error.byte) + ": " + error.what());
  } catch (const std::exception& error) {
    return fail(ErrorCode::invalid_policy, std::string("seccomp profile: ") + error.what());
  }
}

}  // namespace helios::isolated
