/// Where one test takes place: a fresh folder with a workspace that belongs to the identity, groups handed over, and
/// the host as it was before.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/cgroup_handover.h"
#include "tests/support/host_snapshot.h"
#include "tests/support/identity.h"
#include "tests/support/invocation.h"

namespace helios::test {

class Scene {
 public:
  explicit Scene(const Identity& who);
  ~Scene();
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  [[nodiscard]] const Identity& who() const { return who_; }
  /// The folder around the workspace; not writable for the chunk.
  [[nodiscard]] const std::filesystem::path& outside() const { return outside_; }
  [[nodiscard]] const std::filesystem::path& workspace() const { return workspace_; }
  [[nodiscard]] std::filesystem::path in_workspace(const std::string& name) const { return workspace_ / name; }
  [[nodiscard]] bool appears(const std::string& name) const;  ///< waits for a file in the workspace
  [[nodiscard]] CgroupHandover& groups() { return groups_; }

  /// Writes a file that belongs to the identity.
  void write(const std::filesystem::path& file, const std::string& text, unsigned mode = 0644) const;
  /// Makes a folder that belongs to the identity.
  void make_folder(const std::filesystem::path& folder) const;
  /// Copies a probe into the workspace; it is then "./NAME" for the chunk.
  void bring_probe(const std::string& name) const;

  /// `helios-run FLAGS…` as this identity, in a small environment. HELIOS_CGROUP_PARENT is in it where groups
  /// were handed over.
  [[nodiscard]] Invocation helios_run(std::vector<std::string> flags) const;
  /// `helios-run --sandbox RUNNER --workspace W FLAGS… -- COMMAND…`
  [[nodiscard]] Invocation command(const std::string& runner, std::vector<std::string> flags,
                                   const std::vector<std::string>& command) const;
  /// Any program as this identity, in the workspace, with nothing around it.
  [[nodiscard]] Invocation unconfined(std::vector<std::string> argv) const;

  /// Everything that differs from when the scene was set: processes, groups, mounts, IPC, files. Waits a moment for
  /// what is still on its way out. Empty is as it should be.
  [[nodiscard]] std::vector<std::string> left_behind(
      std::chrono::milliseconds patience = std::chrono::milliseconds(1000)) const;

 private:
  Identity who_;
  std::filesystem::path outside_, workspace_;
  CgroupHandover groups_;
  HostSnapshot before_;
};

}  // namespace helios::test
