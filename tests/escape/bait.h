/// Things of the host that an attack wants: made by the test, so that a success does no harm and is seen.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/support/scene.h"

namespace helios::test {

class Bait {
 public:
  explicit Bait(const Scene& scene);
  ~Bait();
  Bait(const Bait&) = delete;
  Bait& operator=(const Bait&) = delete;

  std::string word;           ///< what the secret file and the runner's environment hold
  std::string secret_file;    ///< outside the workspace, readable by the identity
  std::string open_folder;    ///< outside the workspace, writable by anybody
  std::string root_program;   ///< set-user-id copy of the escape probe, in the workspace (as root only)
  std::string abstract_name;  ///< listening
  std::string socket_path;    ///< listening
  std::string port;           ///< listening on 127.0.0.1
  std::string sysv_key;       ///< a segment anybody may use
  std::string shm_name;       ///< /name, anybody may use it
  std::string queue_name;     ///< /name; empty where the host has none
  std::string victim_pid;     ///< a process of the identity
  std::string victim_name;

  /// What of it was touched, by sight of the host: "" is as it should be.
  [[nodiscard]] std::string damage() const;

 private:
  std::string workspace_;
  int abstract_{-1}, path_{-1}, tcp_{-1}, segment_{-1};
  pid_t victim_{-1};
};

}  // namespace helios::test
