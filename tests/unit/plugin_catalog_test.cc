// What is refused, with which words, and that nothing of a refused file runs.
#include <elf.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/digest/sha256.h"
#include "core/plugin/runner_catalog.h"
#include "core/plugin/vetting.h"
#include "core/sys/file.h"
#include "helios/plugin_abi.h"

namespace helios::plugin {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

const fs::path kFixture = fs::path(HELIOS_TEST_PLUGINS) / "helios-runner-fixture.so";
constexpr uid_t kSomeoneElse = 65534;

std::string slurp(const fs::path& p) {
  auto text = sys::read_file(p, 64 << 20);
  EXPECT_TRUE(text);
  return text ? *text : "";
}

void spit(const fs::path& p, std::string_view bytes) {
  fs::remove(p);
  std::ofstream(p, std::ios::binary) << bytes;
  fs::permissions(p, fs::perms(0644));
}

/// A folder of our own with a copy of the fixture in it, whose initialiser leaves a mark when it runs.
class PluginCatalog : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/helios-plugin-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = fs::canonical(name);
    file_ = dir_ / "helios-runner-fixture.so";
    mark_ = dir_ / "mark";
    ::setenv("HELIOS_TEST_INIT", ("touch:" + mark_.string()).c_str(), 1);
    spit(file_, slurp(kFixture));
  }
  void TearDown() override {
    ::unsetenv("HELIOS_TEST_INIT");
    ::unsetenv("HELIOS_TEST_PROBE");
    fs::remove_all(dir_);
  }

  /// The refusal's whole text; and no code of the file has run.
  std::string refusal(CatalogOptions options = {}) {
    RunnerCatalog catalog({dir_}, std::move(options));
    auto opened = catalog.open("fixture");
    EXPECT_FALSE(fs::exists(mark_)) << "its initialiser has run";
    if (opened) return "not refused";
    EXPECT_EQ(opened.error().code, ErrorCode::plugin_rejected) << opened.error().message;
    EXPECT_THAT(opened.error().message, HasSubstr(file_.string()));
    EXPECT_EQ(opened.error().message.find('\n'), std::string::npos);
    return opened.error().message + " | " + opened.error().remedy;
  }

  template <class T>
  void patch(std::size_t at, T value) {
    auto bytes = slurp(file_);
    std::memcpy(bytes.data() + at, &value, sizeof value);
    spit(file_, bytes);
  }

  fs::path dir_, file_, mark_;
};

TEST_F(PluginCatalog, OpensOnceAndDescribesIt) {
  RunnerCatalog catalog({dir_ / "missing", dir_});
  auto opened = catalog.open("fixture");
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_TRUE(fs::exists(mark_));  // the control for every refusal below
  EXPECT_EQ((*opened)->name, "fixture");
  EXPECT_EQ((*opened)->version, "1.2.3");
  EXPECT_EQ((*opened)->summary, "for tests");
  EXPECT_EQ((*opened)->path, file_);
  EXPECT_EQ((*opened)->abi, std::uint32_t{HELIOS_ABI_GENERATION});
  EXPECT_TRUE((*opened)->inherits_environment);
  EXPECT_FALSE((*opened)->starts_nothing);
  EXPECT_EQ(*catalog.open("fixture"), *opened);
}

TEST_F(PluginCatalog, UnknownRunnerNamesThoseThatExist) {
  RunnerCatalog catalog({dir_});
  auto opened = catalog.open("fixtuer");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
  EXPECT_THAT(opened.error().message, AllOf(HasSubstr("helios-runner-fixtuer.so"), HasSubstr(dir_.string()),
                                            HasSubstr("runners here: fixture")));
}

TEST_F(PluginCatalog, NamesThatAreNoNamesAreRefused) {
  RunnerCatalog catalog({dir_});
  for (const char* name : {"", "../fixture", "Fixture", "a b", "abcdefghijklmnopqrstuvwxyz0123456"}) {
    auto opened = catalog.open(name);
    ASSERT_FALSE(opened) << name;
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument) << name;
  }
}

TEST_F(PluginCatalog, Folder) {
  fs::remove(file_);
  fs::create_directory(file_);
  EXPECT_THAT(refusal(), HasSubstr("found a folder, expected a regular file"));
}

TEST_F(PluginCatalog, Text) {
  spit(file_, "hello, I am a plugin\n");
  EXPECT_THAT(refusal(), HasSubstr("not ELF"));
}

