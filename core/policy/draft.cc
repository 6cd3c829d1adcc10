#include "core/policy/draft.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/policy/fit.h"
#include "core/policy/syscall_notes.h"
#include "core/spec/json_writer.h"
#include "core/spec/quantity.h"
#include "core/sys/path.h"
#include "core/sys/trusted_file.h"

namespace helios::policy {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFile = 1 << 20;
constexpr std::string_view kLearned = "Learned from ";

/// Calls that every C library makes or may make at any time, and those so frequent that asking about each would slow a
/// run down tenfold. In every draft, hence not asked about. execve must not be: the command is started by it.
constexpr std::array kQuiet{"read",
                            "write",
                            "readv",
                            "writev",
                            "pread64",
                            "pwrite64",
                            "lseek",
                            "close",
                            "fstat",
                            "mmap",
                            "munmap",
                            "mprotect",
                            "mremap",
                            "brk",
                            "madvise",
                            "futex",
                            "set_robust_list",
                            "set_tid_address",
                            "rseq",
                            "arch_prctl",
                            "prlimit64",
                            "getrandom",
                            "rt_sigaction",
                            "rt_sigprocmask",
                            "rt_sigreturn",
                            "sigaltstack",
                            "restart_syscall",
                            "exit",
                            "exit_group",
                            "execve",
                            "sched_yield",
                            "sched_getaffinity",
                            "clock_nanosleep",
                            "clock_gettime",
                            "gettimeofday",
                            "getpid",
                            "getppid",
                            "gettid",
                            "getuid",
                            "geteuid",
                            "getgid",
                            "getegid",
                            "tgkill",
                            "poll",
                            "ppoll"};
/// In every draft too, but asked about for their paths.
constexpr std::array kAsked{"openat", "newfstatat", "access", "faccessat", "fcntl"};

/// Frequent, and of no use without what another call makes: let through silently, and in a draft if that was seen.
struct Following {
  std::array<std::string_view, 3> makers;
  std::array<std::string_view, 5> calls;
};
constexpr std::array kFollowing{
    Following{{"socket", "socketpair", ""}, {"recvmsg", "sendmsg", "recvfrom", "sendto", ""}},
    Following{{"epoll_create1", "epoll_create", ""}, {"epoll_wait", "epoll_pwait", "epoll_ctl", "", ""}}};

/// Always shown: /usr's links lead to them, and the loader starts there, without a call that could be seen.
constexpr std::array<std::string_view, 3> kAlwaysMounted{"/usr", "/etc/ld.so.cache", "/etc/alternatives"};

constexpr std::array kMeasured{Limit::memory, Limit::processes, Limit::wall_time};

bool is_base(const std::string& name) {
  return std::find(kQuiet.begin(), kQuiet.end(), name) != kQuiet.end() ||
         std::find(kAsked.begin(), kAsked.end(), name) != kAsked.end();
}

bool is_name(std::string_view call) {  // "openat (x32)" and "syscall 999" are none
  return call.find(' ') == std::string_view::npos;
}

std::string family_words(std::uint32_t family) {
  switch (family) {
    case 1:
      return "AF_UNIX: within the sandbox";
    case 2:
      return "AF_INET";
    case 10:
      return "AF_INET6";
    case 16:
      return "AF_NETLINK, NETLINK_ROUTE only";
    default:
      return "family " + std::to_string(family);
  }
}

// ---- from a run --------------------------------------------------------------------------------------------------

/// How many different files beneath `target` were used, and one of them.
std::string mount_use(const std::string& target, const std::vector<Use>& used) {
  std::uint64_t files = 0;
  std::string one;
  for (const Use& use : used) {
    const bool path = use.kind == "read" || use.kind == "written" || use.kind == "looked-at" || use.kind == "link" ||
                      use.kind == "program";
    if (!path || !sys::lies_within(use.name, target)) continue;
    ++files;
    if (one.empty() || (use.kind == "read" && use.name != target)) one = use.name;
  }
  if (files == 0) return {};
  return std::to_string(files) + (files == 1 ? " path was used: " : " paths were used, such as ") + one;
}

void add_mounts(Draft& draft, const std::vector<Mount>& mounts, const std::vector<Use>& used) {
  for (const Mount& mount : mounts) {
    const bool always = mount.kind != MountKind::ro_bind ||
                        std::find(kAlwaysMounted.begin(), kAlwaysMounted.end(), mount.target) != kAlwaysMounted.end();
    std::string note = mount_use(mount.target, used);
    if (note.empty() && !always) continue;
    if (note.empty()) note = "programs and their libraries are found through it";
    draft.mounts.push_back(mount);
    draft.mount_notes[mount.target] = std::move(note);
  }
}

std::uint32_t number_in(const std::string& text) {
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void add_figures(Draft& draft, const ResourceUsage& usage) {
  const auto add = [&](Limit limit, Figure figure) {
    if (const auto value = usage.get(figure)) draft.peaks[limit] = *value;
  };
  add(Limit::memory, Figure::peak_memory_bytes);
  add(Limit::processes, Figure::peak_processes);
  add(Limit::wall_time, Figure::duration_ms);
}

void add_following(Draft& draft, std::string_view maker) {
  for (const Following& following : kFollowing) {
    if (std::find(following.makers.begin(), following.makers.end(), maker) == following.makers.end()) continue;
    for (const std::string_view call : following.calls) {
      if (!call.empty()) draft.calls.emplace(call);
    }
  }
}

std::uint64_t folder_size(std::uint64_t peak, std::uint64_t least) {
  constexpr std::uint64_t kMiB = 1 << 20;
  return std::max(least, (peak * 2 + kMiB - 1) / kMiB * kMiB);
}

// ---- from a file -------------------------------------------------------------------------------------------------

/// A rule as this file writes it for a socket's family or a personality; anything else is somebody's own.
bool take_known_rule(Draft& draft, const Json& rule) {
  if (rule.value("action", "") != "SCMP_ACT_ALLOW" || !rule.contains("names") || !rule["names"].is_array())
    return false;
  const Json& names = rule["names"];
  const Json args = rule.value("args", Json::array());
  if (args.empty() && !rule.contains("includes") && !rule.contains("excludes")) {
    for (const Json& name : names) {
      if (!is_base(name.get<std::string>())) draft.calls.insert(name.get<std::string>());
    }
    return true;
  }
  if (names.empty() || args.empty() || args[0].value("index", 9) != 0 || args[0].value("op", "") != "SCMP_CMP_EQ") {
    return false;
  }
  const std::string first = names[0].get<std::string>();
  const auto value = args[0].value("value", std::uint64_t{0});
  if (first == "socket") draft.sockets.insert(static_cast<std::uint32_t>(value));
  if (first == "personality") draft.personas.insert(static_cast<std::uint32_t>(value));
  return first == "socket" || first == "personality";
}

void take_notes(Draft& draft, const Json& root) {
  const std::string why = root.value("why", "");
  if (const auto at = why.find(kLearned); at != std::string::npos) {
    draft.runs = number_in(why.substr(at + kLearned.size()));
    const auto open = why.find(" of ", at);
    const auto end = why.find(':', at);
    if (open != std::string::npos && end != std::string::npos && open < end) {
      std::string list = why.substr(open + 4, end - open - 4);
      for (std::size_t from = 0; from < list.size();) {
        const std::size_t comma = std::min(list.find(", ", from), list.size());
        draft.commands.insert(list.substr(from, comma - from));
        from = comma + 2;
      }
    }
  }
  if (!root.contains("mounts")) return;
  for (const Json& mount : root["mounts"]) {
    const std::string target = mount.value("target", mount.value("source", ""));
    draft.mount_notes[target] = mount.value("why", "");
  }
}

// ---- to a file ---------------------------------------------------------------------------------------------------

using spec::JsonWriter;

std::string quantity(Limit limit, std::uint64_t value) { return spec::format_quantity(info(limit).unit, value); }

void write_limit(JsonWriter& out, Limit limit, std::uint64_t value) {
  out.key(info(limit).key);
  if (info(limit).unit == LimitUnit::count) {
    out.value(value);
  } else {
    out.value(quantity(limit, value));
  }
}

std::string seen_words(Limit limit, double seen) {
  const auto whole = static_cast<std::uint64_t>(std::lround(seen));
  if (limit == Limit::memory) return "memory " + std::to_string((whole + (1 << 20) - 1) >> 20) + "M";
  if (limit == Limit::wall_time) return "wall time " + std::to_string((whole + 999) / 1000) + "s";
  return std::string(info(limit).key) + " " + std::to_string(whole);
}

/// A run that was learned from may have been given more than it used: the larger of two drafts' limits counts.
std::uint64_t limit_of(const Draft& draft, Limit limit, double seen) {
  const std::uint64_t fits = fitting_limit(limit, seen);
  return std::max(fits, draft.limits[limit].value_or(0));
}

void write_limits(JsonWriter& out, const Draft& draft) {
  std::string why;
  for (const auto& [limit, seen] : draft.peaks) {
    why += (why.empty() ? "Highest seen: " : "; ") + seen_words(limit, seen) + " (" + margin_words(limit) + ")";
  }
  out.key("limits").open('{');
  out.key("why").value(why.empty() ? "Nothing could be measured; as they were in force." : why);
  for (const LimitInfo& known : kLimits) {
    const auto seen = draft.peaks.find(known.limit);
    if (seen != draft.peaks.end()) {
      write_limit(out, known.limit, limit_of(draft, known.limit, seen->second));
    } else if (const auto value = draft.limits[known.limit]) {
      write_limit(out, known.limit, *value);
    }
  }
  out.close('}');
}

void write_environment(JsonWriter& out, const Draft& draft) {
  out.key("environment").open('{').key("allow").open('[');
  for (const std::string& name : draft.env_allow) out.value(name);
  out.close(']').key("set").open('{');
  for (const EnvVar& v : draft.env_set) out.key(v.name).value(v.value);
  out.close('}').close('}');
}

void write_mounts(JsonWriter& out, const Draft& draft) {
  constexpr std::array<const char*, 3> kTypes{"ro-bind", "bind", "tmpfs"};
  out.key("mounts").open('[');
  for (const Mount& mount : draft.mounts) {
    out.open('{').key("type").value(kTypes[static_cast<std::size_t>(mount.kind)]);
    if (!mount.source.empty()) out.key("source").value(mount.source);
    if (mount.target != mount.source) out.key("target").value(mount.target);
    if (mount.size_bytes != 0) out.key("size").value(spec::format_quantity(LimitUnit::bytes, mount.size_bytes));
    if (mount.optional) out.key("optional").value(true);
    const auto note = draft.mount_notes.find(mount.target);
    if (note != draft.mount_notes.end() && !note->second.empty()) out.key("why").value(note->second);
    out.close('}');
  }
  out.close(']');
}

template <class Names>
void write_rule(JsonWriter& out, const std::string& why, const Names& names) {
  out.open('{').key("why").value(why);
  out.key("names").open('[');
  for (const auto& name : names) out.value(std::string_view(name));
  out.close(']').key("action").value("SCMP_ACT_ALLOW");
  out.close('}');
}

void write_test(JsonWriter& out, unsigned index, std::uint64_t value) {
  out.open('{').key("index").value(index);
  out.key("value").value(value);
  out.key("op").value("SCMP_CMP_EQ");
  out.close('}');
}

void write_argument_rule(JsonWriter& out, const std::string& why, const std::vector<std::string>& names,
                         std::uint64_t value, bool netlink) {
  out.open('{').key("why").value(why);
  out.key("names").open('[');
  for (const auto& name : names) out.value(name);
  out.close(']').key("action").value("SCMP_ACT_ALLOW");
  out.key("args").open('[');
  write_test(out, 0, value);
  if (netlink) write_test(out, 2, 0);
  out.close(']').close('}');
}

std::vector<std::string> base_names() {
  std::vector<std::string> names(kQuiet.begin(), kQuiet.end());
  names.insert(names.end(), kAsked.begin(), kAsked.end());
  std::sort(names.begin(), names.end());
  return names;
}

void write_other_rule(JsonWriter& out, const Json& value) {
  if (value.is_object()) {
    out.open('{');
    for (const auto& member : value.items()) {
      out.key(member.key());
      write_other_rule(out, member.value());
    }
    out.close('}');
  } else if (value.is_array()) {
    out.open('[');
    for (const Json& element : value) write_other_rule(out, element);
    out.close(']');
  } else if (value.is_string()) {
    out.value(value.get<std::string>());
  } else if (value.is_boolean()) {
    out.value(value.get<bool>());
  } else {
    out.value(value.is_number_unsigned() ? value.get<std::uint64_t>() : std::uint64_t{0});
  }
}

void write_seccomp(JsonWriter& out, const Draft& draft) {
  constexpr std::uint32_t kNetlink = 16;
  out.key("seccomp").open('{');
  out.key("why").value("What is not listed answers EPERM, what is newer than the list ENOSYS.");
  out.key("defaultAction").value("SCMP_ACT_ERRNO");
  out.key("defaultErrnoRet").value(1U);
  out.key("archMap").open('[');
  for (const char* arch : {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"}) {
    out.open('{').key("architecture").value(arch);
    out.close('}');
  }
  out.close(']').key("syscalls").open('[');
  write_rule(out, "What every C library needs, whether it was seen or not.", base_names());
  if (!draft.calls.empty()) write_rule(out, "Seen.", draft.calls);
  for (const std::uint32_t family : draft.sockets) {
    const bool pairs = family == 1;
    write_argument_rule(out, "Seen: " + family_words(family),
                        pairs ? std::vector<std::string>{"socket", "socketpair"} : std::vector<std::string>{"socket"},
                        family, family == kNetlink);
  }
  for (const std::uint32_t persona : draft.personas) {
    write_argument_rule(out, "Seen.", {"personality"}, persona, false);
  }
  for (const std::string& rule : draft.other_rules) write_other_rule(out, Json::parse(rule));
  out.close(']').close('}');
}

std::string top_note(const Draft& draft) {
  std::string commands;
  for (const std::string& command : draft.commands) commands += (commands.empty() ? "" : ", ") + command;
  return "DRAFT. " + std::string(kLearned) + std::to_string(draft.runs) + (draft.runs == 1 ? " run" : " runs") +
         " of " + commands + ": " + std::to_string(allowed_calls(draft)) + " system calls, " +
         std::to_string(draft.calls.size() + draft.sockets.size() + draft.personas.size()) +
         " kinds of them seen beyond the base set. It covers what those runs did; other input may take other paths. "
         "Read it before you use it.";
}

}  // namespace

std::string learning_profile() {
  JsonWriter out(-1);
  out.open('{').key("defaultAction").value("SCMP_ACT_LOG");
  out.key("syscalls").open('[');
  out.open('{').key("names").open('[');
  for (const char* name : kQuiet) out.value(name);
  for (const Following& following : kFollowing) {
    for (const std::string_view call : following.calls) {
      if (!call.empty()) out.value(call);
    }
  }
  out.close(']').key("action").value("SCMP_ACT_ALLOW");
  out.close('}');
  out.open('{').key("names").open('[');
  for (const SyscallNote& note : kDangerous) out.value(note.name);
  out.close(']').key("action").value("SCMP_ACT_ERRNO");
  out.key("errnoRet").value(1U);
  out.close('}').close(']').close('}');
  return out.take();
}

Draft draft_of(const ExecutionRequest& request, const Execution& execution) {
  Draft draft;
  draft.runs = 1;
  const std::string& program = request.argv.front();
  std::string name = program.substr(program.rfind('/') + 1);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ',' || c == ':'; }, '_');
  draft.commands.insert(name);
  std::uint64_t tmp = 0, shm = 0;
  for (const Use& use : execution.used) {
    const bool by_argument = use.name == "socket" || use.name == "personality";
    if (use.kind == "syscall" && is_name(use.name) && !is_base(use.name) && !by_argument) {
      if (use.name != "socketpair") draft.calls.insert(use.name);
    }
    if (use.kind == "syscall") add_following(draft, use.name);
    if (use.kind == "socket") draft.sockets.insert(number_in(use.name));
    if (use.kind == "personality") draft.personas.insert(number_in(use.name));
    if (use.kind == "peak" && use.name == "tmp") tmp = use.count;
    if (use.kind == "peak" && use.name == "shm") shm = use.count;
  }
  constexpr std::uint64_t kLeastTmp = 16 << 20, kLeastShm = 1 << 20;
  draft.tmp_bytes = folder_size(tmp, kLeastTmp);
  draft.shm_bytes = folder_size(shm, kLeastShm);
  const SandboxProfile& profile = request.profile;
  draft.network = profile.network;
  draft.env_allow = profile.env_allow;
  draft.env_set = profile.env_set;
  draft.rootfs = profile.rootfs.empty() ? "host" : profile.rootfs;
  draft.nested_user_namespaces = profile.nested_user_namespaces;
  add_mounts(draft, profile.mounts, execution.used);
  add_figures(draft, execution.usage);
  draft.limits = request.limits;
  for (const Limit limit : kMeasured) {
    if (draft.peaks.count(limit) != 0) draft.limits[limit].reset();
  }
  // It belonged to the memory limit that the measured one replaces, and may lie above that.
  if (draft.peaks.count(Limit::memory) != 0) draft.limits[Limit::memory_high].reset();
  return draft;
}

