#include "apps/helios-run/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/executor/ending.h"
#include "core/log.h"
#include "core/spec/quantity.h"
#include "core/spec/worker_result_json.h"

namespace helios::app {
namespace {

constexpr std::size_t kTailLines = 20;
constexpr std::size_t kTailBytes = 4096;

std::string line(std::string_view label, std::string_view text) {
  std::string out = "  " + std::string(label);
  out.append(label.size() < 10 ? 10 - label.size() : 1, ' ');
  return out + std::string(text) + "\n";
}

void add(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

std::string subject(const WorkerResult& r) {
  return r.chunk_id ? "chunk " + std::to_string(*r.chunk_id) : std::string("the command");
}

std::string cost(const WorkerResult& r) {
  const ResourceUsage& u = r.execution.usage;
  std::string text = human_ms(static_cast<double>(r.duration_ms));
  if (const auto cpu = u.get(Figure::cpu_ms)) add(text, "cpu " + human_ms(*cpu));
  if (const auto memory = u.get(Figure::peak_memory_bytes)) add(text, "peak memory " + human_bytes(*memory));
  if (const auto n = u.get(Figure::peak_processes))
    add(text, "peak processes " + std::to_string(static_cast<long>(*n)));
  if (const auto ms = u.get(Figure::throttled_ms); ms && *ms > 0) add(text, "throttled " + human_ms(*ms));
  if (const auto n = u.get(Figure::memory_high_hits); n && *n > 0)
    add(text, "slowed for memory " + std::to_string(static_cast<long>(*n)) + " times");
  if (const auto n = u.get(Figure::oom_kills); n && *n > 0)
    add(text, "killed for memory " + std::to_string(static_cast<long>(*n)));
  const auto setup = u.get(Figure::setup_ms);
  const auto teardown = u.get(Figure::teardown_ms);
  if (setup || teardown) text += "; our own " + human_ms(setup.value_or(0) + teardown.value_or(0));
  return text;
}

std::string limits(const WorkerResult& r) {
  std::string text;
  for (const LimitReceipt& l : r.execution.limits) {
    const LimitInfo& row = info(l.limit);
    add(text, std::string(row.key) + " " + spec::format_quantity(row.unit, l.requested) + " (" +
                  (l.effective ? l.by : "NOT HELD: " + l.by) + ")");
  }
  return text.empty() ? "none" : text;
}

std::string sandbox(const WorkerResult& r) {
  std::string layers;
  for (const std::string& layer : r.execution.isolation) add(layers, layer);
  std::string text = r.runner + " " + r.runner_version;
  if (!r.policy.empty()) text += ", policy " + r.policy;
  return text + (layers.empty() ? "; no isolation" : "; " + layers);
}

std::string output_line(const OutputFile& file) {
  std::string text = file.path;
  if (file.exists) text += ", " + human_bytes(static_cast<double>(file.bytes));
  if (file.exists && !file.sha256.empty()) text += ", sha256 " + file.sha256.substr(0, 16) + "...";
  if (!file.problem.empty()) text += "; " + file.problem;
  if (!file.exists && file.problem.empty()) text += "; does not exist";
  return text;
}

// The last lines of what was captured.
std::string_view tail_of(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::size_t from = text.size();
  for (std::size_t lines = 0; from > 0; --from) {
    if (text[from - 1] == '\n' && ++lines == kTailLines) break;
  }
  from = std::max(from, text.size() > kTailBytes ? text.size() - kTailBytes : 0);
  return text.substr(from);
}

std::string stream(std::string_view name, const CapturedStream& s) {
  if (s.bytes == 0) return {};
  const std::string_view tail = tail_of(s.text);
  const bool whole = tail.size() + 1 >= s.text.size() && !s.truncated;
  std::string out = line(name, human_bytes(static_cast<double>(s.bytes)) + (whole ? ":" : ", the end of it:"));
  const std::string shown = for_terminal(tail);
  for (std::size_t at = 0; at <= shown.size();) {
    const std::size_t end = std::min(shown.find('\n', at), shown.size());
    out += "    | " + shown.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

std::string denials(const WorkerResult& r) {
  std::string text;
  for (const Denial& d : r.execution.denied)
    add(text, d.syscall + " x" + std::to_string(d.count) + " (" + d.error + ")");
  return text;
}

std::string survivors(const WorkerResult& r) {
  std::string text = std::to_string(r.execution.survivor_count) + " still ran and were ended:";
  for (const Survivor& s : r.execution.survivors) text += " " + s.name + "(" + std::to_string(s.pid) + ")";
  return text;
}

std::string last_words(const std::vector<LastProcess>& processes) {
  if (processes.empty()) return {};
  constexpr std::size_t kShown = 5;
  std::string text =
      line("last words", std::to_string(processes.size()) + (processes.size() == 1 ? " process" : " processes") +
                             " when the limit ended the run" + (processes.size() > kShown ? ", the largest:" : ":"));
  for (std::size_t i = 0; i < std::min(processes.size(), kShown); ++i) {
    const LastProcess& p = processes[i];
    const std::string where = p.wait_channel.empty() ? "" : " in " + p.wait_channel;
    text += "    | " + std::to_string(p.pid) + "  " + human_bytes(static_cast<double>(p.memory_bytes)) + "  " +
            one_line(p.state + where + "  " + p.command) + "\n";
  }
  return text;
}

}  // namespace

std::string human_bytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return text;
}

std::string human_ms(double ms) {
  char text[48];
  if (ms < 1000) {
    std::snprintf(text, sizeof text, ms < 100 ? "%.1f ms" : "%.0f ms", ms);
  } else if (ms < 60000) {
    std::snprintf(text, sizeof text, "%.3f s", ms / 1000);
  } else if (ms < 3600000) {
    const auto s = static_cast<long>(ms / 1000);
    std::snprintf(text, sizeof text, "%ld min %02ld s", s / 60, s % 60);
  } else {
    const auto min = static_cast<long>(ms / 60000);
    std::snprintf(text, sizeof text, "%ld h %02ld min", min / 60, min % 60);
  }
  return text;
}

std::string status_line(const WorkerResult& r) { return subject(r) + " " + describe(r.execution.termination); }

std::string result_text(const WorkerResult& r) {
  const Termination& end = r.execution.termination;
  std::string text = (r.success ? "succeeded: " : "FAILED: ") + status_line(r);
  const bool says_more =
      end.reason != Reason::exited && text.find(end.detail) == text.npos;  // or it repeats the status
  if (!end.detail.empty() && !r.success && says_more) text += ": " + one_line(end.detail);
  text +=
      r.success ? "\n" : " (" + std::string(name(end.reason)) + ", exit status " + std::to_string(r.exit_code) + ")\n";
  text += line("cost", cost(r));
  text += line("limits", limits(r));
  text += line("sandbox", one_line(sandbox(r)));
  if (const std::string denied = denials(r); !denied.empty()) text += line("refused", one_line(denied));
  if (r.execution.survivor_count > 0) text += line("survivors", one_line(survivors(r)));
  text += last_words(r.execution.last_processes);
  if (r.output) text += line("output", one_line(output_line(*r.output)));
  for (const std::string& note : r.execution.notes) text += line("note", one_line(note));
  text += stream("stdout", r.out);
  if (!r.success) text += stream("stderr", r.err);
  if (!r.bottleneck.empty()) text += line("held by", r.bottleneck);
  if (!r.success && r.retry != Retry::never) text += line("retry", spec::name(r.retry));
  if (r.success && r.err.bytes > 0)
    text += line("stderr", human_bytes(static_cast<double>(r.err.bytes)) + ", not shown");
  return text + line("more", "--output json has every figure with its source; --log-dir DIR keeps the exact output");
}

std::string plan_text(const Plan& plan, std::string_view runner) {
  std::string text = std::string(runner) + " would run, in " + one_line(plan.request.workdir) + ":";
  for (const std::string& word : plan.request.argv) text += " " + one_line(word);
  text += "\n";
  std::vector<std::string_view> sections;
  for (const PlanItem& item : plan.items) {
    if (std::find(sections.begin(), sections.end(), item.section) == sections.end()) sections.push_back(item.section);
  }
  for (const std::string_view section : sections) {
    text += one_line(section) + "\n";
    for (const PlanItem& item : plan.items) {
      if (item.section == section) text += line(one_line(item.key), one_line(item.value));
    }
  }
  if (!plan.missing.empty()) text += "missing on this host\n" + findings_text(plan.missing, "  ");
  return text;
}

std::string findings_text(const std::vector<Finding>& findings, std::string_view indent) {
  std::string text;
  for (const Finding& f : findings) {
    const std::string severity(spec::name(f.severity));
    text += std::string(indent) + severity + std::string(severity.size() < 9 ? 9 - severity.size() : 1, ' ') +
            one_line(f.feature) + ": " + one_line(f.detail) + "\n";
    if (!f.remedy.empty()) text += std::string(indent) + "         remedy: " + one_line(f.remedy) + "\n";
  }
  return text;
}

std::string reports_text(const std::vector<plugin::PluginReport>& reports) {
  std::string text;
  for (const plugin::PluginReport& p : reports) {
    text += one_line(p.name) + "  " + one_line(p.file) + "\n";
    if (p.refusal) {
      text += line("refused", one_line(p.refusal->message));
      if (!p.refusal->remedy.empty()) text += line("remedy", one_line(p.refusal->remedy));
      continue;
    }
    text += line("verdict", p.shadowed_by.empty() ? "usable" : "not used: " + one_line(p.shadowed_by) + " comes first");
    text += line("version",
                 one_line(p.version) + ", ABI " + std::to_string(p.abi) + ", built with " + one_line(p.build_tag));
    text += line("summary", one_line(p.summary));
    std::string can;
    if (p.starts_nothing) add(can, "starts nothing");
    if (p.inherits_environment) add(can, "passes the caller's environment on");
    if (p.confines_nothing) add(can, "confines nothing");
    if (!can.empty()) text += line("traits", can);
    if (p.probe_error) text += line("probe", one_line(p.probe_error->message));
    text += findings_text(p.findings, "    ");
  }
  return text.empty() ? "no runners were found\n" : text;
}

}  // namespace helios::app
