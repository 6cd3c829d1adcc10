// Command line and variables -> Invocation.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/helios-run/parse.h"
#include "core/edit_distance.h"

namespace helios::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

Settings settings_of(const Words& words, const std::vector<EnvVar>& env = {}) {
  auto p = parse(words, env);
  EXPECT_TRUE(p) << p.error().message;
  return p ? p->invocation.settings : Settings{};
}

std::string refusal(const Words& words, const std::vector<EnvVar>& env = {}) {
  auto p = parse(words, env);
  return p ? "accepted" : p.error().message + " - " + p.error().remedy;
}

TEST(Options, ReadTheWholeLine) {
  auto p = parse({"--sandbox=shell", "--memory", "512M", "--cpus=1.5", "--timeout", "90s",     "--env",
                  "A=b=c",           "--env",    "B=",   "--ro-bind",  "/a:/b",     "--tmpfs", "/scratch:64M",
                  "--explain",       "--",       "cmd",  "--memory",   "x",         "--"},
                 {});
  ASSERT_TRUE(p) << p.error().message;
  const Settings& s = p->invocation.settings;
  EXPECT_EQ(s.sandbox, "shell");
  EXPECT_EQ(s.run.limits[Limit::memory], 512U << 20U);
  EXPECT_EQ(s.run.limits[Limit::cpus], 1500U);
  EXPECT_EQ(s.run.limits[Limit::wall_time], 90000U);
  EXPECT_THAT(s.run.env, ElementsAre(EnvVar{"A", "b=c"}, EnvVar{"B", ""}));
  ASSERT_EQ(s.run.mounts.size(), 2U);
  EXPECT_EQ(s.run.mounts[0], (Mount{MountKind::ro_bind, "/a", "/b", 0, false}));
  EXPECT_EQ(s.run.mounts[1], (Mount{MountKind::tmpfs, "", "/scratch", 64 << 20, false}));
  EXPECT_TRUE(s.explain);
  EXPECT_THAT(p->invocation.command, ElementsAre("cmd", "--memory", "x", "--"));
}

TEST(Options, AFlagWinsOverItsVariable) {
  EXPECT_EQ(settings_of({"--", "x"}, {{"HELIOS_MEMORY", "64M"}}).run.limits[Limit::memory], 64U << 20U);
  EXPECT_EQ(settings_of({"--memory", "32M", "--", "x"}, {{"HELIOS_MEMORY", "64M"}}).run.limits[Limit::memory],
            32U << 20U);
  EXPECT_EQ(settings_of({"--shell=false", "--", "x"}, {{"HELIOS_SHELL", "1"}}).run.shell, false);
}

TEST(Options, OfAFlagGivenTwiceTheLastCounts) {
  EXPECT_EQ(settings_of({"--pids", "5", "--pids", "6", "--", "x"}).run.limits[Limit::processes], 6U);
}

TEST(Options, EveryRowHasAVariableThatWorksLikeTheFlag) {
  for (const OptionRow& row : option_rows()) {
    const std::string variable = variable_of(row);
    if (variable == "HELIOS_PLUGIN_PATH" || row.flag == "--spec" || row.flag == "--chunk") continue;
    const std::string nonsense = row.value.empty() ? "perhaps" : "";
    if (!nonsense.empty()) {
      const Words words = row.scope == Scope::named ? Words{std::string(row.also)} : Words{"--", "x"};
      EXPECT_THAT(refusal(words, {{variable, nonsense}}), HasSubstr(variable)) << row.flag;
    }
    EXPECT_EQ(refusal({"--", "x"}, {{variable, ""}}), "accepted") << "an empty variable is none";
  }
}

TEST(Options, AVariableThatMakesNoSenseIsNamed) {
  EXPECT_THAT(refusal({"--", "x"}, {{"HELIOS_MEMORY", "4K"}}), HasSubstr("HELIOS_MEMORY: "));
  EXPECT_THAT(refusal({"--", "x"}, {{"HELIOS_NETWORK", "some"}}), HasSubstr("HELIOS_NETWORK: "));
  EXPECT_THAT(refusal({"--", "x"}, {{"HELIOS_ENV", "A=1\nB"}}), HasSubstr("HELIOS_ENV: "));
}

TEST(Options, ListsInVariables) {
  const Settings s = settings_of({"--plugin-dir", "/flag", "--env", "C=3", "--", "x"},
                                 {{"HELIOS_PLUGIN_PATH", "/a::/b"}, {"HELIOS_ENV", "A=1\nB=x y"}});
  EXPECT_THAT(s.plugin_dirs, ElementsAre("/flag"));
  EXPECT_THAT(s.plugin_path, ElementsAre("/a", "/b"));
  EXPECT_THAT(s.run.env, ElementsAre(EnvVar{"A", "1"}, EnvVar{"B", "x y"}, EnvVar{"C", "3"}));
}

TEST(Options, ACommandWinsOverTheVariablesOfASpec) {
  auto p = parse({"--", "x"}, {{"HELIOS_SPEC", "s.json"}, {"HELIOS_CHUNK", "1"}});
  ASSERT_TRUE(p);
  EXPECT_EQ(p->invocation.settings.spec, "");
  EXPECT_THAT(refusal({"--spec", "s", "--", "x"}), HasSubstr("exclude each other"));
}

