/// `--workspace-ids=chown`, kept in mind: what was handed over and by whom, as a file beside the uid's lock, so that
/// the next run, or gc, can give back what a killed one could not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/sys/unique_fd.h"
#include "helios/error.h"
#include "plugins/isolated/workspace_ids.h"

namespace helios::isolated {

/// Written before anything changes hands. `uid` is the run's. Errors: io.
[[nodiscard]] Status record_hand_over(const std::string& state_dir, std::uint32_t uid, Owner owner,
                                      const std::string& workspace);
/// When everything has been given back.
void forget_hand_over(const std::string& state_dir, std::uint32_t uid);

/// One that a dead run left.
struct LeftOver {
  std::string workspace;
  std::uint32_t uid{0};
  bool given_back{false};
  std::string why;  ///< "owner is gone", and what kept it from being given back
};
enum class Undo : std::uint8_t { list, give_back };
/// `locks`: an open file of uid locks; the uid that it holds counts as a dead run's. Errors: io.
[[nodiscard]] Result<std::vector<LeftOver>> left_over(const std::string& state_dir, const sys::UniqueFd& locks,
                                                      Undo undo);

}  // namespace helios::isolated
