/// The chunk or the command that an invocation names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/helios-run/commands/command.h"
#include "core/executor/build_request.h"
#include "helios/error.h"
#include "helios/job_spec.h"

namespace helios::app {

/// What is run, and what it points into.
struct LoadedJob {
  std::optional<JobSpec> spec;
  std::vector<std::string> argv;
  std::string spec_dir;

  [[nodiscard]] Job job() const {
    return {spec ? &*spec : nullptr, spec ? &spec->chunks.front() : nullptr, argv, spec_dir};
  }
};

/// Reads or fetches the spec if there is one. Errors: invalid_argument when nothing is named; those of the reader.
[[nodiscard]] Result<LoadedJob> load_job(const Invocation& in);

}  // namespace helios::app
