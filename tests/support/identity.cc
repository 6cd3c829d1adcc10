#include "tests/support/identity.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace helios::test {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

Identity root() { return {"root", 0, 0, Groups::of_its_own}; }
Identity caller(std::string name, Groups groups) { return {std::move(name), geteuid(), getegid(), groups}; }
Identity delegated() {
  if (geteuid() != 0) return caller("delegated", Groups::of_its_own);
  return {"delegated", kUser, kUser, Groups::handed_over};
}
Identity user() {
  const bool groups = from_environment("HELIOS_CONTRACT_EXPECT_GROUPS") == "1";
  if (geteuid() != 0) return caller("user", groups ? Groups::of_its_own : Groups::none);
  return {"user", kUser, kUser, Groups::none};
}

}  // namespace

std::vector<Identity> identities_that_own_the_host() {
  const char* value = std::getenv("HELIOS_TEST_OWNS_HOST");
  std::vector<Identity> all;
  if (value == nullptr || std::string_view(value) != "1") return all;
  for (Identity& who : able_identities())
    if (who.is_root()) all.push_back(std::move(who));
  return all;
}

bool host_has_cgroup_v1() {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);)
    if (line.find(" cgroup ") != std::string::npos && line.find("memory") != std::string::npos) return true;
  return false;
}

std::vector<Identity> identities() {
  const std::string wanted = from_environment("HELIOS_CONTRACT_IDENTITY");
  if (wanted == "root") return {root()};
  if (wanted == "delegated") return {delegated()};
  if (wanted == "user") return {user()};
  if (geteuid() != 0) return {user()};
  if (!host_has_cgroup_v1()) return {root()};
  return {root(), delegated(), user()};
}

std::vector<Identity> able_identities() {
  std::vector<Identity> able;
  for (Identity& who : identities())
    if (who.groups != Groups::none) able.push_back(std::move(who));
  return able;
}

}  // namespace helios::test
