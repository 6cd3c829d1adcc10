#include "tests/support/host_snapshot.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <thread>

#include "tests/support/identity.h"

namespace helios::test {
namespace {
namespace fs = std::filesystem;
using Set = std::set<std::string>;

constexpr uid_t kFirstRunUid = 1'900'000'000;

std::string contents(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Set mounts() {
  Set found;
  std::ifstream in("/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) found.insert(line);
  return found;
}

std::vector<std::string> cgroup_roots() {
  std::vector<std::string> roots;
  std::ifstream in("/proc/self/mounts");
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string device, folder, type;
    fields >> device >> folder >> type;
    if (type == "cgroup" || type == "cgroup2") roots.push_back(folder);
  }
  return roots;
}

// Tests run side by side, beside other work of the host's: what a neighbour made or removed meanwhile is not ours.
std::set<pid_t>& our_runs() {
  static std::set<pid_t> pids;
  return pids;
}

// A run's group carries its helios-run's pid: "helios-PID-…".
bool is_a_neighbours_run(const std::string& group) {
  static constexpr std::string_view kPrefix = "helios-";
  const pid_t pid = group.rfind(kPrefix, 0) == 0 ? std::atoi(group.c_str() + kPrefix.size()) : 0;
  return pid > 0 && !our_runs().contains(pid);
}

// Those of other tests at work ("helios-test-…") are theirs to check; "helios", which holds the runs, stays.
void helios_groups(const fs::path& folder, int depth, Set* found) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (!entry.is_directory(error)) continue;
    const std::string name = entry.path().filename();
    if (name.rfind("helios-test-", 0) == 0 || is_a_neighbours_run(name)) continue;
    if (name.rfind("helios-", 0) == 0) found->insert(entry.path());
    if (depth > 0) helios_groups(entry.path(), depth - 1, found);
  }
}

Set groups() {
  Set found;
  for (const std::string& root : cgroup_roots()) helios_groups(root, 3, &found);
  return found;
}

Set sysv() {
  Set found;
  for (const char* kind : {"shm", "sem", "msg"}) {
    std::ifstream in(std::string("/proc/sysvipc/") + kind);
    for (std::string line; std::getline(in, line);) {
      std::istringstream fields(line);
      std::string key, id;
      fields >> key >> id;
      if (std::atol(key.c_str()) >> kBaitKeyShift == kBaitKeyMark) continue;  // bait of an escape test
      found.insert(std::string(kind) + " " + key + " " + id);
    }
  }
  return found;
}

Set names_in(const fs::path& folder) {
  Set found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.rfind("bait-", 0) != 0 && name.rfind("nbb", 0) != 0) found.insert(name);
  }
  return found;
}

// Folders of other tests at work are called helios-…test-….
bool could_be_ours(const fs::path& file) {
  struct stat s {};
  if (lstat(file.c_str(), &s) != 0) return false;
  if (s.st_uid >= kFirstRunUid && s.st_uid < kFirstRunUid + 65536) return true;
  const std::string name = file.filename();
  return name.find("helios") != std::string::npos && name.find("test-") == std::string::npos;
}

Set ours_in(const fs::path& folder) {
  Set found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (could_be_ours(entry.path())) found.insert(entry.path());
  return found;
}

// Runs own folders and tokens there. `uids`, in which ranges are locked, is made once and stays; it holds nothing.
Set run_folder() {
  Set found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator("/run/helios", error))
    if (!entry.is_directory(error) && entry.path().filename() != "uids") found.insert(entry.path());
  return found;
}

Set network_interfaces() {
  Set found;
  for (const std::string& name : names_in("/sys/class/net"))
    found.insert(name + " " + contents("/sys/class/net/" + name + "/flags"));
  return found;
}

// Of "PID (name) S PPID …": the name may hold anything, so the fields are counted from the last bracket.
struct Stat {
  std::string name;
  char state{'?'};
  pid_t parent{0};
};
bool read_stat(pid_t pid, Stat* stat) {
  const std::string text = contents("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return false;
  stat->name = text.substr(open + 1, close - open - 1);
  std::istringstream rest(text.substr(close + 1));
  rest >> stat->state >> stat->parent;
  return true;
}

std::map<pid_t, Stat> all_processes() {
  std::map<pid_t, Stat> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (Stat stat; pid > 0 && read_stat(pid, &stat)) found[pid] = stat;
  }
  return found;
}

bool is_below(const std::map<pid_t, Stat>& all, pid_t pid, pid_t ancestor) {
  for (int depth = 0; depth < 64 && pid > 1; ++depth) {
    const auto it = all.find(pid);
    if (it == all.end()) return false;
    pid = it->second.parent;
    if (pid == ancestor) return true;
  }
  return false;
}

}  // namespace

HostSnapshot take_host_snapshot() {
  return {{{"mount", mounts()},
           {"cgroup", groups()},
           {"sysv", sysv()},
           {"shm", names_in("/dev/shm")},
           {"mqueue", names_in("/dev/mqueue")},
           {"tmp", ours_in("/tmp")},
           {"run", run_folder()},
           {"net", network_interfaces()}}};
}

std::vector<std::string> differences(const HostSnapshot& before, const HostSnapshot& after) {
  std::vector<std::string> found;
  for (const auto& [kind, then] : before.things) {
    const Set& now = after.things.at(kind);
    for (const std::string& thing : now)
      if (!then.contains(thing)) found.push_back(kind + ": " + thing);
    // Groups and folders that go were a neighbour's, or a killed run's that the next one cleared.
    if (kind == "cgroup" || kind == "tmp" || kind == "run") continue;
    for (const std::string& thing : then)
      if (!now.contains(thing)) found.push_back("gone " + kind + ": " + thing);
  }
  return found;
}

void note_run(pid_t pid) { our_runs().insert(pid); }

void become_subreaper() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

std::vector<ProcessSeen> descendants(pid_t ancestor) {
  std::vector<ProcessSeen> found;
  const std::map<pid_t, Stat> all = all_processes();
  for (const auto& [pid, stat] : all) {
    if (stat.state == 'Z' || !is_below(all, pid, ancestor)) continue;
    struct stat s {};
    ::stat(("/proc/" + std::to_string(pid)).c_str(), &s);
    found.push_back({pid, stat.name, s.st_uid});
  }
  return found;
}

std::vector<ProcessSeen> wait_until_childless(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    std::vector<ProcessSeen> left = descendants(getpid());
    if (left.empty() || std::chrono::steady_clock::now() >= end) return left;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

std::vector<std::string> wait_until_restored(const HostSnapshot& before, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    std::vector<std::string> left = differences(before, take_host_snapshot());
    if (left.empty() || std::chrono::steady_clock::now() >= end) return left;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace helios::test
