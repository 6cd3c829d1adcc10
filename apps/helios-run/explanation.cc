#include "apps/helios-run/explanation.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <optional>
#include <set>

#include "apps/helios-run/text.h"
#include "core/executor/ending.h"
#include "core/policy/draft.h"
#include "core/policy/fit.h"
#include "core/spec/json_problem.h"
#include "core/spec/json_writer.h"
#include "core/spec/located_json.h"
#include "core/spec/quantity.h"
#include "core/spec/worker_result_json.h"
#include "core/sys/path.h"
#include "core/sys/signal_name.h"
#include "core/sys/trusted_file.h"
#include "plugins/isolated/seccomp_hardening.h"
#include "plugins/isolated/seccomp_profile.h"

namespace helios::app {
namespace {

using policy::Policy;

constexpr std::size_t kMaxFile = 1 << 20;
constexpr std::size_t kMaxPaths = 12;  // of one result: the first ones are the causes

// ---- where a line of the policy stands ---------------------------------------------------------------------------

/// The first of the policy's files that has `pointer`, as "FILE:LINE:COL: POINTER".
std::string place_of(const Policy& policy, const std::string& pointer) {
  for (const std::string& file : policy.files) {
    const auto text = sys::read_trusted(file, kMaxFile, ErrorCode::invalid_policy);
    if (!text) continue;
    const auto located = spec::parse_located_json(*text, file);
    if (!located) continue;
    const auto at = located->positions.find(pointer);
    if (at == located->positions.end()) continue;
    return file + ":" + std::to_string(at->second.line) + ":" + std::to_string(at->second.column) + ": " + pointer;
  }
  return {};
}

// ---- arguments in words ------------------------------------------------------------------------------------------

std::vector<std::uint64_t> arguments_of(const std::string& text) {
  std::vector<std::uint64_t> values;
  for (std::size_t at = text.find("0x"); at != std::string::npos; at = text.find("0x", at + 2)) {
    std::uint64_t value = 0;
    std::from_chars(text.data() + at + 2, text.data() + text.size(), value, 16);
    values.push_back(value);
  }
  values.resize(6);
  return values;
}

struct Bit {
  std::uint64_t value;
  const char* name;
};

std::string hex(std::uint64_t value) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string octal(std::uint64_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0%llo", static_cast<unsigned long long>(value & 07777));
  return text.data();
}

template <std::size_t N>
std::string bits_in(std::uint64_t value, const std::array<Bit, N>& names) {
  std::string text;
  for (const Bit& bit : names) {
    if ((value & bit.value) == bit.value) text += (text.empty() ? "" : "|") + std::string(bit.name);
  }
  return text;
}

template <std::size_t N>
std::string one_of(std::uint64_t value, const std::array<Bit, N>& names) {
  for (const Bit& known : names) {
    if (known.value == value) return known.name;
  }
  return std::to_string(value);
}

constexpr std::array kFamilies{Bit{1, "AF_UNIX"},     Bit{2, "AF_INET"},    Bit{10, "AF_INET6"},
                               Bit{16, "AF_NETLINK"}, Bit{17, "AF_PACKET"}, Bit{31, "AF_BLUETOOTH"},
                               Bit{38, "AF_ALG"},     Bit{40, "AF_VSOCK"},  Bit{44, "AF_XDP"}};
constexpr std::array kSocketTypes{Bit{1, "SOCK_STREAM"}, Bit{2, "SOCK_DGRAM"}, Bit{3, "SOCK_RAW"},
                                  Bit{5, "SOCK_SEQPACKET"}};
constexpr std::array kCloneFlags{Bit{0x00020000, "CLONE_NEWNS"},   Bit{0x02000000, "CLONE_NEWCGROUP"},
                                 Bit{0x04000000, "CLONE_NEWUTS"},  Bit{0x08000000, "CLONE_NEWIPC"},
                                 Bit{0x10000000, "CLONE_NEWUSER"}, Bit{0x20000000, "CLONE_NEWPID"},
                                 Bit{0x40000000, "CLONE_NEWNET"},  Bit{0x00000100, "CLONE_VM"},
                                 Bit{0x00010000, "CLONE_THREAD"},  Bit{0x00004000, "CLONE_VFORK"}};
constexpr std::array kOpenFlags{Bit{O_CREAT, "O_CREAT"}, Bit{O_EXCL, "O_EXCL"}, Bit{O_TRUNC, "O_TRUNC"},
                                Bit{O_APPEND, "O_APPEND"}, Bit{O_CLOEXEC, "O_CLOEXEC"}};
constexpr std::array kRequests{Bit{0x5412, "TIOCSTI"},    Bit{0x541c, "TIOCLINUX"}, Bit{0x5401, "TCGETS"},
                               Bit{0x5413, "TIOCGWINSZ"}, Bit{0x5421, "FIONBIO"},   Bit{0x541b, "FIONREAD"}};

std::string open_words(std::uint64_t flags, std::uint64_t mode) {
  constexpr std::array<const char*, 4> kAccess{"O_RDONLY", "O_WRONLY", "O_RDWR", "3"};
  std::string text = kAccess[flags & 3];
  if (const std::string more = bits_in(flags, kOpenFlags); !more.empty()) text += "|" + more;
  return text + ((flags & O_CREAT) != 0 ? ", " + octal(mode) : "");
}

/// "socket(AF_VSOCK, SOCK_STREAM, 0)"
std::string call_words(const Denial& d) {
  const std::vector<std::uint64_t> a = arguments_of(d.args);
  const std::string& n = d.syscall;
  if (d.args.empty()) return n + "(…)";
  const auto low = [&](std::size_t i) { return a[i] & 0xffffffff; };
  if (n == "socket" || n == "socketpair") {
    return n + "(" + one_of(low(0), kFamilies) + ", " + one_of(low(1) & 0xf, kSocketTypes) + ", " +
           std::to_string(low(2)) + ")";
  }
  if (n == "clone" || n == "unshare") {
    const std::string flags = bits_in(low(0), kCloneFlags);
    return n + "(" + (flags.empty() ? hex(low(0)) : flags) + ")";
  }
  if (n == "open") return n + "(PATH, " + open_words(low(1), low(2)) + ")";
  if (n == "openat") return n + "(DIR, PATH, " + open_words(low(2), low(3)) + ")";
  if (n == "chmod" || n == "fchmod" || n == "creat" || n == "mkdir" || n == "mknod")
    return n + "(…, " + octal(a[1]) + ")";
  if (n == "fchmodat" || n == "fchmodat2" || n == "mkdirat" || n == "mknodat")
    return n + "(DIR, …, " + octal(a[2]) + ")";
  if (n == "ioctl") {
    const std::string known = one_of(low(1), kRequests);
    return n + "(" + std::to_string(low(0)) + ", " + (known == std::to_string(low(1)) ? hex(low(1)) : known) + ")";
  }
  if (n == "kill" || n == "tkill") {
    return n + "(" + std::to_string(static_cast<std::int32_t>(low(0))) + ", " +
           sys::signal_name(static_cast<int>(low(1))) + ")";
  }
  if (n == "personality") return n + "(" + hex(low(0)) + ")";
  return n + "(" + d.args + ")";
}

// ---- system calls ------------------------------------------------------------------------------------------------

bool holds(const isolated::LowCondition& c, const std::vector<std::uint64_t>& args) {
  const auto value = static_cast<std::uint32_t>(args[c.index] >> (c.high ? 32 : 0));
  if (c.op == isolated::LowTest::any_bit) return (value & c.value) != 0;
  return (value == c.value) == (c.op == isolated::LowTest::equal);
}

bool hardening_refuses(const std::string& call, const std::vector<std::uint64_t>& args, bool nested) {
  const isolated::Hardening hardening = isolated::hardening_of(call, nested);
  if (hardening.always) return true;
  return std::any_of(hardening.refusals.begin(), hardening.refusals.end(), [&](const isolated::Refusal& refusal) {
    return std::all_of(refusal.conditions.begin(), refusal.conditions.end(),
                       [&](const isolated::LowCondition& c) { return holds(c, args); });
  });
}

std::string hardening_reason(const std::string& call) {
  if (call == "clone3" || call == "openat2")
    return "its arguments lie in memory, where no filter sees them; libraries fall back";
  if (call.starts_with("io_uring")) return "it makes calls that no filter sees; libraries fall back";
  if (call == "clone" || call == "unshare" || call == "setns") {
    return "namespaces of one's own open the larger part of the kernel's attack surface; a browser's own sandbox needs "
           "them: \"nestedUserNamespaces\": true in the policy";
  }
  if (call == "socket" || call == "socketpair") {
    return "this family reaches past the network namespace (AF_VSOCK: the machine's host) or configures the kernel";
  }
  if (call == "ioctl") return "it types into the operator's terminal";
  if (call == "add_key" || call == "keyctl" || call == "request_key") {
    return "the session keyring is that of whoever started helios-run, through every namespace";
  }
  if (call == "mmap" || call == "memfd_create" || call == "shmget") {
    return "it asks for pages of the host's pool of huge ones, which no memory limit counts; libraries fall back";
  }
  if (call == "setrlimit") return "the core limit: 1 is what keeps the host's crash handler from being started";
  if (call == "prlimit64") return "limits of other processes, and the core limit (setrlimit(RLIMIT_CORE) fails)";
  return "a setuid or setgid file would run with the rights of the workspace's owner";
}

std::string allow_line(const std::string& call, const std::vector<std::uint64_t>& args) {
  const std::string head = R"({"names": [")" + call + R"("], "action": "SCMP_ACT_ALLOW")";
  const bool by_argument = call == "socket" || call == "socketpair" || call == "personality";
  if (!by_argument) return head + "}";
  return head + R"(, "args": [{"index": 0, "value": )" + std::to_string(args[0] & 0xffffffff) +
         R"(, "op": "SCMP_CMP_EQ"}]})";
}

/// The rule that decided, in words; `listed` tells whether the profile names the call at all.
std::string deciding_rule(const Policy& policy, const std::string& call, bool& listed) {
  const auto profile = isolated::read_seccomp_profile(policy.profile.seccomp_json, {});
  listed = false;
  if (!profile) return {};
  std::string conditional;
  for (const isolated::ProfileRule& rule : profile->rules) {
    if (std::find(rule.names.begin(), rule.names.end(), call) == rule.names.end()) continue;
    listed = true;
    if (rule.tests.empty()) return place_in_filter(policy, rule.pointer) + " names it";
    if (conditional.empty()) conditional = place_in_filter(policy, rule.pointer);
  }
  if (!conditional.empty()) return conditional + " allows it, but only with other arguments";
  return place_in_filter(policy, "/defaultAction") + ": no rule names it";
}

Explanation explain_denial(const Denial& d, const Policy* policy) {
  Explanation e;
  const std::vector<std::uint64_t> args = arguments_of(d.args);
  const bool fatal = d.error == "kill";
  e.what = d.syscall + (fatal ? " ended the run" : " was refused (" + d.error + ")") + ", " + std::to_string(d.count) +
           (d.count == 1 ? " time" : " times") + (d.process.empty() ? "" : ", first by " + d.process);
  if (d.syscall == "(others)") {
    e.what = std::to_string(d.count) + " further calls were refused; only the first 64 kinds are kept";
    return e;
  }
  e.detail = call_words(d);
  e.why = policy::purpose_of(d.syscall);
  if (d.syscall.find(' ') != std::string::npos) {
    e.rule = "helios-run itself, whatever the policy says: the 32-bit and x32 entries are closed";
    e.unless = "use a 64-bit build of the program";
    return e;
  }
  const bool nested = policy != nullptr && policy->profile.nested_user_namespaces;
  if (hardening_refuses(d.syscall, args, nested)) {
    e.rule = "helios-run itself, whatever the policy says";
    e.unless = hardening_reason(d.syscall);
    return e;
  }
  bool listed = false;
  if (policy != nullptr) e.rule = deciding_rule(*policy, d.syscall, listed);
  e.allow = "add to \"syscalls\"" + (listed ? std::string(" (and take it out of the rule above)") : std::string()) +
            ": " + allow_line(d.syscall, args);
  if (d.syscall == "socket" || d.syscall == "socketpair" || d.syscall == "personality") {
    e.allow = "add to \"syscalls\": " + allow_line(d.syscall, args);
  }
  if (const auto danger = policy::danger_of(d.syscall); !danger.empty()) {
    e.unless = "think twice: " + std::string(danger);
  } else if (!fatal) {
    e.unless = "many programs go on without it; if this one did, leave it closed";
  }
  return e;
}

// ---- the reason --------------------------------------------------------------------------------------------------

std::string evidence_words(const Termination& end) {
  std::string text = end.detail;
  for (const Evidence& e : end.evidence) {
    text += (text.empty() ? "" : "; ") + e.source + " " + e.field + " = " + std::to_string(e.value);
  }
  return text;
}

Explanation explain_limit(const WorkerResult& result, Limit limit, const Policy* policy) {
  const Termination& end = result.execution.termination;
  if (limit == Limit::disk_bytes && !end.evidence.empty() && end.evidence.front().field == "files") {
    limit = Limit::disk_files;
  }
  Explanation e;
  const LimitInfo& row = info(limit);
  e.what = "the " + std::string(row.key) + " limit ended the run";
  e.detail = evidence_words(end);
  const auto receipt = std::find_if(result.execution.limits.begin(), result.execution.limits.end(),
                                    [&](const LimitReceipt& r) { return r.limit == limit; });
  if (receipt != result.execution.limits.end()) {
    const std::uint64_t next = policy::next_limit(limit, receipt->requested);
    const std::string value = spec::format_quantity(row.unit, next);
    e.why = spec::format_quantity(row.unit, receipt->requested) + " was in force, by " + receipt->by;
    e.allow = "try twice as much: " + std::string(row.flag) + " " + value + ", \"resources\": {\"" +
              std::string(row.key) + "\": \"" + value + "\"} in the spec, or \"limits\" in the policy";
    if (policy != nullptr && policy->ceilings[limit] && next > *policy->ceilings[limit]) {
      e.unless = "above the policy's ceiling " + spec::format_quantity(row.unit, *policy->ceilings[limit]) +
                 ": only the flag or another policy may";
    }
  }
  if (policy != nullptr) e.rule = place_of(*policy, "/limits/" + std::string(row.key));
  if (limit == Limit::idle_time) e.unless = "a run that hangs will hang longer: look at its last lines first";
  return e;
}

std::optional<Explanation> explain_reason(const WorkerResult& result, const Policy* policy) {
  const Termination& end = result.execution.termination;
  if (const auto limit = limit_behind(end)) return explain_limit(result, *limit, policy);
  Explanation e;
  switch (end.reason) {
    case Reason::output_missing:
      e.what = "the command succeeded, but its output file is not there";
      e.detail = end.detail;
      e.why = "outputFile is seen from the working directory and has to lie inside the workspace";
      e.allow = "let the command write there, or correct outputFile in the spec";
      return e;
    case Reason::not_started:
      e.what = result.exit_code == 126 ? "the program could not be executed" : "the program was not found";
      e.detail = evidence_words(end);
      e.why = "it is looked for inside the sandbox, in the PATH that the policy sets";
      e.allow =
          "show its folder: --ro-bind DIR, or {\"type\": \"ro-bind\", \"source\": \"DIR\"} in \"mounts\", and name it "
          "in \"environment\": {\"set\": {\"PATH\": …}} or by its full path";
      return e;
    case Reason::setup_failed:
      e.what = "the sandbox could not be built";
      e.detail = end.detail;
      e.allow = "helios-run doctor tells what this host lacks";
      return e;
    case Reason::host_out_of_memory:
      e.what = "the host ran out of memory, not the run";
      e.detail = evidence_words(end);
      e.allow = "run fewer chunks at once, or elsewhere";
      return e;
    case Reason::syscall_denied:
      e.what = "a system call that the policy makes fatal ended the run";
      e.detail = end.detail;
      return e;
    case Reason::signaled:
      e.what = "the command was ended by " + sys::signal_name(end.signal);
      e.detail = evidence_words(end);
      if (end.signal == SIGSYS) e.why = "SIGSYS: a filter, possibly the command's own, refused a call";
      if (end.signal == SIGKILL) e.why = "nobody here sent it: no limit was reached; something outside did";
      return e;
    case Reason::disk_limit:  // no limit is behind it
      e.what = "the run was ended because the growth of its workspace could not be counted";
      e.detail = evidence_words(end);
      e.allow = "let the command leave its folders readable (chmod u+rx) while it runs";
      return e;
    case Reason::cancelled:
      e.what = "the run was cancelled";
      e.detail = end.detail;
      return e;
    default:
      return std::nullopt;
  }
}

// ---- files and network: what stderr tells ------------------------------------------------------------------------

enum class Trouble { missing, read_only, forbidden };

struct Pattern {
  std::string_view text;  ///< in lower case
  Trouble trouble;
};
constexpr std::array kPatterns{Pattern{"no such file or directory", Trouble::missing},
                               Pattern{"cannot open shared object", Trouble::missing},
                               Pattern{"read-only file system", Trouble::read_only},
                               Pattern{"erofs", Trouble::read_only}, Pattern{"permission denied", Trouble::forbidden}};

constexpr std::array<std::string_view, 10> kNetworkPatterns{"network is unreachable",
                                                            "temporary failure in name resolution",
                                                            "could not resolve host",
                                                            "name or service not known",
                                                            "eai_again",
                                                            "enetunreach",
                                                            "err_internet_disconnected",
                                                            "err_name_not_resolved",
                                                            "failed to resolve hostname",
                                                            "no address associated with hostname"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// The absolute path in a line: quoted, or from a '/' to the next ": " or blank.
std::string path_in(std::string_view line) {
  for (const std::string_view quote : {"'", "\"", "`", "\xE2\x80\x98"}) {
    const std::size_t open = line.find(std::string(quote) + "/");
    if (open == std::string_view::npos) continue;
    const std::size_t start = open + quote.size();
    const std::size_t end = std::min({line.find('\'', start), line.find('"', start), line.find("\xE2\x80\x99", start)});
    if (end != std::string_view::npos) return std::string(line.substr(start, end - start));
  }
  std::size_t start = std::string_view::npos;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool begins = line[i] == '/' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == ':' || line[i - 1] == '(');
    // "/bin/sh: 1: cannot create /usr/x: …": the last one is what it is about.
    if (begins) start = i;
  }
  if (start == std::string_view::npos) return {};
  std::size_t end = std::min(line.find(": ", start), line.find_first_of(" ,;)", start));
  if (end == std::string_view::npos) end = line.size();
  std::string path(line.substr(start, end - start));
  while (path.size() > 1 && (path.back() == ':' || path.back() == '.')) path.pop_back();
  return path;
}

bool in_view(const std::string& path, const Policy& policy) {
  for (const std::string_view own : {"/tmp", "/proc", "/dev", "/bin", "/sbin", "/lib", "/lib64"}) {
    if (sys::lies_within(path, own)) return true;
  }
  return std::any_of(policy.profile.mounts.begin(), policy.profile.mounts.end(),
                     [&](const Mount& m) { return sys::lies_within(path, m.target); });
}

std::string folder_of(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return path;
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? path : path.substr(0, slash);
}

std::string mount_line(const char* type, const std::string& source) {
  std::string quoted;
  spec::append_json_string(quoted, source);
  return std::string("--") + type + " " + source + ", or {\"type\": \"" + type + "\", \"source\": " + quoted +
         "} in \"mounts\"";
}

Explanation explain_missing(const std::string& path, const Policy& policy) {
  Explanation e;
  struct stat st {};
  const bool on_host = ::lstat(path.c_str(), &st) == 0;
  if (in_view(path, policy)) {
    e.what = path + " was not found, though its place is within the sandbox's view";
    e.why = on_host
                ? "the host has it: /tmp, /dev and /proc are the run's own, and an empty mount hides what lies below"
                : "the host does not have it either";
    return e;
  }
  e.what =
      path + " was not found: " + (on_host ? "it is outside the sandbox's view" : "the host does not have it either");
  e.rule = place_of(policy, "/mounts");
  if (!e.rule.empty()) e.rule += ": none of them shows it";
  if (on_host) e.allow = mount_line("ro-bind", path);
  if (!on_host) e.why = "beneath the workspace: the command has not made it; elsewhere: no mount would help";
  for (const char* secret : {"/etc/shadow", "/root", "/home", "/var/run", "/run"}) {
    if (on_host && sys::lies_within(path, secret)) e.unless = "such places hold secrets: show no more than it needs";
  }
  return e;
}

Explanation explain_read_only(const std::string& path) {
  Explanation e;
  e.what = path + " could not be written: it is shown read-only";
  e.why = "only the workspace, /tmp and /dev/shm are writable";
  e.allow = "write into the workspace; or " + mount_line("bind", folder_of(path));
  for (const char* system : {"/usr", "/etc", "/bin", "/lib", "/sbin"}) {
    if (sys::lies_within(path, system)) {
      e.allow = "write into the workspace";
      e.unless = "the host's programs and settings are never shown writable";
    }
  }
  return e;
}

Explanation explain_forbidden(const std::string& path, const WorkerResult& result) {
  Explanation e;
  e.what = path + " may not be used that way";
  struct stat st {};
  const bool own = sys::lies_within(path, "/tmp") || sys::lies_within(path, "/dev") || sys::lies_within(path, "/proc");
  if (!own && ::stat(path.c_str(), &st) == 0) {
    e.detail = "on the host: mode " + octal(st.st_mode) + ", owner " + std::to_string(st.st_uid);
  }
  const auto& layers = result.execution.isolation;
  e.why = "the command runs as an unprivileged id without capabilities";
  if (std::find(layers.begin(), layers.end(), "landlock") != layers.end()) {
    e.why += "; Landlock lets it write beneath the workspace, /tmp and /dev/shm only";
  }
  if (sys::lies_within(path, "/dev/shm") || sys::lies_within(path, "/proc")) e.why += "; nothing can be executed there";
  e.allow = "give the file a mode that lets others read it, or put a copy into the workspace";
  return e;
}

Explanation explain_network(const std::string& line, const Policy* policy) {
  Explanation e;
  e.what = "the network was not reachable";
  e.detail = "stderr: " + spec::escape_for_message(line, 160);
  e.why = "the run has a network namespace of its own with nothing in it but a loopback";
  if (policy != nullptr) e.rule = place_of(*policy, "/network");
  e.allow = "fetch what it needs into the workspace before; or --network host, or \"network\": \"host\" in the policy";
  e.unless = "with the host's network it reaches everything the host reaches, metadata services included";
  return e;
}

/// One explanation for each path and trouble that stderr names.
void explain_stderr(const WorkerResult& result, const Policy* policy, std::vector<Explanation>& out) {
  std::set<std::string> seen;
  bool network = false;
  const auto& layers = result.execution.isolation;
  const bool own_network = std::find(layers.begin(), layers.end(), "net") != layers.end();
  const std::string& text = result.err.text;
  for (std::size_t at = 0; at < text.size() && seen.size() < kMaxPaths;) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::string small = lower(line);
    const bool offline = std::any_of(kNetworkPatterns.begin(), kNetworkPatterns.end(),
                                     [&](std::string_view p) { return small.find(p) != std::string::npos; });
    if (offline && own_network && !network) {
      network = true;
      out.push_back(explain_network(line, policy));
    }
    const auto known = std::find_if(kPatterns.begin(), kPatterns.end(),
                                    [&](const Pattern& p) { return small.find(p.text) != std::string::npos; });
    if (known == kPatterns.end()) continue;
    const std::string path = path_in(line);
    if (path.empty() || !seen.insert(path).second) continue;
    if (known->trouble == Trouble::missing && policy != nullptr) out.push_back(explain_missing(path, *policy));
    if (known->trouble == Trouble::read_only) out.push_back(explain_read_only(path));
    if (known->trouble == Trouble::forbidden) out.push_back(explain_forbidden(path, result));
  }
}

