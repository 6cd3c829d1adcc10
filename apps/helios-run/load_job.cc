#include "apps/helios-run/load_job.h"

#include "apps/helios-run/wiring.h"
#include "core/fetch/fetch.h"
#include "core/spec/job_spec_reader.h"
#include "core/sys/path.h"

namespace helios::app {
namespace {

Result<JobSpec> fetch_spec(const Settings& s, const spec::ChunkFilter& filter) {
  fetch::FetchOptions options;
  options.module_dirs = plugin_dirs(s);
  options.allow_private = s.allow_private_urls;
  options.timeout = s.fetch_timeout;
  options.ca_file = s.fetch_ca_file;
  auto text = fetch::fetch_url(s.spec, options);
  if (!text) return fail(text.error());
  return spec::read_job_spec(spec::SpecBytes{*text, s.spec}, filter, s.spec_sha256);
}

Result<JobSpec> read_spec(const Settings& s) {
  const spec::ChunkFilter filter{{*s.chunk}, false};
  if (fetch::url_scheme(s.spec)) return fetch_spec(s, filter);
  auto file = spec::open_spec_file(s.spec);
  if (!file) return fail(file.error());
  return spec::read_job_spec(*file, filter, s.spec_sha256);
}

}  // namespace

Result<LoadedJob> load_job(const Invocation& in) {
  const Settings& s = in.settings;
  LoadedJob job;
  if (!in.command.empty()) {
    job.argv = in.command;
    return job;
  }
  if (s.spec.empty()) {
    return fail(ErrorCode::invalid_argument, "there is nothing to run",
                "name a spec and a chunk (--spec FILE --chunk ID), or a command after --");
  }
  if (!s.chunk) return fail(ErrorCode::invalid_argument, "--spec needs --chunk", "name the chunk to run: --chunk ID");
  auto spec = read_spec(s);
  if (!spec) return fail(spec.error());
  job.spec = *std::move(spec);
  if (s.spec != "-" && !fetch::url_scheme(s.spec)) job.spec_dir = sys::folder_of(s.spec);
  return job;
}

}  // namespace helios::app
