// Two runs at the same time: neither sees anything of the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "tests/support/scene.h"

namespace helios::test {
namespace {

struct Pair {
  Identity who;
  std::string runner;
};

void PrintTo(const Pair& p, std::ostream* out) { *out << p.runner << " as " << p.who.name; }

class Neighbours : public testing::TestWithParam<Pair> {};

std::string mark_of(int number) {
  char text[16];
  const long low = (static_cast<long>(getpid()) << 1 | (number & 1)) & ((1L << kBaitKeyShift) - 1);
  std::snprintf(text, sizeof text, "nb%07lx", kBaitKeyMark << kBaitKeyShift | low);  // a bait's SysV key
  return text;
}

// One that has settled, until `leave()`.
class Settled {
 public:
  Settled(const Identity& who, const std::string& runner, int number) : mark(mark_of(number)), scene(who) {
    scene.bring_probe("escape_probe");
    scene.write(scene.in_workspace("stay"), "");
    running.emplace(
        scene.command(runner, {"--timeout", "30s"}, {"./escape_probe", "neighbour-settle", mark, "ready", "stay"}));
  }
  [[nodiscard]] bool is_there() const { return scene.appears("ready"); }
  [[nodiscard]] Finished leave() {
    std::filesystem::remove(scene.in_workspace("stay"));
    return running->wait();
  }
  std::string mark;
  Scene scene;
  std::optional<Running> running;
};

std::optional<uid_t> uid_of(const std::string& name) {
  for (const ProcessSeen& p : descendants(getpid()))
    if (p.name == name) return p.uid;
  return {};
}

TEST_P(Neighbours, SeeNothingOfEachOther) {
  const bool isolated = GetParam().runner == "isolated";
  Settled first(GetParam().who, GetParam().runner, 1);
  ASSERT_TRUE(first.is_there()) << first.running->wait().describe();
  Settled second(GetParam().who, GetParam().runner, 2);
  ASSERT_TRUE(second.is_there()) << second.running->wait().describe();
  {
    Scene scene(GetParam().who);
    scene.bring_probe("escape_probe");
    const Finished f = run_to_end(scene.command(
        GetParam().runner, {}, {"./escape_probe", "neighbour-look", first.mark, first.scene.workspace()}));
    ASSERT_TRUE(f.has_result()) << f.describe();
    EXPECT_EQ(f.exit_code, isolated ? 1 : 0) << f.describe();
    if (!isolated) {  // the control: every one of them can be seen
      for (const char* thing : {"/tmp", "/dev/shm", "SysV", "abstract socket", "process", "workspace"})
        EXPECT_NE(f.text("stdout").find(thing), std::string::npos) << thing << f.describe();
    }
  }
  const auto first_uid = uid_of(first.mark), second_uid = uid_of(second.mark);
  ASSERT_TRUE(first_uid && second_uid);
  if (isolated && GetParam().who.is_root()) {
    EXPECT_NE(*first_uid, *second_uid) << "one host uid for each run";
    EXPECT_NE(*first_uid, 0U);
    EXPECT_NE(*second_uid, 0U);
  }
  EXPECT_EQ(second.leave().exit_code, 0);
  const Finished left = first.leave();
  EXPECT_EQ(left.exit_code, 0) << left.describe();
  EXPECT_EQ(first.scene.left_behind(), std::vector<std::string>{});
}

// What is known not to hold (docs/threat-model.md, decision 15): a file that both are shown is one file, and flock(2)
// needs no right to write. Whatever either may write is its own.
TEST_P(Neighbours, ShareLocksOnlyOfFilesThatBothAreShown) {
  const bool isolated = GetParam().runner == "isolated";
  struct Place {
    std::string file;
    bool shared;
  };
  for (const Place& place : {Place{"/usr/bin/env", true}, Place{"/tmp", !isolated}, Place{"/dev/shm", !isolated}}) {
    Scene holder(GetParam().who), other(GetParam().who);
    for (const Scene* scene : {&holder, &other}) scene->bring_probe("escape_probe");
    holder.write(holder.in_workspace("stay"), "");
    Running holding(holder.command(GetParam().runner, {"--timeout", "30s"},
                                   {"./escape_probe", "lock-hold", place.file, "ready", "stay"}));
    ASSERT_TRUE(holder.appears("ready")) << holding.wait().describe();
    const Finished f = run_to_end(other.command(GetParam().runner, {}, {"./escape_probe", "lock-try", place.file}));
    EXPECT_EQ(f.exit_code, place.shared ? 0 : 1) << place.file << f.describe();
    std::filesystem::remove(holder.in_workspace("stay"));
    EXPECT_EQ(holding.wait().exit_code, 0) << place.file;
  }
}

std::vector<Pair> pairs() {
  std::vector<Pair> all;
  for (const Identity& who : able_identities())
    for (const char* runner : {"isolated", "shell"}) all.push_back({who, runner});
  return all;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Neighbours);
INSTANTIATE_TEST_SUITE_P(All, Neighbours, testing::ValuesIn(pairs()),
                         [](const auto& i) { return i.param.runner + "_" + i.param.who.name; });

}  // namespace
}  // namespace helios::test