Result<Draft> read_draft(const std::string& file, const std::vector<std::string>& search_dirs) {
  auto policy = load_policy(file, search_dirs);
  if (!policy) return fail(policy.error());
  const SandboxProfile& profile = policy->profile;
  Draft draft;
  draft.limits = policy->defaults;
  draft.network = profile.network;
  draft.env_allow = profile.env_allow;
  draft.env_set = profile.env_set;
  draft.rootfs = profile.rootfs;
  draft.mounts = profile.mounts;
  draft.tmp_bytes = profile.tmp_bytes;
  draft.shm_bytes = profile.shm_bytes;
  draft.nested_user_namespaces = profile.nested_user_namespaces;
  auto text = sys::read_trusted(policy->path, kMaxFile, ErrorCode::invalid_policy);
  if (!text) return fail(text.error());
  try {
    take_notes(draft, Json::parse(*text));
    const Json seccomp = Json::parse(profile.seccomp_json);
    if (seccomp.value("defaultAction", "") != "SCMP_ACT_ERRNO") {
      return fail(ErrorCode::invalid_policy, file + ": --merge wants a draft: its filter refuses by default");
    }
    for (const Json& rule : seccomp.value("syscalls", Json::array())) {
      if (!take_known_rule(draft, rule)) draft.other_rules.push_back(rule.dump());
    }
  } catch (const nlohmann::json::exception& e) {
    return fail(ErrorCode::invalid_policy, file + ": " + e.what());
  }
  return draft;
}

