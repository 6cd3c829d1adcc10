#include "tests/support/cgroup_handover.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace helios::test {
namespace {
namespace fs = std::filesystem;

// cpuset groups need cpus and mems before anything may enter; devices and the named hierarchies limit nothing.
bool is_handed_over(const std::string& options) {
  std::istringstream list(options);
  for (std::string option; std::getline(list, option, ',');)
    for (const char* controller : {"cpu", "cpuacct", "memory", "pids", "freezer", "blkio"})
      if (option == controller) return true;
  return false;
}

std::vector<std::string> v1_hierarchies() {
  std::vector<std::string> found;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string device, folder, type, options;
    fields >> device >> folder >> type >> options;
    if (type == "cgroup" && is_handed_over(options)) found.push_back(folder);
  }
  return found;
}

void hand_over(const std::string& folder, const Identity& who) {
  EXPECT_EQ(mkdir(folder.c_str(), 0755), 0) << folder << ": " << strerror(errno);
  if (who.is_root()) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    EXPECT_EQ(chown(entry.path().c_str(), who.uid, who.gid), 0) << entry.path();
  EXPECT_EQ(chown(folder.c_str(), who.uid, who.gid), 0) << folder;
}

void folders_below(const std::string& folder, std::vector<std::string>* found) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.is_directory(error)) {
      folders_below(entry.path(), found);
      found->push_back(entry.path());
    }
}

}  // namespace

CgroupHandover::CgroupHandover(const Identity& who) {
  if (geteuid() != 0 || who.groups == Groups::none || !host_has_cgroup_v1()) return;
  static std::atomic<unsigned> count{0};
  parent_ = "/helios-test-" + std::to_string(getpid()) + "-" + std::to_string(count++);
  for (const std::string& hierarchy : v1_hierarchies()) {
    folders_.push_back(hierarchy + parent_);
    hand_over(folders_.back(), who);
  }
}

CgroupHandover::~CgroupHandover() {
  for (const std::string& left : leftovers()) rmdir(left.c_str());
  for (const std::string& folder : folders_) rmdir(folder.c_str());
}

std::vector<std::string> CgroupHandover::leftovers() const {
  std::vector<std::string> found;
  for (const std::string& folder : folders_) folders_below(folder, &found);
  return found;
}

}  // namespace helios::test
