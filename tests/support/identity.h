/// As whom helios-run is started, and in which groups.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace helios::test {

enum class Groups {
  of_its_own,   ///< helios-run finds its place itself (root; a delegated subtree)
  handed_over,  ///< root made a group in each hierarchy and gave it to the user
  none,         ///< it has none: the run is refused, with the remedy
};

struct Identity {
  std::string name;
  uid_t uid{0};
  gid_t gid{0};
  Groups groups{Groups::of_its_own};
  [[nodiscard]] bool is_root() const { return uid == 0; }
};

/// The unprivileged user the suites become when they are started by root.
inline constexpr uid_t kUser = 12345;

/// The identities a suite runs under. HELIOS_CONTRACT_IDENTITY = root | delegated | user picks one; with
/// HELIOS_CONTRACT_EXPECT_GROUPS=1 "user" is expected to have groups. Default: for root on cgroup v1 all three,
/// else just the caller as it is.
[[nodiscard]] std::vector<Identity> identities();

/// The same without those that cannot run anything.
[[nodiscard]] std::vector<Identity> able_identities();

/// Root, on a machine of the tests' own, whose settings they may change: HELIOS_TEST_OWNS_HOST=1, in tests/vm. Else
/// nobody.
[[nodiscard]] std::vector<Identity> identities_that_own_the_host();

/// Does this host have a controller on a cgroup v1 hierarchy?
[[nodiscard]] bool host_has_cgroup_v1();

}  // namespace helios::test