Draft merged(Draft a, const Draft& b) {
  a.runs += b.runs;
  a.commands.insert(b.commands.begin(), b.commands.end());
  a.calls.insert(b.calls.begin(), b.calls.end());
  a.sockets.insert(b.sockets.begin(), b.sockets.end());
  a.personas.insert(b.personas.begin(), b.personas.end());
  for (const auto& [limit, seen] : b.peaks) a.peaks[limit] = std::max(a.peaks[limit], seen);
  for (const LimitInfo& known : kLimits) {
    auto& mine = a.limits[known.limit];
    const auto& theirs = b.limits[known.limit];
    if (theirs) mine = std::max(mine.value_or(0), *theirs);
  }
  for (const Mount& mount : b.mounts) {
    const auto same = [&](const Mount& m) { return m.target == mount.target; };
    if (std::none_of(a.mounts.begin(), a.mounts.end(), same)) a.mounts.push_back(mount);
  }
  for (const auto& note : b.mount_notes) a.mount_notes.insert(note);
  for (const std::string& name : b.env_allow) {
    if (std::find(a.env_allow.begin(), a.env_allow.end(), name) == a.env_allow.end()) a.env_allow.push_back(name);
  }
  for (const EnvVar& v : b.env_set) {
    const auto same = [&](const EnvVar& mine) { return mine.name == v.name; };
    if (std::none_of(a.env_set.begin(), a.env_set.end(), same)) a.env_set.push_back(v);
  }
  if (b.network == Network::host) a.network = Network::host;
  a.tmp_bytes = std::max(a.tmp_bytes, b.tmp_bytes);
  a.shm_bytes = std::max(a.shm_bytes, b.shm_bytes);
  a.nested_user_namespaces = a.nested_user_namespaces || b.nested_user_namespaces;
  a.other_rules.insert(a.other_rules.end(), b.other_rules.begin(), b.other_rules.end());
  return a;
}