TEST_F(PluginCatalog, Empty) {
  spit(file_, "");
  EXPECT_THAT(refusal(), HasSubstr("an empty file"));
}

TEST_F(PluginCatalog, TruncatedAnywhere) {
  const auto whole = slurp(file_);
  std::vector<std::size_t> sizes{1, 3};
  for (const std::size_t n : {4ul, 15ul, 16ul, 17ul, 63ul, 64ul, 65ul, 200ul, 600ul, 4095ul, 4096ul})
    sizes.push_back(n);
  for (std::size_t n = 8192; n < whole.size(); n += whole.size() / 37) sizes.push_back(n);
  sizes.push_back(whole.size() - 1);
  for (const auto size : sizes) {
    spit(file_, std::string_view(whole).substr(0, size));
    EXPECT_THAT(refusal(), HasSubstr(size < 4 ? "not ELF" : "a truncated file")) << "at " << size;
  }
}

TEST_F(PluginCatalog, WrongMachine) {
  patch(offsetof(Elf64_Ehdr, e_machine), std::uint16_t{EM_S390});
  EXPECT_THAT(refusal(), HasSubstr("found code for s390x, expected "));
}

TEST_F(PluginCatalog, WrongClass) {
  patch(EI_CLASS, static_cast<unsigned char>(ELFCLASS32));
  EXPECT_THAT(refusal(), HasSubstr("found a 32-bit file, expected a 64-bit one"));
}

TEST_F(PluginCatalog, WrongByteOrder) {
  patch(EI_DATA, static_cast<unsigned char>(ELFDATA2MSB));
  EXPECT_THAT(refusal(), HasSubstr("byte order"));
}

TEST_F(PluginCatalog, AProgram) {
  patch(offsetof(Elf64_Ehdr, e_type), std::uint16_t{ET_EXEC});
  EXPECT_THAT(refusal(), HasSubstr("expected a shared object"));
}

TEST_F(PluginCatalog, AnotherGeneration) {
  const std::string note("\7\0\0\0\4\0\0\0\1\0\0\0Helios\0\0", 20);
  const auto at = slurp(file_).find(note);
  ASSERT_NE(at, std::string::npos);
  patch(at + note.size(), std::uint32_t{2});
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("a runner for ABI generation 2, expected generation 1"), HasSubstr("rebuild")));
}

TEST_F(PluginCatalog, NoNote) {
  spit(file_, slurp(HELIOS_TEST_PLUGINS "/helios-plain.so"));
  EXPECT_THAT(refusal(), HasSubstr("a shared object without a Helios note, expected a helios runner"));
}

TEST_F(PluginCatalog, AModuleOfAnotherKind) {
  spit(file_, slurp(HELIOS_TEST_PLUGINS "/helios-module.so"));
  EXPECT_THAT(refusal(), HasSubstr("a Helios module of kind \"fixture-kind\", expected a helios runner"));
}

TEST_F(PluginCatalog, ModulesAreVettedByKind) {
  const std::string module = HELIOS_TEST_PLUGINS "/helios-module.so";
  EXPECT_TRUE(vet_module(module, "fixture-kind"));
  EXPECT_FALSE(vet_module(module, "fetch"));
  EXPECT_FALSE(vet_module(kFixture, "fixture-kind"));
}

TEST_F(PluginCatalog, WritableByGroupOrOthers) {
  for (const unsigned mode : {0664u, 0646u, 0666u}) {
    fs::permissions(file_, fs::perms(mode));
    EXPECT_THAT(refusal(), AllOf(HasSubstr("writable by its group or others"), HasSubstr("chmod go-w")));
  }
}

TEST_F(PluginCatalog, WritableFolder) {
  for (const unsigned mode : {0775u, 0757u}) {
    fs::permissions(dir_, fs::perms(mode));
    EXPECT_THAT(refusal(), AllOf(HasSubstr("writable by others"), HasSubstr(dir_.string())));
  }
  ASSERT_EQ(::chmod(dir_.c_str(), 01777), 0);  // sticky: others could still put a file there first
  EXPECT_THAT(refusal(), HasSubstr("writable by others"));
}

TEST_F(PluginCatalog, WritableFolderFurtherUp) {
  const auto inner = dir_ / "a" / "b";
  fs::create_directories(inner);
  fs::rename(file_, inner / "helios-runner-fixture.so");
  fs::permissions(dir_ / "a", fs::perms(0777));
  EXPECT_FALSE(RunnerCatalog({inner}).open("fixture"));
  fs::permissions(dir_ / "a", fs::perms(0755));
  EXPECT_TRUE(RunnerCatalog({inner}).open("fixture"));
}

