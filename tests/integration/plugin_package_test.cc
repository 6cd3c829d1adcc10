// The installed package is enough to write a runner: examples/runner is built against it with each compiler, vetted,
// loaded into this program (which came from one of them) and used. And every shipped plugin exports one symbol, the
// program shares one library.
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "core/plugin/runner_catalog.h"
#include "core/sys/file.h"

namespace helios::plugin {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct Ran {
  int status;
  std::string output;
};

Ran shell(const std::string& command) {
  Ran ran{-1, {}};
  FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> part{};
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) ran.output.append(part.data(), n);
  ran.status = ::pclose(pipe);
  return ran;
}

class Folder {
 public:
  Folder() {
    std::string name = "/tmp/helios-package-test-XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Keeps what it is given.
class KeepingHost final : public Host {
 public:
  explicit KeepingHost(int cancel_fd = -1) : cancel_fd_(cancel_fd) {}
  std::string out, err;
  void output(Stream stream, std::string_view bytes) noexcept override { (stream == Stream::out ? out : err) += bytes; }
  void log(LogLevel, std::string_view) noexcept override {}
  [[nodiscard]] int cancel_fd() const noexcept override { return cancel_fd_; }
  [[nodiscard]] Result<Plan> plan_with(std::string_view, const ExecutionRequest&) noexcept override { return Plan{}; }

 private:
  int cancel_fd_;
};

ExecutionRequest request(std::vector<std::string> argv) {
  ExecutionRequest r;
  r.argv = std::move(argv);
  r.caller_env = {{"PATH", "/usr/bin:/bin"}, {"WHO", "caller"}};
  r.extra_env = {{"WHO", "extra"}};
  r.workdir = "/usr";
  return r;
}

Result<Execution> run(Runner& runner, const ExecutionRequest& r, Host& host) {
  auto plan = runner.plan(r, host);
  if (!plan) return fail(plan.error());
  return runner.run(*plan, host);
}

void use(Runner& runner) {
  KeepingHost host;
  auto done = run(runner, request({"sh", "-c", "echo $WHO $PWD; echo oops >&2; exit 3"}), host);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(host.out, "extra /usr\n");
  EXPECT_EQ(host.err, "oops\n");
  EXPECT_EQ(done->termination.reason, Reason::exited);
  EXPECT_EQ(done->termination.exit_code, 3);
  EXPECT_GT(done->usage.get(Figure::duration_ms).value_or(0), 0);

  done = run(runner, request({"no-such-command-here"}), host);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->termination.reason, Reason::not_started);
  EXPECT_EQ(done->termination.exit_code, 127);

  auto limited = request({"sleep", "60"});
  limited.limits[Limit::wall_time] = 100;
  done = run(runner, limited, host);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->termination.reason, Reason::wall_time_limit);
  EXPECT_EQ(done->termination.exit_code, 137);

  limited.limits[Limit::memory] = 1 << 30;
  EXPECT_FALSE(run(runner, limited, host)) << "a limit it cannot hold is an error";
  limited.allow_degraded = {"memory"};
  EXPECT_TRUE(run(runner, limited, host));

  auto pipe = sys::make_pipe();
  ASSERT_TRUE(pipe);
  ASSERT_TRUE(sys::write_all(pipe->write.get(), "\x0f"));
  KeepingHost cancelled(pipe->read.get());
  done = run(runner, request({"sleep", "60"}), cancelled);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->termination.reason, Reason::cancelled);
  EXPECT_EQ(done->termination.exit_code, 143);
}

class PluginPackage : public ::testing::TestWithParam<const char*> {};

TEST_P(PluginPackage, BuildsLoadsAndRunsTheExample) {
  const std::string compiler = GetParam();
  if (shell("command -v " + compiler).status != 0) {
    ASSERT_EQ(std::getenv("HELIOS_TESTS_MUST_RUN"), nullptr) << compiler << " is not installed";
    GTEST_SKIP() << compiler << " is not installed";
  }
  const Folder folder;
  const auto installed = shell("cmake --install " HELIOS_BINARY_DIR " --component sdk --prefix " + (folder / "prefix"));
  ASSERT_EQ(installed.status, 0) << installed.output;
  const auto configured = shell("cmake -G Ninja -DCMAKE_CXX_COMPILER=" + compiler +
                                " -DCMAKE_CXX_FLAGS='-Wall -Werror'" + " -DCMAKE_PREFIX_PATH=" + (folder / "prefix") +
                                " -S " HELIOS_SOURCE_DIR "/examples/runner -B " + (folder / "build"));
  ASSERT_EQ(configured.status, 0) << configured.output;
  const auto built = shell("cmake --build " + (folder / "build"));
  ASSERT_EQ(built.status, 0) << built.output;

  RunnerCatalog catalog({folder / "build"});
  const auto opened = catalog.open("nice");
  ASSERT_TRUE(opened) << opened.error().message;
  const std::string tag = (*opened)->build_tag;
  EXPECT_THAT(tag, HasSubstr(compiler == "clang++" ? "clang" : "g++"));
  use((*opened)->runner());

  // Nothing of the C++ runtime is needed from outside, and strip takes nothing that counts.
  const std::string file = folder / "build/helios-runner-nice.so";
  EXPECT_EQ(shell("readelf -d " + file).output.find("libstdc++"), std::string::npos);
  fs::create_directory(folder / "stripped");  // elsewhere: this one is mapped by now
  ASSERT_EQ(shell("strip -o " + (folder / "stripped/helios-runner-nice.so") + " " + file).status, 0);
  const auto reports = RunnerCatalog({folder / "stripped"}).list();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_FALSE(reports[0].refusal) << reports[0].refusal->message;
  EXPECT_EQ(reports[0].findings.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Compilers, PluginPackage, ::testing::Values("g++", "clang++"),
                         [](const auto& one) { return std::string(one.param) == "g++" ? "gcc" : "clang"; });

TEST(PluginFiles, EachShippedOneExportsOneSymbol) {
  std::size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(HELIOS_BINARY_DIR "/plugins")) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("helios-") || !name.ends_with(".so")) continue;
    ++seen;
    const auto symbols = shell("nm -D --defined-only --format=just-symbols " + entry.path().string());
    ASSERT_EQ(symbols.status, 0) << symbols.output;
    EXPECT_EQ(std::count(symbols.output.begin(), symbols.output.end(), '\n'), 1) << name << ":\n" << symbols.output;
    if (name.starts_with("helios-runner-")) {
      EXPECT_EQ(symbols.output, HELIOS_RUNNER_SYMBOL "\n") << name;
    }
  }
  EXPECT_GE(seen, 1u);
}

/// Each further shared library would cost every start 0.1 ms and more.
TEST(Program, SharesNothingButTheCLibrary) {
  const auto dynamic = shell("readelf -dW " HELIOS_BINARY_DIR "/bin/helios-run");
  ASSERT_EQ(dynamic.status, 0) << dynamic.output;
  std::istringstream lines(dynamic.output);
  std::vector<std::string> needed;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("(NEEDED)") != std::string::npos) needed.push_back(line.substr(line.find('[')));
  }
  EXPECT_THAT(needed, ::testing::UnorderedElementsAre("[libc.so.6]", "[ld-linux-x86-64.so.2]"));
}

}  // namespace
}  // namespace helios::plugin
