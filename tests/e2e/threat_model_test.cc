// docs/threat-model.md is held to its word: each test that it names exists in the programs that were built, each
// promise names one, and each class of attack that is tried stands for a promise.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/invocation.h"

namespace helios::test {
namespace {
namespace fs = std::filesystem;
using Names = std::set<std::string>;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  EXPECT_TRUE(in) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

/// "Suite.Name" or "Suite.Name/parameter": without the name of the instantiation before the suite, and without the
/// identity and number after the parameter.
void add_tests(const std::string& listing, Names* names) {
  static const std::regex whose("_(root|delegated|user)(_[0-9]+)?$");
  std::string suite;
  std::istringstream lines(listing);
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find("  #"));
    if (line.starts_with("  ")) {
      names->insert(std::regex_replace(suite + line.substr(2), whose, ""));
    } else if (line.ends_with('.')) {
      suite = line.substr(line.find('/') + 1);
    }
  }
}

/// The tests of every program of this build. Which identities a suite has depends on the host: these two cover all
/// names.
const Names& built_tests() {
  static const Names all = [] {
    Names names;
    std::istringstream programs(HELIOS_TEST_PROGRAMS);
    for (std::string program; programs >> program;) {
      for (const char* identity : {"root", "user"}) {
        Invocation list;
        list.argv = {HELIOS_BINARY_DIR "/tests/" + program, "--gtest_list_tests"};
        list.env = {{"HELIOS_CONTRACT_IDENTITY", identity}, {"HELIOS_TEST_OWNS_HOST", "1"}};
        list.deadline = patiently(std::chrono::milliseconds(20'000));
        const Finished f = run_to_end(list);
        EXPECT_EQ(f.exit_code, 0) << program << f.describe();
        add_tests(f.out, &names);
      }
    }
    return names;
  }();
  return all;
}

bool has_prefix(const Names& names, const std::string& prefix) {
  const auto first = names.lower_bound(prefix);
  return first != names.end() && first->starts_with(prefix);
}

/// Is there such a test? `cited`: Suite, Suite.*, Suite.Name, Suite.Name/parameter, vm.NAME, fuzz_NAME or tools/NAME.
bool exists(const std::string& cited, const Names& tests, const std::string& ctest_file) {
  if (cited.starts_with("vm.")) return ctest_file.find("add_test([=[" + cited + "]=] ") != std::string::npos;
  if (cited.starts_with("fuzz_")) return fs::exists(HELIOS_SOURCE_DIR "/tests/fuzz/" + cited.substr(5) + "_fuzz.cc");
  if (cited.starts_with("tools/")) return fs::exists(HELIOS_SOURCE_DIR "/" + cited);
  const std::size_t dot = cited.find('.');
  if (dot == std::string::npos) return has_prefix(tests, cited + ".");
  if (cited.ends_with(".*")) return has_prefix(tests, cited.substr(0, dot + 1));
  return tests.contains(cited) || (cited.find('/') == std::string::npos && has_prefix(tests, cited + "/"));
}

std::vector<std::string> code_spans(const std::string& text) {
  std::vector<std::string> spans;
  for (std::size_t at = text.find('`'); at != std::string::npos; at = text.find('`', at)) {
    const std::size_t end = text.find('`', at + 1);
    if (end == std::string::npos) break;
    spans.push_back(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return spans;
}

struct Promise {
  std::string words;
  std::vector<std::string> tests;  ///< "/x" written out
};

/// The rows of the table that names a test for each promise.
std::vector<Promise> promises_of(const std::string& document) {
  std::vector<Promise> found;
  std::istringstream lines(document);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) inside = line.starts_with("## What `isolated` promises");
    const std::size_t middle = line.rfind(" | ");
    if (!inside || !line.starts_with("| ") || middle < 2 || middle == std::string::npos) continue;
    Promise one{line.substr(2, middle - 2), code_spans(line.substr(middle))};
    if (one.words == "promise" || one.words == "---") continue;
    for (std::string& test : one.tests)
      if (test.starts_with('/')) test.insert(0, "Escape.IsStopped");
    found.push_back(std::move(one));
  }
  return found;
}

/// What is cited outside of the table; a span of another shape is no test, and X stands for any.
Names cited_in_prose(const std::string& document) {
  static const std::regex shape(R"((vm\.[\w.-]+|fuzz_\w+|[A-Z][a-z]\w*(\.(\*|[A-Z]\w*(/[a-z]\w*)?))?))");
  Names found;
  std::istringstream lines(document);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("|")) continue;
    for (const std::string& span : code_spans(line))
      if (std::regex_match(span, shape)) found.insert(span);
  }
  return found;
}

