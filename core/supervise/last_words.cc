#include "core/supervise/last_words.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "core/cgroup/members.h"
#include "core/sys/file.h"
#include "core/sys/printable.h"

namespace helios::supervise {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kReading{20};
constexpr std::chrono::milliseconds kPatience{100};
constexpr std::size_t kMost = 64;
constexpr std::size_t kCommandBytes = 128;

struct Found {
  LastProcess process;
  pid_t process_group{0};
};

std::string head_of(pid_t pid, const char* name, std::size_t most) {
  const auto fd = sys::open_file("/proc/" + std::to_string(pid) + "/" + name, O_RDONLY);
  if (!fd) return {};  // gone meanwhile, or not ours to read
  std::string text(most, '\0');
  const ssize_t n = ::read(fd->get(), text.data(), text.size());
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

/// Needs no lock of the process's memory. `command` is its short name until the command line has been read.
std::optional<Found> look_at(pid_t pid) {
  const std::string stat = head_of(pid, "stat", 1024);
  const std::size_t open = stat.find('(');
  const std::size_t close = stat.rfind(')');  // a name may hold one
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  char state = 0;
  int parent = 0;
  int group = 0;
  long long pages = 0;
  if (std::sscanf(stat.c_str() + close + 1,
                  " %c %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld", &state,
                  &parent, &group, &pages) != 4) {
    return std::nullopt;
  }
  static const long page_size = ::sysconf(_SC_PAGESIZE);
  Found f;
  f.process.pid = pid;
  f.process.parent = parent;
  f.process.command = "[" + stat.substr(open + 1, close - open - 1) + "]";
  f.process.memory_bytes = static_cast<std::uint64_t>(std::max(pages, 0LL)) * static_cast<std::uint64_t>(page_size);
  f.process.state = std::string(1, state);
  f.process_group = group;
  return f;
}

/// The newest first: what a run started is among them.
std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc"), &::closedir);
  if (dir == nullptr) return pids;
  while (const dirent* entry = ::readdir(dir.get())) {
    pid_t pid = 0;
    const char* const end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, pid).ptr == end) pids.push_back(pid);
  }
  std::sort(pids.rbegin(), pids.rend());
  return pids;
}

void keep_tree_of(pid_t root, std::vector<Found>& all) {
  std::set<std::int64_t> tree{root};
  for (std::size_t before = 0; before != tree.size();) {
    before = tree.size();
    for (const Found& f : all) {
      if (f.process_group == root || tree.count(f.process.parent) != 0) tree.insert(f.process.pid);
    }
  }
  all.erase(std::remove_if(all.begin(), all.end(), [&](const Found& f) { return tree.count(f.process.pid) == 0; }),
            all.end());
}

std::vector<LastProcess> largest_of(const RunTree& tree, Clock::time_point until) {
  std::vector<Found> found;
  for (const pid_t pid : tree.groups.empty() ? all_pids() : cgroup::pids_in(tree.groups)) {
    if (Clock::now() >= until) break;
    if (auto one = look_at(pid)) found.push_back(std::move(*one));
  }
  if (tree.groups.empty()) keep_tree_of(tree.root, found);
  std::vector<LastProcess> out;
  for (Found& f : found) {
    if (!tree.root_is_ours || f.process.pid != tree.root) out.push_back(std::move(f.process));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const LastProcess& a, const LastProcess& b) { return a.memory_bytes > b.memory_bytes; });
  if (out.size() > kMost) out.resize(kMost);
  for (LastProcess& p : out) {
    p.wait_channel = head_of(static_cast<pid_t>(p.pid), "wchan", 64);
    if (p.wait_channel == "0") p.wait_channel.clear();
  }
  return out;
}

/// The words with a space between them; nothing that could steer a terminal.
std::string command_line(pid_t pid) {
  std::string text = head_of(pid, "cmdline", kCommandBytes);
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  return sys::printable(std::move(text));
}

struct Reading {
  std::mutex lock;
  std::condition_variable ended;
  bool done{false};
  std::vector<LastProcess> processes;
};

void read_all(const RunTree& tree, Reading& to) {
  const auto until = Clock::now() + kReading;
  auto processes = largest_of(tree, until);
  {
    const std::lock_guard held(to.lock);
    to.processes = processes;
  }
  for (std::size_t i = 0; i < processes.size() && Clock::now() < until; ++i) {
    std::string command = command_line(static_cast<pid_t>(processes[i].pid));
    if (command.empty()) continue;  // a zombie, or gone
    const std::lock_guard held(to.lock);
    to.processes[i].command = std::move(command);
  }
}

void start(RunTree tree, const std::shared_ptr<Reading>& reading) {
  std::thread([tree = std::move(tree), reading] {
    try {
      read_all(tree, *reading);
    } catch (const std::exception&) {  // out of memory: what there is has to do
    }
    const std::lock_guard held(reading->lock);
    reading->done = true;
    reading->ended.notify_one();
  }).detach();
}

}  // namespace

std::vector<LastProcess> last_words(RunTree tree) noexcept {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the other threads' business
  std::vector<LastProcess> words;
  try {
    const auto reading = std::make_shared<Reading>();
    start(std::move(tree), reading);
    std::unique_lock held(reading->lock);
    reading->ended.wait_for(held, kPatience, [&] { return reading->done; });
    words = reading->processes;
  } catch (const std::exception&) {  // no thread, no memory: the end of the run does not wait for this
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return words;
}

}  // namespace helios::supervise
