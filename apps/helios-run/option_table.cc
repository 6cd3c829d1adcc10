#include "apps/helios-run/option_table.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "core/executor/environment.h"
#include "core/executor/places.h"
#include "core/spec/quantity.h"

namespace helios::app {
namespace {

constexpr std::string_view kJob = "What to run";
constexpr std::string_view kSandbox = "Sandbox";
constexpr std::string_view kLimitGroup = "Limits (512M, 1.5G; 90s, 5m, 500ms)";
constexpr std::string_view kFiles = "Files and network";
constexpr std::string_view kEnv = "Environment";
constexpr std::string_view kOutput = "Output";
constexpr std::string_view kFetch = "Specs from a URL";
constexpr std::string_view kHost = "Host";

constexpr std::uint64_t kMaxChunkId = (std::uint64_t{1} << 53) - 1;
constexpr std::uint64_t kMaxCapture = std::uint64_t{1} << 30;  // it is kept in memory

Error bad(std::string_view expected, std::string_view found) {
  return {ErrorCode::invalid_argument, "expected " + std::string(expected) + ", found '" + std::string(found) + "'"};
}

Result<bool> parse_switch(std::string_view text) {
  for (const std::string_view yes : {"true", "1", "yes", "on"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "0", "no", "off"}) {
    if (text == no) return false;
  }
  return fail(bad("true or false", text));
}

Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t min, std::uint64_t max, std::string_view what) {
  auto n = spec::parse_quantity(LimitUnit::count, text);
  if (!n || *n < min || *n > max) {
    return fail(bad(std::string(what) + " from " + std::to_string(min) + " to " + std::to_string(max), text));
  }
  return n;
}

template <class Enum, std::size_t N>
Result<Enum> parse_word(std::string_view text, const std::array<std::pair<std::string_view, Enum>, N>& words) {
  std::string expected;
  for (const auto& word : words) {
    if (word.first == text) return word.second;
    expected.append(expected.empty() ? "" : ", ").append(word.first);
  }
  return fail(bad("one of " + expected, text));
}

// Assigns what was parsed, or passes the error on.
template <class T, class To>
Status store(Result<T> value, To& to) {
  if (!value) return fail(value.error());
  to = *std::move(value);
  return {};
}

Status store_text(std::string_view text, std::string_view what, std::string& to) {
  if (text.empty()) return fail(bad(what, text));
  to = text;
  return {};
}

// "a,b" adds a and b.
Status add_names(std::string_view text, std::vector<std::string>& to) {
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    if (name.empty() || name.find('=') != std::string_view::npos) return fail(bad("NAME,...", text));
    to.emplace_back(name);
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

// By the names that a spec and a result use.
Status add_degraded(Settings& s, std::string_view text) {
  std::vector<std::string> names;
  if (auto ok = add_names(text, names); !ok) return ok;
  for (std::string& name : names) {
    if (std::none_of(kLimits.begin(), kLimits.end(), [&](const LimitInfo& limit) { return limit.key == name; })) {
      std::string known;
      for (const LimitInfo& limit : kLimits) known.append(known.empty() ? "" : ", ").append(limit.key);
      return fail(bad("one of " + known, name));
    }
    s.run.allow_degraded.push_back(std::move(name));
  }
  return {};
}

template <Limit L>
Status set_limit(Settings& s, std::string_view text) {
  return store(spec::parse_limit(L, text), s.run.limits[L]);
}

Result<std::string> absolute(std::string_view path) {
  if (path.empty()) return fail(bad("a path", path));
  if (path.front() == '/') return normalise(path);
  char cwd[4096];
  if (::getcwd(cwd, sizeof cwd) == nullptr) return fail_errno(ErrorCode::io, "current directory", errno);
  return normalise(std::string(cwd) + "/" + std::string(path));
}

// SRC[:DST]
Status add_bind(Settings& s, MountKind kind, std::string_view text) {
  const std::size_t colon = text.find(':');
  auto source = absolute(text.substr(0, colon));
  if (!source) return fail(source.error());
  Mount m;
  m.kind = kind;
  m.source = *source;
  m.target = *source;
  if (colon != std::string_view::npos) {
    const std::string_view target = text.substr(colon + 1);
    if (target.empty() || target.front() != '/') return fail(bad("SRC[:DST] with an absolute DST", text));
    m.target = normalise(target);
  }
  if (m.target == "/") return fail(bad("a target other than /", text));
  s.run.mounts.push_back(std::move(m));
  return {};
}

// DST[:SIZE]
Status add_tmpfs(Settings& s, std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view target = text.substr(0, colon);
  if (target.empty() || target.front() != '/') return fail(bad("DST[:SIZE] with an absolute DST", text));
  Mount m;
  m.kind = MountKind::tmpfs;
  m.target = normalise(target);
  if (m.target == "/") return fail(bad("a target other than /", text));
  if (colon != std::string_view::npos) {
    auto size = spec::parse_quantity(LimitUnit::bytes, text.substr(colon + 1));
    if (!size) return fail(size.error());
    m.size_bytes = *size;
  }
  s.run.mounts.push_back(std::move(m));
  return {};
}

// FIRST:COUNT. Ids below 1000 are the system's; 2^32-1 is no id.
Status set_uid_range(Settings& s, std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return fail(bad("FIRST:COUNT", text));
  auto first = parse_number(text.substr(0, colon), 1000, 4294967294, "a first uid");
  auto count = parse_number(text.substr(colon + 1), 1, 1U << 30U, "a count");
  if (!first) return fail(first.error());
  if (!count) return fail(count.error());
  if (*first + *count - 1 > 4294967294) return fail(bad("a range that ends below 4294967295", text));
  s.run.uid_first = *first;
  s.run.uid_count = *count;
  return {};
}

// As it is called below the top of a hierarchy, which may be mounted anywhere.
Status set_cgroup_parent(Settings& s, std::string_view text) {
  const std::string name(text);
  if (name.empty() || name.starts_with("/sys/") || normalise("/" + name) == "/" ||
      (name + "/").find("/../") != name.npos || name.starts_with("../"))
    return fail(bad("a group below the top of the hierarchy, such as /helios", text));
  s.run.cgroup_parent = name;
  return {};
}

Status set_rootfs(Settings& s, std::string_view text) {
  if (text == "host") return store_text(text, "", s.run.rootfs);
  return store(absolute(text), s.run.rootfs);
}

Status set_sha256(Settings& s, std::string_view text) {
  const bool hex = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
  if (text.size() != 64 || !hex) return fail(bad("64 hex digits", text));
  s.spec_sha256.clear();
  for (const char c : text) s.spec_sha256 += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  return {};
}

Status set_log_level(Settings& s, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kWords{{{"debug", LogLevel::debug},
                                                                                {"info", LogLevel::info},
                                                                                {"warning", LogLevel::warning},
                                                                                {"error", LogLevel::error}}};
  return store(parse_word(text, kWords), s.log_level);
}

Status set_network(Settings& s, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, Network>, 2> kWords{
      {{"none", Network::none}, {"host", Network::host}}};
  return store(parse_word(text, kWords), s.run.network);
}

Status set_workspace_ids(Settings& s, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, WorkspaceIds>, 3> kWords{
      {{"map", WorkspaceIds::map}, {"owner", WorkspaceIds::owner}, {"chown", WorkspaceIds::chown}}};
  return store(parse_word(text, kWords), s.run.workspace_ids);
}

Status set_policy(Settings& s, std::string_view text) {
  s.policy_named = true;
  return store_text(text, "a policy's name or file", s.policy);
}

Status set_output(Settings& s, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, OutputFormat>, 2> kWords{
      {{"json", OutputFormat::json}, {"text", OutputFormat::text}}};
  return store(parse_word(text, kWords), s.output);
}

Status set_log_format(Settings& s, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, LogFormat>, 2> kWords{
      {{"json", LogFormat::json}, {"text", LogFormat::text}}};
  return store(parse_word(text, kWords), s.log_format);
}

Status set_capture(Settings& s, std::string_view text) {
  auto n = spec::parse_quantity(LimitUnit::bytes, text);
  if (n && *n > kMaxCapture) return fail(bad("at most 1G, as it is kept in memory", text));
  return store(std::move(n), s.run.capture_bytes);
}

Status set_timeline_interval(Settings& s, std::string_view text) {
  auto ms = spec::parse_quantity(LimitUnit::milliseconds, text);
  if (ms && *ms < 10) return fail(bad("at least 10ms", text));
  return store(std::move(ms), s.run.timeline_ms);
}

template <Limit L>
constexpr OptionRow limit_row(std::string_view value, std::string_view help) {
  return {info(L).flag, kLimitGroup, value, help, &set_limit<L>};
}

using S = Settings;
using V = std::string_view;

std::vector<OptionRow> make_rows() {
  return {
      {"--spec", kJob, "FILE|-|URL", "the job spec: a file, standard input or an http(s) URL",
       [](S& s, V v) { return store_text(v, "a file, - or a URL", s.spec); }},
      {"--chunk", kJob, "ID", "run the chunk with this id",
       [](S& s, V v) { return store(parse_number(v, 0, kMaxChunkId, "a chunk id"), s.chunk); }},
      {"--attempt", kJob, "N", "which try this is; stands in the result (default 1)",
       [](S& s, V v) {
         auto n = parse_number(v, 1, 1000000, "a number");
         if (n) s.run.attempt = static_cast<std::uint32_t>(*n);
         return n ? Status{} : Status{fail(n.error())};
       }},
      {"--shell", kJob, "", "run the command as /bin/sh -c COMMAND",
       [](S& s, V v) { return store(parse_switch(v), s.run.shell); }},
      {"--dry-run", kJob, "", "start nothing: print what the chosen runner would do",
       [](S& s, V v) { return store(parse_switch(v), s.dry_run); }, Scope::runs, false, "gc"},
      {"--explain", kJob, "", "say on stderr why something was refused, and what would allow it",
       [](S& s, V v) { return store(parse_switch(v), s.explain); }},
      {"--require-output", kJob, "", "a chunk that leaves no output file has failed",
       [](S& s, V v) { return store(parse_switch(v), s.run.require_output); }},

      {"--sandbox", kSandbox, "NAME", "the runner: isolated (default), shell, dry-run, or a plugin of yours",
       [](S& s, V v) { return store_text(v, "a runner's name", s.sandbox); }, Scope::everywhere},
      {"--policy", kSandbox, "NAME|FILE", "what the command may do (default: default)", set_policy, Scope::policies,
       false, "doctor"},
      {"--base", kSandbox, "NAME|FILE", "policy learn: the same as --policy, files, limits and network to start from",
       set_policy, Scope::learning},
      {"--plan-for", kSandbox, "NAME", "with --sandbox=dry-run: the runner to plan (default isolated)",
       [](S& s, V v) { return store_text(v, "a runner's name", s.run.plan_for); }},
      {"--allow-degraded", kSandbox, "LIMIT,...", "limits that may be missing on this host: memory, swap, processes, …",
       add_degraded, Scope::runs, true},
      {"--rootfs", kSandbox, "DIR|host", "the root file system the command sees (default: the policy's)", set_rootfs},

      limit_row<Limit::memory>("SIZE", "memory of the whole tree, page cache and tmpfs included"),
      limit_row<Limit::memory_high>("SIZE", "memory beyond which the tree is slowed, not ended; cgroup v2 only"),
      limit_row<Limit::swap>("SIZE", "swap beyond the memory"),
      limit_row<Limit::cpus>("N", "processors, such as 1.5"),
      limit_row<Limit::processes>("N", "processes and threads"),
      limit_row<Limit::wall_time>("TIME", "from start to end"),
      limit_row<Limit::cpu_time>("TIME", "CPU time of the whole tree"),
      limit_row<Limit::idle_time>("TIME", "time without output, CPU use or growth of the output file"),
      limit_row<Limit::output_bytes>("SIZE", "bytes per stream; more ends the run"),
      limit_row<Limit::disk_bytes>("SIZE", "growth of the workspace"),
      limit_row<Limit::disk_files>("N", "files added to the workspace"),
      limit_row<Limit::open_files>("N", "open files per process"),
      limit_row<Limit::file_size>("SIZE", "size of one file"),
      {"--grace", kLimitGroup, "TIME", "between SIGTERM and SIGKILL (default 1s)",
       [](S& s, V v) { return store(spec::parse_quantity(LimitUnit::milliseconds, v), s.run.grace_ms); }},

      {"--workspace", kFiles, "DIR",
       "the tree the command may write (default: the spec's folder, else the current one)",
       [](S& s, V v) { return store_text(v, "a directory", s.run.workspace); }},
      {"--workdir", kFiles, "DIR", "where it starts, inside the workspace (default: the spec's folder if inside)",
       [](S& s, V v) { return store_text(v, "a directory", s.run.workdir); }},
      {"--network", kFiles, "none|host", "a network of its own with nothing in it, or the host's", set_network},
      {"--ro-bind", kFiles, "SRC[:DST]", "show SRC read-only at DST",
       [](S& s, V v) { return add_bind(s, MountKind::ro_bind, v); }, Scope::runs, true},
      {"--bind", kFiles, "SRC[:DST]", "show SRC writable at DST",
       [](S& s, V v) { return add_bind(s, MountKind::bind, v); }, Scope::runs, true},
      {"--tmpfs", kFiles, "DST[:SIZE]", "an empty file system in memory at DST", add_tmpfs, Scope::runs, true},

      {"--env", kEnv, "NAME=VALUE", "set a variable of the command's",
       [](S& s, V v) {
         auto var = parse_variable(v);
         if (!var) return Status{fail(var.error())};
         set_variable(s.run.env, *std::move(var));
         return Status{};
       },
       Scope::runs, true},
      {"--pass-env", kEnv, "NAME,...", "pass variables of yours on",
       [](S& s, V v) { return add_names(v, s.run.pass_env); }, Scope::runs, true},

      {"--result", kOutput, "FILE", "write the result (JSON) here too, whole or not at all",
       [](S& s, V v) { return store_text(v, "a file", s.result_file); }},
      {"--draft", kOutput, "FILE", "policy learn: where the draft goes, also as -o (default: stdout)",
       [](S& s, V v) { return store_text(v, "a file", s.draft_file); }, Scope::learning},
      {"--merge", kOutput, "FILE", "policy learn: a draft that what is learned is added to",
       [](S& s, V v) { return store_text(v, "a file", s.merge_file); }, Scope::learning},
      {"--log-dir", kOutput, "DIR", "keep the exact output in DIR/ID.stdout and DIR/ID.stderr",
       [](S& s, V v) { return store_text(v, "a directory", s.run.log_dir); }},
      {"--timeline", kOutput, "FILE", "CPU, memory, processes and pressure over time, as JSON lines",
       [](S& s, V v) { return store_text(v, "a file", s.run.timeline); }},
      {"--timeline-interval", kOutput, "TIME", "between two lines of --timeline (default 1s, at least 10ms)",
       set_timeline_interval},
      {"--capture-limit", kOutput, "SIZE", "bytes per stream in the result (default: the output limit, at most 8M)",
       set_capture},
      {"--output", kOutput, "json|text", "what stdout gets (default: text on a terminal, else json)", set_output,
       Scope::everywhere},
      {"--log-level", kOutput, "LEVEL", "on stderr: debug, info, warning (default) or error", set_log_level,
       Scope::everywhere},
      {"--log-format", kOutput, "text|json", "lines or JSON lines on stderr", set_log_format, Scope::everywhere},

      {"--spec-sha256", kFetch, "HEX", "refuse a spec with another content", set_sha256},
      {"--allow-private-urls", kFetch, "", "fetch from loopback, private and link-local addresses too",
       [](S& s, V v) { return store(parse_switch(v), s.allow_private_urls); }},
      {"--fetch-timeout", kFetch, "TIME", "for the whole of it (default 30s)",
       [](S& s, V v) {
         auto ms = spec::parse_quantity(LimitUnit::milliseconds, v);
         if (!ms || *ms == 0 || *ms > kMaxMillis) return Status{fail(bad("a time such as 30s", v))};
         s.fetch_timeout = std::chrono::milliseconds(*ms);
         return Status{};
       }},
      {"--fetch-ca-file", kFetch, "FILE", "trust these certificates (PEM) instead of the system's",
       [](S& s, V v) { return store_text(v, "a file", s.fetch_ca_file); }},

      {"--self-test", kHost, "", "doctor: try to break out of the sandbox, one line for each kind of attack",
       [](S& s, V v) { return store(parse_switch(v), s.self_test); }, Scope::named, false, "doctor"},
      {"--plugin-dir", kHost, "DIR", "look for runners here first",
       [](S& s, V v) {
         auto dir = absolute(v);
         if (dir) s.plugin_dirs.push_back(*dir);
         return dir ? Status{} : Status{fail(dir.error())};
       },
       Scope::everywhere, true},
      {"--plugin-hashes", kHost, "FILE", "a sha256sum list that every plugin must stand in",
       [](S& s, V v) { return store_text(v, "a file", s.plugin_hashes); }, Scope::everywhere},
      {"--cgroup-parent", kHost, "GROUP", "make the run's control groups beneath this one", set_cgroup_parent,
       Scope::runs, false, "gc doctor"},
      {"--uid-range", kHost, "FIRST:COUNT", "host uids for runs started by root (default 1900000000:65536)",
       set_uid_range},
      {"--workspace-ids", kHost, "HOW",
       "how files come to belong to the workspace's owner: map (default), owner, chown", set_workspace_ids},
  };
}

}  // namespace

const std::vector<OptionRow>& option_rows() {
  static const std::vector<OptionRow> kRows = make_rows();
  return kRows;
}

const OptionRow* find_option(std::string_view flag) {
  const auto& rows = option_rows();
  const auto at = std::find_if(rows.begin(), rows.end(), [&](const OptionRow& r) { return r.flag == flag; });
  return at == rows.end() ? nullptr : &*at;
}

std::string variable_of(const OptionRow& row) {
  if (row.flag == "--plugin-dir") return "HELIOS_PLUGIN_PATH";
  std::string name = "HELIOS_";
  for (const char c : row.flag.substr(2)) {
    name += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

}  // namespace helios::app