void add_line(std::string& text, const char* label, const std::string& value) {
  if (!value.empty()) text += "  " + std::string(label) + spec::escape_for_message(value, 1000) + "\n";
}

}  // namespace

/// It may be a section of a policy or a file of its own.
std::string place_in_filter(const Policy& policy, const std::string& pointer) {
  for (const std::string& file : policy.files) {
    const auto text = sys::read_trusted(file, kMaxFile, ErrorCode::invalid_policy);
    if (!text) continue;
    const std::size_t start = text->find(policy.profile.seccomp_json);
    if (start == std::string::npos) continue;
    const bool section = text->size() != policy.profile.seccomp_json.size();
    const auto located = spec::parse_located_json(*text, file);
    if (!located) continue;
    const std::string whole = (section ? "/seccomp" : "") + pointer;
    const auto at = located->positions.find(whole);
    if (at == located->positions.end()) continue;
    return file + ":" + std::to_string(at->second.line) + ":" + std::to_string(at->second.column) + ": " + whole;
  }
  return "the policy's seccomp section: " + pointer;
}

std::vector<Explanation> explain(const WorkerResult& result, const Policy* policy) {
  std::vector<Explanation> all;
  if (auto reason = explain_reason(result, policy)) all.push_back(*std::move(reason));
  for (const Denial& d : result.execution.denied) all.push_back(explain_denial(d, policy));
  if (!result.success) explain_stderr(result, policy, all);
  return all;
}

std::string explanation_text(const std::vector<Explanation>& explanations) {
  std::string text;
  for (const Explanation& e : explanations) {
    text += spec::escape_for_message(e.what, 1000) + "\n";
    add_line(text, "seen:  ", e.detail);
    add_line(text, "about: ", e.why);
    add_line(text, "rule:  ", e.rule);
    add_line(text, "allow: ", e.allow);
    add_line(text, "but:   ", e.unless);
  }
  return text.empty() ? "nothing was refused, and no limit was reached\n" : text;
}

std::string explanation_json(const std::vector<Explanation>& explanations) {
  spec::JsonWriter out(2);
  out.open('[');
  for (const Explanation& e : explanations) {
    out.open('{').key("what").value(e.what);
    const std::array<std::pair<const char*, const std::string*>, 5> parts{
        {{"seen", &e.detail}, {"about", &e.why}, {"rule", &e.rule}, {"allow", &e.allow}, {"but", &e.unless}}};
    for (const auto& part : parts) {
      if (!part.second->empty()) out.key(part.first).value(*part.second);
    }
    out.close('}');
  }
  out.close(']');
  return out.take() + "\n";
}

}  // namespace helios::app