TEST_F(PluginCatalog, OwnedBySomeoneElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  ASSERT_EQ(::chown(file_.c_str(), kSomeoneElse, kSomeoneElse), 0);
  EXPECT_THAT(refusal(), HasSubstr("owned by uid 65534"));
  ASSERT_EQ(::chown(file_.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(dir_.c_str(), kSomeoneElse, kSomeoneElse), 0);
  EXPECT_THAT(refusal(), HasSubstr("owned by uid 65534"));
}

TEST_F(PluginCatalog, DanglingLinkStopsTheSearch) {
  fs::remove(file_);
  fs::create_symlink("nowhere", file_);
  auto opened = RunnerCatalog({dir_, HELIOS_TEST_PLUGINS}).open("fixture");
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr((dir_ / "nowhere").string()));
}

TEST_F(PluginCatalog, LinkLoop) {
  fs::remove(file_);
  fs::create_symlink(file_, file_);
  EXPECT_FALSE(RunnerCatalog({dir_}).open("fixture"));
}

TEST_F(PluginCatalog, LinkToATrustedFileIsFollowedToTheEnd) {
  const auto real = dir_ / "real" / "x.so";
  fs::create_directory(dir_ / "real");
  fs::rename(file_, real);
  fs::create_symlink("other", dir_ / "alias");
  fs::create_symlink("real/../real", dir_ / "other");
  fs::create_symlink("alias/x.so", file_);
  RunnerCatalog catalog({dir_});
  auto opened = catalog.open("fixture");
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->path, real);
}

TEST_F(PluginCatalog, LinkIntoAFolderOthersCanWrite) {
  fs::create_directory(dir_ / "open");
  fs::rename(file_, dir_ / "open" / "x.so");
  fs::permissions(dir_ / "open", fs::perms(0777));
  fs::create_symlink("open/x.so", file_);
  EXPECT_THAT(refusal(), HasSubstr((dir_ / "open").string() + " writable by others"));
}

TEST_F(PluginCatalog, FifoDoesNotHang) {
  fs::remove(file_);
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("found a FIFO, expected a regular file"));
}

TEST_F(PluginCatalog, NameOfFileAndRunnerDiffer) {
  fs::rename(file_, dir_ / "helios-runner-other.so");
  auto opened = RunnerCatalog({dir_}).open("other");
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("calls itself \"fixture\", expected \"other\""));
}

TEST_F(PluginCatalog, RefusedFirstMatchDoesNotFallThrough) {
  spit(file_, "text");
  EXPECT_FALSE(RunnerCatalog({dir_, HELIOS_TEST_PLUGINS}).open("fixture"));
  EXPECT_TRUE(RunnerCatalog({HELIOS_TEST_PLUGINS, dir_}).open("fixture"));
}

TEST_F(PluginCatalog, HashList) {
  const auto list = dir_ / "plugins.sha256";
  const auto line = digest::sha256_hex(slurp(file_)) + "  helios-runner-fixture.so\n";
  spit(list, "# none\n");
  EXPECT_THAT(refusal(), HasSubstr("no line for helios-runner-fixture.so"));
  spit(list, std::string(64, '0') + "  helios-runner-fixture.so\n");
  EXPECT_THAT(refusal(), HasSubstr("sha256"));
  spit(list, "nonsense\n" + line);
  EXPECT_THAT(RunnerCatalog({dir_}).open("fixture").error().message, HasSubstr("plugins.sha256:1"));
  spit(list, line);
  fs::permissions(list, fs::perms(0666));
  EXPECT_FALSE(RunnerCatalog({dir_}).open("fixture"));
  fs::permissions(list, fs::perms(0644));
  EXPECT_TRUE(RunnerCatalog({dir_}).open("fixture"));
}

TEST_F(PluginCatalog, HashListGivenByTheCaller) {
  const auto list = dir_ / "elsewhere";
  spit(list, "");
  EXPECT_THAT(refusal({.hash_list = list}), HasSubstr("no line for"));
  EXPECT_FALSE(RunnerCatalog({dir_}, {.hash_list = dir_ / "missing"}).open("fixture"));
  spit(list, digest::sha256_hex(slurp(file_)) + " *helios-runner-fixture.so");
  EXPECT_TRUE(RunnerCatalog({dir_}, {.hash_list = list}).open("fixture"));
}

// ---- initialisers that misbehave: one clear line, and the process still ends as it should
// -------------------------------

