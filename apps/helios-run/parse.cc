#include "apps/helios-run/parse.h"

#include <algorithm>
#include <exception>

#include "apps/helios-run/cli11.h"
#include "core/edit_distance.h"

namespace helios::app {
namespace {

using Words = std::vector<std::string>;

bool applies(const OptionRow& row, const Command& command) {
  if (row.scope <= command.options) return true;
  for (std::string_view rest = row.also; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == command.name) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

Words flags_of(const Command& command) {
  Words flags{"--help", "--version"};
  for (const OptionRow& row : option_rows()) {
    if (applies(row, command)) flags.emplace_back(row.flag);
  }
  return flags;
}

// The first word that is neither an option nor an option's value.
Words::iterator first_plain_word(Words& words) {
  for (auto at = words.begin(); at != words.end(); ++at) {
    if (!at->starts_with('-') || *at == "-") return at;
    const OptionRow* row = find_option(*at);
    if (row != nullptr && !row->value.empty() && at + 1 != words.end()) ++at;
  }
  return words.end();
}

// Takes the sub-command's name out of `words`.
const Command* take_command(Words& words) {
  const auto at = first_plain_word(words);
  const Command* command = at == words.end() ? nullptr : find_command(*at);
  if (command == nullptr || command->name.empty()) return find_command("");
  words.erase(at);
  return command;
}

// A message that begins with the flag (parse_limit's) begins with the variable instead.
Error name_variable(const Error& e, const OptionRow& row, const std::string& variable) {
  Error named = e;
  const std::string flag = std::string(row.flag) + ": ";
  if (named.message.starts_with(flag)) named.message.erase(0, flag.size());
  named.message = variable + ": " + named.message;
  return named;
}

Error name_flag(const Error& e, const OptionRow& row) {
  return e.message.starts_with(row.flag) ? e : e.while_doing(row.flag);
}

Status set_from_variable(const OptionRow& row, std::string_view value, Settings& settings) {
  if (!row.repeatable) return row.set(settings, value);
  while (true) {
    const std::size_t end = value.find('\n');
    if (const auto one = value.substr(0, end); !one.empty()) {
      if (auto ok = row.set(settings, one); !ok) return ok;
    }
    if (end == std::string_view::npos) return {};
    value.remove_prefix(end + 1);
  }
}

void set_plugin_path(std::string_view value, Settings& settings) {
  while (true) {
    const std::size_t end = value.find(':');
    if (const auto one = value.substr(0, end); !one.empty()) settings.plugin_path.emplace_back(one);
    if (end == std::string_view::npos) return;
    value.remove_prefix(end + 1);
  }
}

const std::string* find_variable(const std::vector<EnvVar>& environment, std::string_view name) {
  for (const EnvVar& v : environment) {
    if (v.name == name) return v.value.empty() ? nullptr : &v.value;
  }
  return nullptr;
}

bool any_of_ours(const std::vector<EnvVar>& environment) {
  return std::any_of(environment.begin(), environment.end(),
                     [](const EnvVar& v) { return v.name.starts_with("HELIOS_"); });
}

Status read_variables(const Command& command, const std::vector<EnvVar>& environment, Settings& settings) {
  if (!any_of_ours(environment)) return {};
  for (const OptionRow& row : option_rows()) {
    if (!applies(row, command)) continue;
    const std::string variable = variable_of(row);
    const std::string* value = find_variable(environment, variable);
    if (value == nullptr) continue;
    if (variable == "HELIOS_PLUGIN_PATH") {
      set_plugin_path(*value, settings);
    } else if (auto ok = set_from_variable(row, *value, settings); !ok) {
      return fail(name_variable(ok.error(), row, variable));
    }
  }
  return {};
}

// HELIOS_MEMROY would be a limit that silently does not hold.
Words misspelt_variables(const std::vector<EnvVar>& environment) {
  Words known, warnings;
  if (!any_of_ours(environment)) return warnings;
  for (const OptionRow& row : option_rows()) known.push_back(variable_of(row));
  for (const EnvVar& v : environment) {
    if (!v.name.starts_with("HELIOS_") || std::find(known.begin(), known.end(), v.name) != known.end()) continue;
    const auto meant = nearest(v.name, known);
    if (meant && edit_distance(v.name, *meant) <= 2) {
      warnings.push_back("variable " + v.name + " has no meaning here (did you mean " + *meant + "?)");
    }
  }
  return warnings;
}

Error unknown_option(std::string word, const Command& command) {
  word = word.substr(0, word.find('='));
  if (word == "--help" || word == "--version")
    return {ErrorCode::invalid_argument,
            "'" + word + "' takes no value" + (word == "--version" ? " and stands alone" : "")};
  Error e{ErrorCode::invalid_argument, "unknown option '" + word + "'"};
  if (const auto meant = nearest(word, flags_of(command))) {
    e.remedy = "did you mean " + *meant + "?";
  } else if (find_option(word) != nullptr) {
    e.remedy = "'" + std::string(command.name) + "' does not take it";
  } else {
    e.remedy = "see helios-run --help; a command of yours follows --";
  }
  return e;
}

Error unexpected_word(const std::string& word, const Command& command) {
  Error e{ErrorCode::invalid_argument, "unexpected argument '" + word + "'"};
  Words names;
  for (const Command& c : commands()) {
    if (!c.name.empty()) names.emplace_back(c.name);
  }
  if (const auto meant = nearest(word, names); meant && command.name.empty()) {
    e.remedy = "did you mean 'helios-run " + *meant + "'? A command to run follows --";
  } else if (command.takes_command) {
    e.remedy = "a command to run follows --: helios-run [OPTIONS] -- " + word + " ...";
  }
  return e;
}

Error check_extras(const Words& extras, const Command& command, Words& arguments) {
  for (const std::string& word : extras) {
    if (word.starts_with('-') && word != "-") return unknown_option(word, command);
    if (arguments.size() == command.max_arguments) return unexpected_word(word, command);
    arguments.push_back(word);
  }
  return {};
}

constexpr std::string_view kExitStatus =
    "Exit status: the command's own; 128+N when signal N ended it; 137 when a limit did; 130/143/129 when cancelled;\n"
    "127 not found; 126 not executable; 1 when --require-output finds none; 125 when helios-run itself failed.\n"
    "Every option has a variable: HELIOS_ and its name in capitals (HELIOS_MEMORY for --memory; --plugin-dir:\n"
    "HELIOS_PLUGIN_PATH). A flag wins over its variable, both over the spec and the policy.\n";

std::string help_text(CLI::App& app, const Command& command) {
  std::string text = std::string(command.summary) + "\n\nUsage: " + std::string(command.usage) + "\n";
  if (command.name.empty()) {
    text += "\nOther commands:\n";
    for (const Command& c : commands()) {
      if (c.name.empty()) continue;
      text += "  helios-run " + std::string(c.name) + std::string(c.name.size() < 10 ? 10 - c.name.size() : 1, ' ') +
              std::string(c.summary) + "\n";
    }
  }
  const auto formatter = std::dynamic_pointer_cast<CLI::Formatter>(app.get_formatter());
  std::string groups = formatter->make_groups(&app, CLI::AppFormatMode::Normal);
  for (std::size_t at = groups.find("\n\n\n"); at != std::string::npos; at = groups.find("\n\n\n", at))
    groups.erase(at, 1);
  text += groups;
  if (command.name.empty()) text += "\n" + std::string(kExitStatus);
  return text;
}

// A switch may be written --shell=false; CLI11 would take any number there, and throws what is not its own.
Status check_switches(const Words& words) {
  for (const std::string& word : words) {
    const std::size_t eq = word.find('=');
    const OptionRow* row = eq == std::string::npos ? nullptr : find_option(word.substr(0, eq));
    if (row == nullptr || !row->value.empty()) continue;
    const std::string value = word.substr(eq + 1);
    if (value != "true" && value != "false") {
      return fail(ErrorCode::invalid_argument,
                  std::string(row->flag) + ": expected true or false, found '" + value + "'");
    }
  }
  return {};
}

/// Whether one of the words could name this option.
bool may_be_named(const OptionRow& row, const Words& words) {
  return std::any_of(words.begin(), words.end(), [&row](const std::string& word) {
    if (word.starts_with('-') && !word.starts_with("--")) return row.flag == "--draft";  // the only one with a letter
    return word.starts_with(row.flag) && (word.size() == row.flag.size() || word[row.flag.size()] == '=');
  });
}

// One CLI11 option per row that is named in `words`: all of them would be a third of the instructions of a launch. The
// first setter that fails says why in `problem`; CLI11 only ever sees strings.
void add_options(CLI::App& app, const Command& command, const Words* words, Settings& settings,
                 std::optional<Error>& problem) {
  const auto set = [&settings, &problem](const OptionRow& row, std::string_view value) {
    if (problem) return;
    if (auto ok = row.set(settings, value); !ok) problem = name_flag(ok.error(), row);
  };
  for (const OptionRow& row : option_rows()) {
    if (!applies(row, command) || (words != nullptr && !may_be_named(row, *words))) continue;
    const std::string help(row.help);
    const std::string flag = (row.flag == "--draft" ? "-o," : "") + std::string(row.flag);
    CLI::Option* option = nullptr;
    if (row.value.empty()) {
      option = app.add_flag_function(
          flag, [set, &row](std::int64_t n) { set(row, n > 0 ? "true" : "false"); }, help);
    } else if (row.repeatable) {
      option = app.add_option_function<Words>(
          flag,
          [set, &row](const Words& values) {
            for (const auto& v : values) set(row, v);
          },
          help);
      option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
      option->type_name(std::string(row.value));
    } else {
      option = app.add_option_function<std::string>(
          flag, [set, &row](const std::string& v) { set(row, v); }, help);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)->type_name(std::string(row.value));
    }
    option->group(std::string(row.group));
  }
}

Error from_cli11(const CLI::ParseError& e, const Words& words) {
  // "--memory requires 1 argument …" is clear enough; what CLI11 says of the rest is about its own types.
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&e) != nullptr && !words.empty()) {
    return {ErrorCode::invalid_argument, words.back().substr(0, words.back().find('=')) + ": a value is missing"};
  }
  return {ErrorCode::invalid_argument, e.what()};
}

