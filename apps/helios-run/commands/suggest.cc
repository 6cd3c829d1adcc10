// helios-run suggest: from results of past runs the limits that would have fitted.

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/text.h"
#include "apps/helios-run/wiring.h"
#include "core/executor/ending.h"
#include "core/policy/fit.h"
#include "core/policy/policy.h"
#include "core/spec/json_problem.h"
#include "core/spec/json_writer.h"
#include "core/spec/quantity.h"
#include "core/spec/worker_result_reader.h"
#include "core/sys/file.h"

namespace helios::app {
namespace {

struct Past {
  std::string file;
  WorkerResult result;
};

/// What one limit should be, and why.
struct Suggestion {
  std::uint64_t value{0};
  std::string why;
};
using Suggestions = std::map<Limit, Suggestion>;

/// Limits whose use every run measures. The others are only spoken of after they ended a run.
struct Measured {
  Limit limit;
  Figure figure;
};
constexpr std::array kMeasured{
    Measured{Limit::memory, Figure::peak_memory_bytes}, Measured{Limit::processes, Figure::peak_processes},
    Measured{Limit::wall_time, Figure::duration_ms}, Measured{Limit::cpu_time, Figure::cpu_ms}};

std::optional<std::uint64_t> in_force(const WorkerResult& r, Limit limit) {
  for (const LimitReceipt& receipt : r.execution.limits) {
    if (receipt.limit == limit) return receipt.requested;
  }
  return std::nullopt;
}

std::string words(Limit limit, std::uint64_t value) { return spec::format_quantity(info(limit).unit, value); }

std::string seen_words(Limit limit, double seen) {
  const auto whole = static_cast<std::uint64_t>(std::lround(seen));
  switch (info(limit).unit) {
    case LimitUnit::bytes:
      return human_bytes(seen);
    case LimitUnit::milliseconds:
      return human_ms(seen);
    default:
      return std::to_string(whole);
  }
}

/// The highest use of the runs that succeeded, with the margin.
Suggestions fit_successes(const std::vector<const Past*>& runs) {
  Suggestions out;
  for (const Measured& m : kMeasured) {
    double most = -1;
    std::size_t count = 0;
    for (const Past* p : runs) {
      const auto value = p->result.execution.usage.get(m.figure);
      if (!value || !p->result.success) continue;
      most = std::max(most, *value);
      ++count;
    }
    if (count == 0) continue;
    out[m.limit] = {policy::fitting_limit(m.limit, most),
                    "highest of " + std::to_string(count) + (count == 1 ? " run: " : " runs: ") +
                        seen_words(m.limit, most) + " " + policy::margin_words(m.limit)};
  }
  return out;
}

/// Twice the highest limit that ended a run. What such a run used of the rest says nothing: it was cut short.
Suggestions raise_after_failures(const std::vector<const Past*>& runs) {
  Suggestions out;
  for (const Past* p : runs) {
    const auto limit = limit_behind(p->result.execution.termination);
    const auto was = limit ? in_force(p->result, *limit) : std::nullopt;
    if (!was) continue;
    const std::uint64_t next = policy::next_limit(*limit, *was);
    Suggestion& mine = out[*limit];
    if (next < mine.value) continue;
    mine = {next, words(*limit, *was) + " ended the run (" + std::string(name(p->result.execution.termination.reason)) +
                      "): twice as much is the next to try"};
  }
  return out;
}

/// The rule of docs/learn.md.
Suggestions suggest_for(const std::vector<const Past*>& runs) {
  const bool succeeded = std::any_of(runs.begin(), runs.end(), [](const Past* p) { return p->result.success; });
  return succeeded ? fit_successes(runs) : raise_after_failures(runs);
}

/// What serves all chunks.
Suggestions highest(const std::map<std::string, Suggestions>& chunks) {
  Suggestions out;
  for (const auto& [chunk, suggestions] : chunks) {
    for (const auto& [limit, s] : suggestions) {
      Suggestion& mine = out[limit];
      if (s.value > mine.value || mine.why.empty())
        mine = {s.value, (chunk == "-" ? "" : "chunk " + chunk + ": ") + s.why};
    }
  }
  return out;
}

struct Job {
  std::size_t runs{0};
  std::map<std::string, Suggestions> chunks;
  Suggestions all;
};

// ---- input -------------------------------------------------------------------------------------------------------

Result<Past> read_past(const std::string& file) {
  auto text = sys::read_file(file, spec::kMaxResultBytes);
  if (!text) return fail(text.error());
  auto result = spec::read_worker_result(*text, file);
  if (!result) return fail(result.error());
  return Past{file, *std::move(result)};
}

/// A folder's *.json that are results; a file of another kind in it is passed over with a warning.
Status read_folder(const std::string& folder, std::vector<Past>& all, Log& log) {
  const auto close = [](DIR* d) { ::closedir(d); };
  const std::unique_ptr<DIR, decltype(close)> listing(::opendir(folder.c_str()), close);
  if (!listing) return fail_errno(ErrorCode::not_found, "read the folder " + folder, errno);
  std::set<std::string> files;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string file = entry->d_name;
    if (file.size() > 5 && file.ends_with(".json") && file.front() != '.') files.insert(folder + "/" + file);
  }
  for (const std::string& file : files) {
    auto past = read_past(file);
    if (past) {
      all.push_back(*std::move(past));
    } else {
      log.write(LogLevel::warning, "passed over: " + past.error().message);
    }
  }
  return {};
}

Result<std::vector<Past>> read_all(const std::vector<std::string>& names, Log& log) {
  std::vector<Past> all;
  for (const std::string& name : names) {
    struct stat st {};
    if (::stat(name.c_str(), &st) != 0) return fail_errno(ErrorCode::not_found, "read " + name, errno);
    if (S_ISDIR(st.st_mode)) {
      if (auto ok = read_folder(name, all, log); !ok) return fail(ok.error());
      continue;
    }
    auto past = read_past(name);
    if (!past) return fail(past.error());
    all.push_back(*std::move(past));
  }
  if (all.empty())
    return fail(ErrorCode::not_found, "there is no result in " + names.front(), "helios-run --result FILE writes one");
  return all;
}

std::map<std::string, Job> suggest_all(const std::vector<Past>& past) {
  std::map<std::string, std::map<std::string, std::vector<const Past*>>> grouped;
  for (const Past& p : past) {
    const auto id = p.result.chunk_id;
    grouped[p.result.job_id][id ? std::to_string(*id) : "-"].push_back(&p);
  }
  std::map<std::string, Job> jobs;
  for (const auto& [job, chunks] : grouped) {
    for (const auto& [chunk, runs] : chunks) {
      jobs[job].chunks[chunk] = suggest_for(runs);
      jobs[job].runs += runs.size();
    }
    jobs[job].all = highest(jobs[job].chunks);
  }
  return jobs;
}

// ---- output ------------------------------------------------------------------------------------------------------

void write_values(spec::JsonWriter& out, const char* key, const Suggestions& suggestions) {
  out.key(key).open('{');
  for (const auto& [limit, s] : suggestions) {
    out.key(info(limit).key);
    if (info(limit).unit == LimitUnit::count) {
      out.value(s.value);
    } else {
      out.value(words(limit, s.value));
    }
  }
  out.close('}');
}

std::string values_line(const char* key, const Suggestions& suggestions) {
  spec::JsonWriter out(-1);
  out.open('{');
  write_values(out, key, suggestions);
  out.close('}');
  return out.take();
}

std::string to_text(const std::map<std::string, Job>& jobs, const policy::Policy* policy) {
  std::string text;
  for (const auto& [id, job] : jobs) {
    text += "job " + spec::escape_for_message(id, 200) + ": " + std::to_string(job.runs) +
            (job.runs == 1 ? " result\n" : " results\n");
    if (job.all.empty()) {
      text += "  no run succeeded and no limit ended one: nothing to go by\n";
      continue;
    }
    for (const auto& [limit, s] : job.all) {
      text += "  " + std::string(info(limit).key) + " " + words(limit, s.value) + "   (" + s.why + ")\n";
      const auto ceiling = policy == nullptr ? std::nullopt : policy->ceilings[limit];
      if (ceiling && s.value > *ceiling) {
        text +=
            "    above the ceiling " + words(limit, *ceiling) + " of policy '" + policy->name + "': raise that too\n";
      }
    }
    text += "  in the spec, for the whole job:  " + values_line("resources", job.all) + "\n";
    if (job.chunks.size() > 1) {
      for (const auto& [chunk, suggestions] : job.chunks) {
        text += "  in the spec, for chunk " + chunk + ":        " + values_line("resources", suggestions) + "\n";
      }
    }
    text += "  in a policy:                     " + values_line("limits", job.all) + "\n";
  }
  return text;
}

std::string to_json(const std::map<std::string, Job>& jobs) {
  spec::JsonWriter out(2);
  out.open('[');
  for (const auto& [id, job] : jobs) {
    out.open('{').key("jobId").value(id);
    out.key("results").value(static_cast<std::uint64_t>(job.runs));
    write_values(out, "resources", job.all);
    out.key("why").open('{');
    for (const auto& [limit, s] : job.all) out.key(info(limit).key).value(s.why);
    out.close('}').key("chunks").open('[');
    for (const auto& [chunk, suggestions] : job.chunks) {
      out.open('{').key("id");
      if (chunk == "-") {
        out.value("-");
      } else {
        out.value(std::uint64_t{std::stoull(chunk)});
      }
      write_values(out, "resources", suggestions);
      out.close('}');
    }
    out.close(']').close('}');
  }
  out.close(']');
  return out.take() + "\n";
}

}  // namespace

Result<int> suggest_limits(Invocation& in, Log& log) {
  Settings& s = in.settings;
  if (in.arguments.empty()) {
    return fail(ErrorCode::invalid_argument, "suggest wants results", "helios-run suggest DIR, or RESULT.json...");
  }
  auto past = read_all(in.arguments, log);
  if (!past) return fail(past.error());
  std::optional<policy::Policy> policy;
  if (s.policy_named) {
    auto loaded = policy::load_policy(s.policy, policy_dirs());
    if (!loaded) return fail(loaded.error());
    policy = *std::move(loaded);
  }
  const auto jobs = suggest_all(*past);
  const std::string text = s.output == OutputFormat::json ? to_json(jobs) : to_text(jobs, policy ? &*policy : nullptr);
  if (auto ok = write_stdout(text); !ok) return fail(ok.error());
  return 0;
}

}  // namespace helios::app
