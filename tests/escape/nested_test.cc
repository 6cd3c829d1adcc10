// A policy may allow user namespaces (`nestedUserNamespaces`): a browser's own sandbox needs them. No shipped policy
// does. The filter of these runs allows everything else, too, so that what is stopped is stopped by what helios-run
// promises under any policy; and each probe is tried twice, as the command and as root of a namespace of its own with
// all capabilities there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "tests/escape/attack_classes.h"

namespace helios::test {
namespace {

/// Classes of the table whose success would be power outside of the sandbox. Left out are those that mean power within
/// a namespace, such as `mounts`, and kernel interfaces that the loose filter itself opens.
constexpr std::string_view kOutside[] = {"overwrite-program",
                                         "leaked-fd",
                                         "ptrace-parent",
                                         "process-vm",
                                         "parent-memory-file",
                                         "pidfd-getfd",
                                         "environ-secret",
                                         "join-namespaces",
                                         "prlimit-parent",
                                         "signal-outside",
                                         "see-process",
                                         "read-file",
                                         "read-from",
                                         "link-file",
                                         "write-outside",
                                         "open-for-writing",
                                         "writable-below",
                                         "cgroup-write",
                                         "device-files",
                                         "console",
                                         "make-device",
                                         "open-by-handle",
                                         "leave-setuid",
                                         "setuid-gain",
                                         "vsock",
                                         "vsock-high",
                                         "network",
                                         "path-socket",
                                         "sysv-ipc",
                                         "posix-shm",
                                         "tiocsti",
                                         "tiocsti-own-pty",
                                         "raise-rlimit",
                                         "lower-core-limit",
                                         "raise-priority",
                                         "huge-pages",
                                         "keys"};

struct Try {
  Attack attack;
  Identity who;
  bool as_root_of_its_own{false};
};

void PrintTo(const Try& t, std::ostream* out) {
  *out << t.attack.name << " as " << t.who.name << (t.as_root_of_its_own ? ", nested" : "");
}

std::string try_name(const testing::TestParamInfo<Try>& info) {
  std::string name = info.param.attack.name + "_" + info.param.who.name +
                     (info.param.as_root_of_its_own ? "_nested" : "") + "_" + std::to_string(info.index);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::vector<Try> tries() {
  std::vector<Try> all;
  for (const Identity& who : able_identities()) {
    for (const Attack& attack : attacks()) {
      if (std::find(std::begin(kOutside), std::end(kOutside), attack.name) == std::end(kOutside)) continue;
      for (const bool nested : {false, true}) all.push_back({attack, who, nested});
    }
  }
  return all;
}

std::string loose_policy(const Scene& scene) {
  const auto file = scene.outside() / "nested.json";
  scene.write(file,
              R"({"extends": "default", "nestedUserNamespaces": true, "why": "a browser with a sandbox of its own",
    "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}})");
  return file;
}

Finished try_probe(const Scene& scene, const Bait* bait, std::vector<std::string> words, bool nested,
                   const std::string& policy, bool terminal = false) {
  if (nested) words.insert(words.begin(), "nested");
  words.insert(words.begin(), "./escape_probe");
  Invocation what = scene.command("isolated", {"--policy", policy, "--timeout", "15s"}, words);
  if (bait != nullptr) what.env.emplace_back("PLANTED_SECRET", bait->word);
  what.terminal = terminal;
  return run_to_end(what);
}

class NestedNamespaces : public testing::TestWithParam<Try> {};

TEST_P(NestedNamespaces, GiveNoPowerOutside) {
  const auto& [attack, who, nested] = GetParam();
  Scene scene(who);
  {
    Bait bait(scene);
    if (attack.name == "setuid-gain" && bait.root_program.empty()) GTEST_SKIP() << "a set-user-id file needs root";
    std::vector<std::string> words{attack.name};
    if (attack.arguments) {
      const auto given = attack.arguments(bait);
      words.insert(words.end(), given.begin(), given.end());
    }
    // /tmp, /dev and the like are the sandbox's own; its namespace's root may write there what dies with it.
    const Finished f = try_probe(scene, &bait, words, nested, loose_policy(scene), attack.terminal);
    ASSERT_TRUE(f.has_result()) << attack.why << "\n" << f.describe();
    EXPECT_EQ(f.exit_code, 1) << attack.why << "\n" << f.describe();
    EXPECT_NE(f.text("stdout").find("stopped: "), std::string::npos) << attack.why << "\n" << f.describe();
    EXPECT_EQ(bait.damage(), "") << attack.why << "\n" << f.describe();
  }
  std::filesystem::remove(scene.outside() / "nested.json");
  EXPECT_EQ(scene.left_behind(), std::vector<std::string>{});
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(NestedNamespaces);
INSTANTIATE_TEST_SUITE_P(All, NestedNamespaces, testing::ValuesIn(tries()), try_name);

class NestedPolicy : public testing::TestWithParam<Identity> {
 protected:
  void SetUp() override {
    scene_.emplace(GetParam());
    scene_->bring_probe("escape_probe");
  }
  [[nodiscard]] Finished run(const std::string& policy, std::vector<std::string> words, bool nested = false) const {
    return try_probe(*scene_, nullptr, std::move(words), nested, policy);
  }
  std::optional<Scene> scene_;
};

/// The control of all of the above: the namespaces are there, and their root has its powers.
TEST_P(NestedPolicy, AllowsThemWhereNoOtherDoes) {
  for (const char* way : {"userns-unshare", "userns-clone"}) {
    const Finished allowed = run(loose_policy(*scene_), {way});
    EXPECT_EQ(allowed.exit_code, 0) << way << allowed.describe();
    const Finished refused = run("default", {way});
    EXPECT_EQ(refused.exit_code, 1) << way << refused.describe();
  }
  const Finished power = run(loose_policy(*scene_), {"mounts"}, true);
  EXPECT_EQ(power.exit_code, 0) << power.describe();
  EXPECT_NE(power.text("stdout").find("escaped: "), std::string::npos)
      << "it may mount, for itself: " << power.describe();
}

TEST_P(NestedPolicy, LetsNobodyTakeOffWhatTheSandboxMounted) {
  const Finished f = run(loose_policy(*scene_), {"remount"}, true);
  EXPECT_EQ(f.exit_code, 1) << f.describe();
  EXPECT_NE(f.text("stdout").find("stopped: "), std::string::npos) << f.describe();
}

TEST_P(NestedPolicy, LetsNobodyLiftItsLimits) {
  const Finished f = run(loose_policy(*scene_), {"cgroup-limits"}, true);
  EXPECT_EQ(f.exit_code, 1) << f.describe();
  EXPECT_NE(f.text("stdout").find("stopped: "), std::string::npos) << f.describe();
}

TEST_P(NestedPolicy, CostsLandlockAndResultAndPlanSaySo) {
  const auto has = [](const nlohmann::json& layers, const char* layer) {
    return std::find(layers.begin(), layers.end(), layer) != layers.end();
  };
  const Finished strict = run("default", {"x32"});
  if (!has(strict.result["sandbox"]["isolation"], "landlock")) GTEST_SKIP() << "the kernel has no Landlock";
  const Finished loose = run(loose_policy(*scene_), {"x32"});
  EXPECT_FALSE(has(loose.result["sandbox"]["isolation"], "landlock")) << loose.describe();
  EXPECT_TRUE(has(loose.result["sandbox"]["isolation"], "user")) << loose.describe();
  const Finished plan = run_to_end(scene_->command("dry-run", {"--policy", loose_policy(*scene_)}, {"/bin/true"}));
  EXPECT_NE(plan.out.find("off: nestedUserNamespaces"), std::string::npos) << plan.describe();
  const Finished strict_plan = run_to_end(scene_->command("dry-run", {}, {"/bin/true"}));
  EXPECT_EQ(strict_plan.out.find("off: nestedUserNamespaces"), std::string::npos) << strict_plan.describe();
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(NestedPolicy);
INSTANTIATE_TEST_SUITE_P(All, NestedPolicy, testing::ValuesIn(able_identities()),
                         [](const testing::TestParamInfo<Identity>& of) { return of.param.name; });

}  // namespace
}  // namespace helios::test