// `settings` holds what the flags say, and of the variables only what no flag has to go with.
Status check_combination(const Parsed& parsed, bool has_separator) {
  const Invocation& in = parsed.invocation;
  const Settings& s = in.settings;
  if (!s.run.plan_for.empty() && s.sandbox != "dry-run")
    return fail(ErrorCode::invalid_argument, "--plan-for goes with --sandbox=dry-run, not '" + s.sandbox + "'",
                "--dry-run plans what --sandbox names");
  if (has_separator && !parsed.command->takes_command) {
    return fail(ErrorCode::invalid_argument, "'" + std::string(parsed.command->name) + "' takes no command");
  }
  if (!has_separator) return {};
  if (in.command.empty()) return fail(ErrorCode::invalid_argument, "no command follows --");
  if (!s.spec.empty() || s.chunk)
    return fail(ErrorCode::invalid_argument, "--spec, --chunk and a command after -- exclude each other");
  if (s.run.require_output || !s.spec_sha256.empty())
    return fail(ErrorCode::invalid_argument, std::string(s.run.require_output ? "--require-output" : "--spec-sha256") +
                                                 " goes with a spec, not with a command after --");
  return {};
}

Result<Parsed> parse_words(const Words& all, const std::vector<EnvVar>& environment) {
  Parsed parsed;
  const auto separator = std::find(all.begin(), all.end(), "--");
  const bool has_separator = separator != all.end();
  Words words(all.begin(), separator);
  if (has_separator) parsed.invocation.command.assign(separator + 1, all.end());
  parsed.command = take_command(words);
  Settings& settings = parsed.invocation.settings;

  const bool wants_help = std::find(words.begin(), words.end(), "--help") != words.end() ||
                          std::find(words.begin(), words.end(), "-h") != words.end();
  CLI::App app;
  std::optional<Error> problem;
  app.set_help_flag(wants_help ? "-h,--help" : "", "this text");
  app.allow_extras();
  app.get_formatter()->column_width(30);
  add_options(app, *parsed.command, wants_help ? nullptr : &words, settings, problem);
  if (wants_help) {
    parsed.help = help_text(app, *parsed.command);
    return parsed;
  }
  if (auto ok = read_variables(*parsed.command, environment, settings); !ok) return fail(ok.error());
  if (has_separator) {  // a command wins over HELIOS_SPEC and what goes with it
    settings.spec.clear();
    settings.chunk.reset();
    settings.run.require_output = false;
    settings.spec_sha256.clear();
  }
  const std::string plan_for = std::exchange(settings.run.plan_for, {});
  if (auto ok = check_switches(words); !ok) return fail(ok.error());
  try {
    app.parse(Words(words.rbegin(), words.rend()));  // CLI11 wants the last word first
  } catch (const CLI::ParseError& e) {
    return fail(from_cli11(e, words));
  }
  if (problem) return fail(*std::move(problem));
  if (auto e = check_extras(app.remaining(), *parsed.command, parsed.invocation.arguments); !e.message.empty())
    return fail(e);
  if (auto ok = check_combination(parsed, has_separator); !ok) return fail(ok.error());
  if (settings.run.plan_for.empty()) settings.run.plan_for = plan_for;
  parsed.warnings = misspelt_variables(environment);
  return parsed;
}

}  // namespace

Result<Parsed> parse(const Words& words, const std::vector<EnvVar>& environment) {
  try {
    return parse_words(words, environment);
  } catch (const std::exception& e) {
    return fail(ErrorCode::internal, std::string("the command line: ") + e.what());
  }
}

}  // namespace helios::app
