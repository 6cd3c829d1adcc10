/// Everything the command line and the HELIOS_* variables can say.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/executor/build_request.h"
#include "core/log.h"

namespace helios::app {

enum class OutputFormat { json, text };

struct Settings {
  RunOptions run;
  std::string sandbox{"isolated"};
  std::string policy{"default"};
  bool policy_named{false};            ///< by a flag or a variable
  std::string spec;                    ///< a file, "-" or a URL; empty: none
  std::optional<std::uint64_t> chunk;  ///< the chunk's id
  std::string spec_sha256;
  bool allow_private_urls{false};
  std::chrono::milliseconds fetch_timeout{30000};
  std::string fetch_ca_file;
  std::vector<std::string> plugin_dirs;  ///< --plugin-dir, in order
  std::vector<std::string> plugin_path;  ///< HELIOS_PLUGIN_PATH, searched after them
  std::string plugin_hashes;
  bool dry_run{false};
  bool self_test{false};  ///< of doctor
  bool explain{false};
  std::string draft_file;  ///< where policy learn writes; empty: stdout
  std::string merge_file;  ///< a draft that what is learned is added to
  std::string result_file;
  std::optional<OutputFormat> output;  ///< empty: text on a terminal, else JSON
  LogLevel log_level{LogLevel::warning};
  LogFormat log_format{LogFormat::text};
};

}  // namespace helios::app