struct Misbehaviour {
  const char* how;
  const char* words;
};

class PluginInitialiser : public PluginCatalog, public ::testing::WithParamInterface<Misbehaviour> {};

TEST_P(PluginInitialiser, IsOneErrorAndTheProcessEndsInOrder) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto open_and_end = [&] {
    ::setenv("HELIOS_TEST_INIT", GetParam().how, 1);
    RunnerCatalog catalog({dir_, HELIOS_BINARY_DIR "/plugins"}, {.load_deadline = std::chrono::milliseconds(300)});
    auto opened = catalog.open("fixture");
    fs::remove_all(dir_);  // this process ends without TearDown
    if (opened) std::exit(1);
    auto next = catalog.open("dry-run");  // the loader is not to be trusted any more, but does not hang either
    if (next || next.error().message.find("earlier plugin") == std::string::npos) std::exit(2);
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    std::exit(125);
  };
  EXPECT_EXIT(open_and_end(), ::testing::ExitedWithCode(125), GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(Bad, PluginInitialiser,
                         ::testing::Values(Misbehaviour{"throw", "initialiser"}, Misbehaviour{"abort", "SIGABRT"},
                                           Misbehaviour{"crash", "SIGSEGV"}, Misbehaviour{"hang", "after 300 ms"}),
                         [](const auto& one) { return one.param.how; });

// ---- the list
// -------------------------------------------------------------------------------------------------------------

class PluginList : public PluginCatalog {
 protected:
  std::vector<PluginReport> list(const char* variable, const char* how) {
    ::setenv("HELIOS_TEST_INIT", "", 1);
    ::setenv(variable, how, 1);
    RunnerCatalog catalog(
        {dir_}, {.load_deadline = std::chrono::milliseconds(300), .check_deadline = std::chrono::milliseconds(1000)});
    return catalog.list();
  }
};

TEST_F(PluginList, TellsEverything) {
  spit(dir_ / "helios-runner-bad.so", "text");
  spit(dir_ / "helios-runner-Odd.so", "text");
  spit(dir_ / "README", "text");
  ::setenv("HELIOS_TEST_INIT", "print", 1);
  const auto all = RunnerCatalog({dir_, HELIOS_TEST_PLUGINS}).list();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_THAT(all[0].refusal->message, HasSubstr("\"Odd\""));
  EXPECT_EQ(all[1].name, "bad");
  EXPECT_THAT(all[1].refusal->message, HasSubstr("not ELF"));
  const auto& good = all[2];
  EXPECT_FALSE(good.refusal) << good.refusal->message;
  EXPECT_EQ(good.file, file_);
  EXPECT_EQ(good.version, "1.2.3");
  EXPECT_EQ(good.summary, "for tests");
  EXPECT_FALSE(good.build_tag.empty());
  EXPECT_EQ(good.abi, std::uint32_t{HELIOS_ABI_GENERATION});
  EXPECT_TRUE(good.inherits_environment);
  EXPECT_EQ(good.findings.size(), 3u);
  EXPECT_EQ(good.findings[1].remedy, "boot with v2");
  EXPECT_FALSE(good.probe_error);
  EXPECT_EQ(good.shadowed_by, "");
  EXPECT_EQ(all[3].shadowed_by, file_);
}

TEST_F(PluginList, SurvivesInitialisers) {
  for (const auto& [how, words] : std::vector<Misbehaviour>{
           {"crash", "SIGSEGV"}, {"hang", "300 ms"}, {"throw", "initialiser"}, {"exit", "status 3"}}) {
    const auto all = list("HELIOS_TEST_INIT", how);
    ASSERT_EQ(all.size(), 1u);
    ASSERT_TRUE(all[0].refusal) << how;
    EXPECT_THAT(all[0].refusal->message, HasSubstr(words)) << how;
  }
}

TEST_F(PluginList, SurvivesProbes) {
  for (const auto& [how, words] : std::vector<Misbehaviour>{
           {"abort", "SIGABRT"}, {"hang", "after 1000 ms"}, {"throw", "SIGABRT"}, {"exit", "status 3"}}) {
    const auto all = list("HELIOS_TEST_PROBE", how);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_FALSE(all[0].refusal) << how;
    EXPECT_EQ(all[0].version, "1.2.3");
    ASSERT_TRUE(all[0].probe_error) << how;
    EXPECT_THAT(all[0].probe_error->message, HasSubstr(words)) << how;
  }
}

}  // namespace
}  // namespace helios::plugin
