/// What a run uses, seen from the calls that the learning filter asks about. Only observes: the call goes on whatever
/// is found here, and by the time it does, memory that a path was read from may hold another one. So nothing is decided
/// by it, now or later, but what a *draft* policy proposes.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/execution.h"

namespace helios::isolated {

class Learner {
 public:
  /// One call that is about to be let through. `listener` tells whether its caller still waits for us.
  void record(const seccomp_notif& notification, int listener);
  /// The last look at /tmp and /dev/shm, while they are there.
  void finish();
  [[nodiscard]] std::vector<Use> take();

 private:
  /// Which arguments of a call are paths.
  struct PathArgument {
    int folder{-1};  ///< index of the descriptor it is relative to; -1: the working directory
    int path{-1};    ///< -1: none
    int flags{-1};   ///< index of open's flags
    const char* kind{"looked-at"};
  };
  struct Call {
    Use use;
    std::vector<PathArgument> paths;
    enum class Special { none, socket, personality } special{Special::none};
  };

  Call& call_of(const seccomp_data& data);
  void record_path(const PathArgument& argument, const seccomp_notif& notification, int listener);
  void walk(const std::string& path, const std::string& kind);
  void record_program(std::uint32_t pid);
  [[nodiscard]] bool open_root(std::uint32_t pid);
  void add(const std::string& kind, const std::string& name, const std::string& detail = {});
  void measure();

  std::unordered_map<std::uint64_t, Call> calls_;
  Call others_;                                              ///< of more kinds than a kernel has
  std::map<std::pair<std::string, std::string>, Use> uses_;  ///< by kind and name
  std::uint64_t dropped_{0};
  sys::UniqueFd root_, tmp_, shm_;
  std::uint64_t tmp_peak_{0}, shm_peak_{0};
  std::int64_t measured_ns_{0};
  std::string unseen_;
};

}  // namespace helios::isolated
