#include "tests/render/studio.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace helios::test {
namespace {
namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr const char* kSearched = "/usr/local/bin:/usr/bin:/bin";
constexpr const char* kInstall = "tools/install-render DIR, DIR being tests/render in the build tree";

fs::path sources() { return fs::path(HELIOS_SOURCE_DIR) / "tests/render"; }

fs::path node_modules() {
  const char* tree = std::getenv("HELIOS_RENDER_TREE");
  return fs::path(tree != nullptr ? tree : HELIOS_BINARY_DIR "/tests/render") / "node_modules";
}

bool is_installed(const std::string& program) {
  std::istringstream folders(kSearched);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

const char* start_of(Browser browser) {
  return browser == Browser::stock ? "/usr/bin/chromium" : "/opt/helios/browser-multi-process";
}

const char* program_of(Browser browser) {
  return browser == Browser::shell_multi_process ? "/usr/bin/chromium-headless-shell" : "/usr/bin/chromium";
}

}  // namespace

std::vector<std::string> missing_for_renders() {
  std::vector<std::string> missing;
  for (const char* program : {"node", "ffmpeg", "ffprobe", "chromium", "chromium-headless-shell"})
    if (!is_installed(program)) missing.push_back(std::string(program) + " (Debian package, in " + kSearched + ")");
  if (!fs::exists(node_modules() / "@helios-project/renderer"))
    missing.push_back("@helios-project/renderer in " + node_modules().string() + " (" + kInstall + ")");
  if (able_identities().empty()) missing.emplace_back("control groups to write to");
  return missing;
}

void RenderTest::SetUp() {
  if (const std::vector<std::string> missing = missing_for_renders(); !missing.empty()) {
    std::string all;
    for (const std::string& line : missing) all += "\n  " + line;
    const char* must = std::getenv("HELIOS_TESTS_MUST_RUN");
    if (must != nullptr && std::string(must) == "1") FAIL() << "a real render cannot be tested here; missing:" << all;
    GTEST_SKIP() << "a real render cannot be tested here; missing:" << all;
  }
  const std::vector<Identity> able = able_identities();
  scene_.emplace(who_ == Who::first ? able.front() : able.back());
  for (const char* file : {"canvas.html", "dom.html"})
    scene_->write(scene_->workspace() / "comps" / file, contents(sources() / "comps" / file));
  scene_->make_folder(scene_->workspace() / "comps");
  scene_->make_folder(scene_->workspace() / "out");
  const fs::path tree = scene_->outside() / "helios";
  for (const char* file : {"helios", "browser-multi-process", "helios.mjs", "package.json"})
    scene_->write(tree / file, contents(sources() / file), 0755);
  scene_->make_folder(tree / "node_modules");
}

void RenderTest::TearDown() {
  if (!scene_) return;
  // A render takes seconds, in which other suites come and go: groups outside of ours and what is gone are theirs.
  const std::string shared = scene_->groups().parent().empty() ? "-" : "cgroup: /sys/fs/cgroup/";
  std::vector<std::string> left = scene_->left_behind(seconds(5));
  std::erase_if(left, [&](const std::string& line) {
    return line.starts_with("gone ") ||
           (line.starts_with(shared) && line.find(scene_->groups().parent()) == std::string::npos);
  });
  EXPECT_EQ(left, std::vector<std::string>{}) << "left behind";
  scene_.reset();
}

Invocation RenderTest::with_helios(Browser browser, std::vector<std::string> flags, const std::string& policy) const {
  std::vector<std::string> all{"--sandbox",   "isolated",
                               "--policy",    policy,
                               "--workspace", scene_->workspace(),
                               "--ro-bind",   scene_->outside() / "helios:/opt/helios",
                               "--ro-bind",   node_modules().string() + ":/opt/helios/node_modules",
                               "--env",       std::string("PATH=/opt/helios:") + kSearched,
                               "--env",       std::string("PUPPETEER_EXECUTABLE_PATH=") + start_of(browser),
                               "--env",       std::string("HELIOS_BROWSER=") + program_of(browser),
                               "--timeout",   "150s"};
  all.insert(all.end(), flags.begin(), flags.end());
  Invocation what = scene_->helios_run(std::move(all));
  what.deadline = seconds(170);
  return what;
}

std::vector<std::string> RenderTest::chunk_of(const std::string& spec, unsigned id) const {
  const fs::path file = scene_->outside() / spec;
  scene_->write(file, contents(sources() / spec));
  return {"--spec", file.string(), "--chunk", std::to_string(id)};
}

Finished RenderTest::run_chunk(const std::string& spec, unsigned id, Browser browser, std::vector<std::string> flags,
                               const std::string& policy) const {
  for (std::string& word : chunk_of(spec, id)) flags.push_back(std::move(word));
  return run_to_end(with_helios(browser, std::move(flags), policy));
}

Finished RenderTest::learn_chunk(const std::string& spec, unsigned id, Browser browser,
                                 const std::string& draft) const {
  std::vector<std::string> flags = chunk_of(spec, id);
  flags.insert(flags.end(), {"-o", draft});
  Invocation learn = with_helios(browser, std::move(flags));
  learn.argv.insert(learn.argv.begin() + 1, {"policy", "learn"});
  return run_to_end(learn);
}

Finished RenderTest::run_merge(const std::string& spec) const {
  const nlohmann::json job = nlohmann::json::parse(contents(sources() / spec));
  std::vector<std::string> words{"--"};
  std::istringstream command(job.at("mergeCommand").get<std::string>());
  for (std::string word; command >> word;) words.push_back(word);
  return run_to_end(with_helios(Browser::stock, std::move(words)));
}

Video RenderTest::probe(const std::string& file) const {
  const Finished f = run_to_end(
      scene_->unconfined({"/usr/bin/env", "ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0",
                          "-show_entries", "stream=codec_name,width,height,r_frame_rate,nb_read_frames", "-of",
                          "default=nw=1", scene_->workspace() / file}));
  EXPECT_EQ(f.exit_code, 0) << f.describe();
  std::map<std::string, std::string> said;
  std::istringstream lines(f.out);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) said[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return {said["codec_name"], std::atoi(said["width"].c_str()), std::atoi(said["height"].c_str()),
          std::atoi(said["nb_read_frames"].c_str()), said["r_frame_rate"]};
}

}  // namespace helios::test
