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
  std::string result_file;
  std::optional<OutputFormat> output;  ///< empty: text on a terminal, else JSON
  LogLevel log_level{LogLevel::warning};
  LogFormat log_format{LogFormat::text};
};

}  // namespace helios::app
