/// `--workspace-ids=chown`, kept in mind: what was handed over and by whom, as a file beside the uid's lock, so that
/// the next run, or gc, can give back what a killed one could not.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "helios/error.h"
#include "plugins/isolated/workspace_ids.h"

namespace helios::isolated {

/// Written before anything changes hands. `uid` is the run's. Errors: io.
[[nodiscard]] Status record_hand_over(const std::string& state_dir, std::uint32_t uid, Owner owner,
                                      const std::string& workspace);
/// Whose the workspace was before it was handed to `uid`; empty: no such record. What a killed run was handed is given
/// back before the next one starts, which therefore plans with this owner.
[[nodiscard]] std::optional<Owner> recorded_owner(const std::string& state_dir, std::uint32_t uid,
                                                  const struct stat& workspace);
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
/// Errors: io.
[[nodiscard]] Result<std::vector<LeftOver>> left_over(const std::string& state_dir, Undo undo);

}  // namespace helios::isolated
