/// Where the render tests take place: a scene with our compositions in its workspace, and a Helios tree beside it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/scene.h"

namespace helios::test {

/// Which browser renders, and how it is started.
enum class Browser {
  stock,                ///< Debian's chromium with Helios' own flags: canvas mode works, dom mode hangs at frame 0
  stock_multi_process,  ///< the same through tests/render/browser-multi-process
  shell_multi_process,  ///< chromium-headless-shell through it
};

/// What ffprobe says of a video; frames are counted by decoding them.
struct Video {
  std::string codec;
  int width{0}, height{0}, frames{0};
  std::string rate;  ///< "25/1"
  bool operator==(const Video&) const = default;
};

/// What the render tests lack here, one line each; empty: nothing.
[[nodiscard]] std::vector<std::string> missing_for_renders();

/// Skips the test if something is missing, naming it; with HELIOS_TESTS_MUST_RUN=1 that is a failure.
class RenderTest : public testing::Test {
 protected:
  /// As whom of those who can run something here: on cgroup v1 root comes first and a user with groups of its own last.
  enum class Who { first, last };
  explicit RenderTest(Who who = Who::first) : who_(who) {}
  void SetUp() override;
  /// Nothing may be left behind after any test.
  void TearDown() override;

  [[nodiscard]] Scene& scene() { return *scene_; }

  /// `helios-run --sandbox=isolated --policy POLICY …` with the Helios tree at /opt/helios; a command or --spec
  /// follows.
  [[nodiscard]] Invocation with_helios(Browser browser, std::vector<std::string> flags,
                                       const std::string& policy = "render") const;
  /// The chunk of a spec of tests/render; the spec lies outside of the workspace, where the chunk cannot write.
  [[nodiscard]] Finished run_chunk(const std::string& spec, unsigned id, Browser browser,
                                   std::vector<std::string> flags = {}, const std::string& policy = "render") const;
  /// `helios-run policy learn` of the same, into the file `draft`.
  [[nodiscard]] Finished learn_chunk(const std::string& spec, unsigned id, Browser browser,
                                     const std::string& draft) const;
  [[nodiscard]] Finished run_merge(const std::string& spec) const;
  /// The video of the workspace, looked at from outside.
  [[nodiscard]] Video probe(const std::string& file) const;

 private:
  /// "--spec FILE --chunk ID", the file written.
  [[nodiscard]] std::vector<std::string> chunk_of(const std::string& spec, unsigned id) const;

  Who who_;
  std::optional<Scene> scene_;
};

}  // namespace helios::test
