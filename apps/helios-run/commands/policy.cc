// helios-run policy show | validate | diff (learn: policy_learn.cc): policies for people.

#include "core/policy/policy.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/filter_check.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/text.h"
#include "apps/helios-run/wiring.h"
#include "core/edit_distance.h"
#include "core/spec/json_writer.h"
#include "core/spec/located_json.h"
#include "core/sys/trusted_file.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::app {
namespace {

using policy::Policy;
using Lines = std::vector<std::string>;

constexpr std::size_t kMaxFile = 1 << 20;

/// Everything the filter says, one line a call; `environment_of` as the isolated runner has it.
Result<Lines> filter_lines(const Policy& p) {
  isolated::FilterEnvironment environment;
  environment.nested_user_namespaces = p.profile.nested_user_namespaces;
  auto lines = isolated::describe_profile(p.profile.seccomp_json, environment);
  if (!lines) return fail(lines.error().while_doing(p.path));
  return lines;
}

/// Names that are allowed without conditions as one paragraph, the rest line by line.
std::string filter_text(const Lines& lines) {
  constexpr std::size_t kWidth = 110;
  constexpr std::string_view kPlain = " allow";
  std::string text, names, row;
  std::size_t plain = 0;
  for (const std::string& line : lines) {
    if (!line.ends_with(kPlain) || line.starts_with("(")) {
      text += "seccomp: " + line + "\n";
      continue;
    }
    ++plain;
    const std::string name = line.substr(0, line.size() - kPlain.size());
    if (row.size() + name.size() > kWidth) names += "  " + std::exchange(row, "") + "\n";
    row += (row.empty() ? "" : " ") + name;
  }
  if (!row.empty()) names += "  " + row + "\n";
  return text + "seccomp: " + std::to_string(plain) + " calls are allowed whatever their arguments:\n" + names;
}

std::string show_json(const Policy& p, const Lines& filter) {
  spec::JsonWriter out(2);
  const auto list = [&out](const char* key, const Lines& lines) {
    out.key(key).open('[');
    for (const std::string& line : lines) out.value(line);
    out.close(']');
  };
  out.open('{').key("name").value(p.name);
  out.key("path").value(p.path);
  out.key("sha256").value(p.sha256);
  list("files", p.files);
  list("settings", policy::describe_policy(p));
  list("seccomp", filter);
  out.close('}');
  return out.take() + "\n";
}

Result<int> print(const std::string& text, int status = 0) {
  if (auto ok = write_stdout(text); !ok) return fail(ok.error());
  return status;
}

Result<int> show(const Invocation& in) {
  if (in.arguments.size() != 2) {
    return fail(
        ErrorCode::invalid_argument, "policy show wants one policy", "there are: " + [] {
          std::string names;
          for (const auto& n : policy::list_policies(policy_dirs())) names += (names.empty() ? "" : ", ") + n;
          return names;
        }());
  }
  auto p = policy::load_policy(in.arguments[1], policy_dirs());
  if (!p) return fail(p.error());
  auto filter = filter_lines(*p);
  if (!filter) return fail(filter.error());
  if (in.settings.output == OutputFormat::json) return print(show_json(*p, *filter));
  std::string text = "policy " + p->name + " (" + p->path + ", sha256 " + p->sha256 + ")\n";
  for (const std::string& file : p->files) {
    if (file != p->path) text += "with " + file + "\n";
  }
  for (const std::string& line : policy::describe_policy(*p)) text += line + "\n";
  return print(text + filter_text(*filter));
}

/// A Docker or Podman profile as it is, not a policy that holds one.
bool is_bare_profile(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  return json.is_object() && json.contains("defaultAction") && !json.contains("seccomp");
}

/// What is to be said about names: an error in a section of one's own, a note for a profile that somebody else keeps.
struct Verdict {
  std::string line;
  Lines notes;
};

Result<Verdict> validate_profile(const std::string& file, const std::string& json) {
  auto unknown = isolated::unknown_syscalls(json);
  if (!unknown) return fail(unknown.error().while_doing(file));
  auto program = isolated::compile_seccomp(json, {});
  if (!program) return fail(program.error().while_doing(file));
  Verdict verdict{file + ": a seccomp profile, good for \"seccomp\": \"FILE\" in a policy; " +
                      std::to_string(program->allowed_calls) + " system calls",
                  {}};
  for (const std::string& line : *unknown) verdict.notes.push_back(file + ": " + line + " (skipped, as Docker does)");
  return verdict;
}

Result<Verdict> validate_one(const std::string& name) {
  if (auto text = sys::read_trusted(name, kMaxFile, ErrorCode::invalid_policy); text && is_bare_profile(*text)) {
    return validate_profile(name, *text);
  }
  auto p = policy::load_policy(name, policy_dirs());
  if (!p) return fail(p.error());
  auto misspelt = misspelt_calls(*p);
  if (!misspelt) return fail(misspelt.error());
  if (!misspelt->empty() && has_own_filter(*p)) return fail(ErrorCode::invalid_policy, misspelt->front());
  isolated::FilterEnvironment environment;
  environment.nested_user_namespaces = p->profile.nested_user_namespaces;
  auto program = isolated::compile_seccomp(p->profile.seccomp_json, environment);
  if (!program) return fail(program.error().while_doing(p->path));
  Verdict verdict{p->path + ": valid; " + std::to_string(program->allowed_calls) + " system calls", {}};
  for (const std::string& line : *misspelt) verdict.notes.push_back(line + " (skipped, as Docker does)");
  return verdict;
}

Result<int> validate(const Invocation& in, Log& log) {
  if (in.arguments.size() < 2)
    return fail(ErrorCode::invalid_argument, "policy validate wants a file", "helios-run policy validate FILE...");
  std::string text;
  for (std::size_t i = 1; i < in.arguments.size(); ++i) {
    auto verdict = validate_one(in.arguments[i]);
    if (!verdict) return fail(verdict.error());
    for (const std::string& note : verdict->notes) log.write(LogLevel::warning, note);
    text += verdict->line + "\n";
  }
  return print(text);
}

Result<Lines> all_lines(const std::string& name, std::string& title) {
  auto p = policy::load_policy(name, policy_dirs());
  if (!p) return fail(p.error());
  auto filter = filter_lines(*p);
  if (!filter) return fail(filter.error());
  title = p->name + " (" + p->path + ")";
  Lines lines = policy::describe_policy(*p);
  std::erase_if(lines, [](const std::string& line) { return line.starts_with("seccomp: sha256"); });
  for (const std::string& line : *filter) lines.push_back("seccomp: " + line);
  return lines;
}

/// Lines that only one of the two has, next to each other where they are about the same thing.
Result<int> diff(const Invocation& in) {
  if (in.arguments.size() != 3) {
    return fail(ErrorCode::invalid_argument, "policy diff wants two policies",
                "helios-run policy diff NAME|FILE NAME|FILE");
  }
  std::string from_title, to_title;
  auto from = all_lines(in.arguments[1], from_title);
  if (!from) return fail(from.error());
  auto to = all_lines(in.arguments[2], to_title);
  if (!to) return fail(to.error());
  const auto key = [](const std::string& line) {
    const std::size_t colon = line.find(": ");
    return line.starts_with("limits.") || line.starts_with("ceilings.") ? line.substr(0, colon) : std::string();
  };
  const auto has = [](const Lines& lines, const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  };
  std::string text;
  for (const std::string& line : *from) {
    if (has(*to, line)) continue;
    text += "- " + line + "\n";
    if (key(line).empty()) continue;
    for (const std::string& other : *to) {
      if (key(other) == key(line)) text += "+ " + other + "\n";
    }
  }
  for (const std::string& line : *to) {
    if (!has(*from, line) && key(line).empty()) text += "+ " + line + "\n";
  }
  if (text.empty()) return print("no difference\n");
  return print("--- " + from_title + "\n+++ " + to_title + "\n" + text, 1);
}

}  // namespace

Result<int> policy_tools(Invocation& in, Log& log) {
  static const std::vector<std::string> kVerbs{"show", "validate", "diff", "learn"};
  const std::string verb = in.arguments.empty() ? std::string() : in.arguments.front();
  if (verb == "learn") return learn_policy(in, log);
  if (!in.command.empty()) return fail(ErrorCode::invalid_argument, "'policy " + verb + "' takes no command");
  if (verb == "show") return show(in);
  if (verb == "validate") return validate(in, log);
  if (verb == "diff") return diff(in);
  const auto meant = verb.empty() ? std::nullopt : nearest(verb, kVerbs);
  return fail(ErrorCode::invalid_argument, "policy: expected show, validate, diff or learn, found '" + verb + "'",
              meant ? "did you mean '" + *meant + "'?" : "see helios-run policy --help");
}

}  // namespace helios::app