std::string to_json(const Draft& draft) {
  JsonWriter out(2);
  out.open('{').key("why").value(top_note(draft));
  write_limits(out, draft);
  out.key("network").value(draft.network == Network::host ? "host" : "none");
  write_environment(out, draft);
  out.key("rootfs").value(draft.rootfs);
  out.key("tmp").value(spec::format_quantity(LimitUnit::bytes, draft.tmp_bytes));
  out.key("shm").value(spec::format_quantity(LimitUnit::bytes, draft.shm_bytes));
  out.key("nestedUserNamespaces").value(draft.nested_user_namespaces);
  write_mounts(out, draft);
  write_seccomp(out, draft);
  out.close('}');
  return out.take() + "\n";
}

std::size_t allowed_calls(const Draft& draft) {
  std::size_t count = kQuiet.size() + kAsked.size() + draft.calls.size();
  if (!draft.sockets.empty()) ++count;
  if (draft.sockets.count(1) != 0) ++count;  // socketpair
  if (!draft.personas.empty()) ++count;
  return count;
}

std::string_view purpose_of(std::string_view syscall) {
  for (const SyscallNote& note : kPurposes) {
    if (note.name == syscall) return note.text;
  }
  return {};
}

std::string_view danger_of(std::string_view syscall) {
  for (const SyscallNote& note : kDangerous) {
    if (note.name == syscall) return note.text;
  }
  return {};
}

}  // namespace helios::policy
