#include "tests/support/scene.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace helios::test {
namespace {
namespace fs = std::filesystem;

fs::path fresh_folder() {
  const char* folder = std::getenv("TMPDIR");
  std::string name = std::string(folder != nullptr ? folder : "/tmp") + "/helios-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "mkdtemp: " << strerror(errno);
  chmod(name.c_str(), 0755);
  return name;
}

void give_to(const fs::path& file, const Identity& who) {
  if (geteuid() == 0 && !who.is_root()) {
    EXPECT_EQ(lchown(file.c_str(), who.uid, who.gid), 0) << file;
  }
}

// The identity has to reach helios-run: a build tree below a closed home folder is copied next to the workspace.
bool can_reach(const Identity& who, const fs::path& program) {
  if (who.is_root() || geteuid() != 0) return true;
  for (fs::path p = program.parent_path(); p != "/" && !p.empty(); p = p.parent_path()) {
    struct stat s {};
    if (stat(p.c_str(), &s) != 0 || (s.st_mode & S_IXOTH) == 0) return false;
  }
  return true;
}

std::string reachable_helios_run(const Identity& who, const fs::path& outside) {
  const fs::path program = helios_run_path();
  if (can_reach(who, program)) return program;
  const fs::path from = program.parent_path().parent_path(), to = outside / "tree";
  fs::create_directory(to);
  for (const char* part : {"bin", "plugins", "policies", "libexec"})
    if (fs::exists(from / part)) fs::copy(from / part, to / part, fs::copy_options::recursive);
  return to / "bin" / program.filename();
}

}  // namespace

Scene::Scene(const Identity& who) : who_(who), groups_(who) {
  become_subreaper();
  umask(022);
  before_ = take_host_snapshot();
  outside_ = fresh_folder();
  workspace_ = outside_ / "ws";
  make_folder(workspace_);
  make_folder(outside_ / "home");
}

Scene::~Scene() {
  std::error_code error;
  fs::remove_all(outside_, error);
  EXPECT_FALSE(error) << outside_ << ": " << error.message();
}

bool Scene::appears(const std::string& name) const {
  return wait_until([&] { return fs::exists(fs::symlink_status(workspace_ / name)); });
}

void Scene::write(const fs::path& file, const std::string& text, unsigned mode) const {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  chmod(file.c_str(), mode);
  give_to(file, who_);
}

void Scene::make_folder(const fs::path& folder) const {
  fs::create_directories(folder);
  give_to(folder, who_);
}

void Scene::bring_probe(const std::string& name) const {
  fs::copy_file(probe_path(name), workspace_ / name, fs::copy_options::overwrite_existing);
  give_to(workspace_ / name, who_);
}

Invocation Scene::helios_run(std::vector<std::string> flags) const {
  Invocation what = unconfined({reachable_helios_run(who_, outside_)});
  if (!groups_.parent().empty()) what.env.emplace_back("HELIOS_CGROUP_PARENT", groups_.parent());
  what.argv.insert(what.argv.end(), flags.begin(), flags.end());
  what.cwd = "/";
  return what;
}

Invocation Scene::command(const std::string& runner, std::vector<std::string> flags,
                          const std::vector<std::string>& command) const {
  std::vector<std::string> all{"--sandbox", runner, "--workspace", workspace_};
  all.insert(all.end(), flags.begin(), flags.end());
  all.emplace_back("--");
  all.insert(all.end(), command.begin(), command.end());
  return helios_run(std::move(all));
}

Invocation Scene::unconfined(std::vector<std::string> argv) const {
  Invocation what;
  what.argv = std::move(argv);
  what.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", outside_ / "home"}, {"LANG", "C.UTF-8"}};
  what.cwd = workspace_;
  what.uid = who_.uid;
  what.gid = who_.gid;
  return what;
}

std::vector<std::string> Scene::left_behind(std::chrono::milliseconds patience) const {
  std::vector<std::string> left;
  patience = patiently(patience);
  for (const ProcessSeen& process : wait_until_childless(patience))
    left.push_back("process: " + std::to_string(process.pid) + " " + process.name);
  for (const std::string& difference : wait_until_restored(before_, patience)) left.push_back(difference);
  for (const std::string& group : groups_.leftovers()) left.push_back("cgroup: " + group);
  return left;
}

}  // namespace helios::test