/// Everything that is wrong with a threat model, one line each.
std::vector<std::string> problems_of(const std::string& document, const Names& tests, const std::string& ctest_file) {
  std::vector<std::string> problems;
  Names cited = cited_in_prose(document);
  for (const Promise& promise : promises_of(document)) {
    if (promise.tests.empty()) problems.push_back("no test for: " + promise.words);
    cited.insert(promise.tests.begin(), promise.tests.end());
  }
  for (const std::string& name : cited)
    if (!exists(name, tests, ctest_file)) problems.push_back("no such test: " + name);
  for (const std::string& test : tests) {
    if (!test.starts_with("Escape.IsStopped/")) continue;
    if (!cited.contains(test)) problems.push_back("in no promise: " + test);
  }
  return problems;
}

TEST(ThreatModel, NamesTestsThatExistAndEveryClassOfAttack) {
  const std::string document = text_of(HELIOS_SOURCE_DIR "/docs/threat-model.md");
  EXPECT_GE(promises_of(document).size(), 20U) << "the table of promises was not found";
  const std::string ctest_file = text_of(HELIOS_BINARY_DIR "/tests/CTestTestfile.cmake");
  EXPECT_EQ(problems_of(document, built_tests(), ctest_file), std::vector<std::string>{});
}

TEST(ThreatModel, WouldBeFoundOutIfItDidNot) {
  Names tests;
  add_tests(
      "All/Escape.\n  IsStopped/keys_root_0  # GetParam() = 0\n  IsStopped/keys_high_user_1\nAll/Contract.\n  "
      "Ends/shell\n",
      &tests);
  const std::string good =
      "## What `isolated` promises\n| promise | tests |\n| --- | --- |\n| a | `Contract.Ends`, `vm.one` |\n"
      "| b | `Escape.IsStopped/keys`, `/keys_high`, every `Contract` test |\n## More\n`Contract.*` "
      "`Escape.IsStopped/X`\n";
  const std::string ctest_file = "add_test([=[vm.one]=] \"vm-run\")\n";
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string document = good;
    document.replace(document.find(from), from.size(), to);
    return problems_of(document, tests, ctest_file);
  };
  using Problems = std::vector<std::string>;
  EXPECT_EQ(problems_of(good, tests, ctest_file), Problems{});
  EXPECT_EQ(with("`Contract.Ends`", "`Contract.End`"), Problems{"no such test: Contract.End"});
  EXPECT_EQ(with("`vm.one`", "`vm.two`"), Problems{"no such test: vm.two"});
  EXPECT_EQ(with("`Contract.*`", "`Contrast.*`"), Problems{"no such test: Contrast.*"});
  EXPECT_EQ(with("`Escape.IsStopped/keys`, ", ""), Problems{"in no promise: Escape.IsStopped/keys"});
  EXPECT_EQ(with("`/keys_high`", "`/keys_low`"),
            (Problems{"no such test: Escape.IsStopped/keys_low", "in no promise: Escape.IsStopped/keys_high"}));
  EXPECT_EQ(with("`Contract.Ends`, `vm.one`", "none"), Problems{"no test for: a"});
}

}  // namespace
}  // namespace helios::test
