/// The table of attacks: what is tried, and how it is shown that the probe works.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/escape/bait.h"

namespace helios::test {

using Arguments = std::function<std::vector<std::string>(const Bait&)>;

/// How the control is run, by root.
enum class Control {
  shell,          ///< the same probe with the same arguments under `shell`
  shell_differs,  ///< another class or other arguments under `shell`; `why` tells
  bare_leaky,     ///< started directly with a descriptor that leaks
  bare_user,      ///< started directly as an unprivileged user
};

struct Attack {
  std::string name;  ///< class of escape_probe
  std::string why;   ///< what it stands for
  Arguments arguments{};
  bool terminal{false};  ///< helios-run has a controlling terminal
  Control control{Control::shell};
  std::vector<std::string> control_command{};  ///< for shell_differs: class and arguments
  Arguments control_arguments{};               ///< for shell: if others than inside
};

[[nodiscard]] const std::vector<Attack>& attacks();

}  // namespace helios::test