TEST(Options, WarnOfMisspeltVariablesOnly) {
  auto p = parse({"--", "x"}, {{"HELIOS_MEMROY", "1G"}, {"HELIOS_TESTS_MUST_RUN", "1"}, {"HELIOS_MEMORY", "1G"}});
  ASSERT_TRUE(p);
  ASSERT_EQ(p->warnings.size(), 1U);
  EXPECT_THAT(p->warnings[0], HasSubstr("did you mean HELIOS_MEMORY"));
}

TEST(Options, RefuseWhatMakesNoSense) {
  EXPECT_THAT(refusal({"--memroy", "1G", "--", "x"}), HasSubstr("did you mean --memory?"));
  EXPECT_THAT(refusal({"--memory", "-5", "--", "x"}), HasSubstr("--memory"));
  EXPECT_THAT(refusal({"--memory", "4K", "--", "x"}), HasSubstr("--memory"));
  EXPECT_THAT(refusal({"--memory"}), HasSubstr("--memory: a value is missing"));
  EXPECT_THAT(refusal({"--chunk", "1.5"}), HasSubstr("--chunk"));
  EXPECT_THAT(refusal({"--chunk", "9007199254740992"}), HasSubstr("--chunk"));
  EXPECT_THAT(refusal({"--shell=5", "--", "x"}), HasSubstr("--shell"));
  EXPECT_THAT(refusal({"--uid-range", "0:10", "--", "x"}), HasSubstr("--uid-range"));
  EXPECT_THAT(refusal({"--uid-range", "4294967290:10", "--", "x"}), HasSubstr("--uid-range"));
  EXPECT_THAT(refusal({"--bind", "/a:b", "--", "x"}), HasSubstr("--bind"));
  EXPECT_THAT(refusal({"--tmpfs", "/", "--", "x"}), HasSubstr("--tmpfs"));
  EXPECT_THAT(refusal({"--spec-sha256", "abc", "--", "x"}), HasSubstr("--spec-sha256"));
  EXPECT_THAT(refusal({"--capture-limit", "2G", "--", "x"}), HasSubstr("--capture-limit"));
  EXPECT_THAT(refusal({"--"}), HasSubstr("no command"));
  EXPECT_THAT(refusal({"plugins", "--memory", "1G"}), HasSubstr("does not take it"));
  EXPECT_THAT(refusal({"plugins", "--", "x"}), HasSubstr("takes no command"));
}

TEST(Options, RefuseWhatWouldDoNothingWhereItStands) {
  EXPECT_THAT(refusal({"--plan-for", "shell", "--", "x"}), HasSubstr("--plan-for goes with --sandbox=dry-run"));
  EXPECT_THAT(refusal({"--dry-run", "--plan-for", "shell", "--", "x"}), HasSubstr("--sandbox=dry-run"));
  EXPECT_EQ(settings_of({"--sandbox=dry-run", "--plan-for", "shell", "--", "x"}, {}).run.plan_for, "shell");
  EXPECT_THAT(refusal({"--require-output", "--", "x"}), HasSubstr("goes with a spec"));
  EXPECT_THAT(refusal({"--spec-sha256", std::string(64, 'a'), "--", "x"}), HasSubstr("goes with a spec"));
  EXPECT_THAT(refusal({"--allow-degraded", "memory,memroy", "--", "x"}),
              testing::AllOf(HasSubstr("expected one of memory, swap, cpus"), HasSubstr("found 'memroy'")));
  EXPECT_THAT(refusal({"--help=x"}), HasSubstr("takes no value"));
  EXPECT_THAT(refusal({"--version", "x"}), HasSubstr("stands alone"));
  // A variable is set once for many calls: where it has nothing to do, it is no mistake.
  EXPECT_FALSE(settings_of({"--", "x"}, {{"HELIOS_REQUIRE_OUTPUT", "1"}}).run.require_output);
  EXPECT_TRUE(parse({"--", "x"}, {{"HELIOS_PLAN_FOR", "shell"}}));
}

TEST(Options, AMistypedValueLandsNowhere) {
  EXPECT_THAT(refusal({"--require-output", "yes", "--", "x"}), HasSubstr("unexpected argument 'yes'"));
  EXPECT_THAT(refusal({"echo", "hi"}), HasSubstr("-- echo"));
  EXPECT_THAT(refusal({"plugns"}), HasSubstr("helios-run plugins"));
}

TEST(Options, FindTheSubCommandWhereverItStands) {
  EXPECT_EQ(parse({"--sandbox", "shell", "doctor", "--output=json"}, {})->command->name, "doctor");
  EXPECT_EQ(parse({"--sandbox", "doctor", "--", "x"}, {})->command->name, "") << "a value is no command";
}

TEST(Options, HelpNamesEveryOption) {
  std::string all;
  for (const Command& command : commands()) {
    const auto help =
        command.name.empty() ? parse({"--help"}, {})->help : parse({std::string(command.name), "-h"}, {})->help;
    ASSERT_TRUE(help);
    all += *help;
  }
  for (const OptionRow& row : option_rows()) EXPECT_THAT(all, HasSubstr(std::string(row.flag)));
  EXPECT_THAT(*parse({"doctor", "-h"}, {})->help, testing::Not(HasSubstr("--memory")));
}

TEST(Suggest, MeansWhatIsNear) {
  EXPECT_EQ(edit_distance("memroy", "memory"), 1U);
  EXPECT_EQ(nearest("--sandbx", {"--sandbox", "--shell"}), "--sandbox");
  EXPECT_EQ(nearest("--quux", {"--sandbox", "--shell"}), std::nullopt);
}

}  // namespace
}  // namespace helios::app
