#include "core/spec/worker_result_json.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include "core/spec/json_writer.h"
#include "core/sys/signal_name.h"

namespace helios::spec {
namespace {

constexpr std::array kPressure{Figure::pressure_cpu_ms, Figure::pressure_memory_ms, Figure::pressure_io_ms};
constexpr std::array<std::string_view, kPressure.size()> kPressureKeys{"cpuMs", "memoryMs", "ioMs"};

bool is_milliseconds(Figure figure) {
  const std::string_view key = name(figure);
  return key.size() > 2 && key.substr(key.size() - 2) == "Ms";
}

/// Milliseconds with one decimal, everything else whole: bytes and counts beyond 2^53 are not measured.
void write_figure(JsonWriter& out, Figure figure, double value) {
  if (is_milliseconds(figure)) {
    out.decimal(std::max(value, 0.0), 1);
  } else {
    out.value(static_cast<std::uint64_t>(std::max(value, 0.0)));
  }
}

void write_optional(JsonWriter& out, std::string_view key, std::string_view text) {
  if (!text.empty()) out.key(key).value(text);
}

void write_strings(JsonWriter& out, const std::vector<std::string>& texts) {
  out.open('[');
  for (const auto& text : texts) out.value(text);
  out.close(']');
}

void write_termination(JsonWriter& out, const Termination& end, Retry retry) {
  out.key("termination").open('{');
  out.key("reason").value(name(end.reason));
  if (end.signal != 0) out.key("signal").value(sys::signal_name(end.signal));
  write_optional(out, "detail", end.detail);
  if (!end.evidence.empty()) out.key("evidence").open('[');
  for (const auto& [source, field, value] : end.evidence) {
    out.open('{').key("source").value(source);
    out.key("field").value(field);
    out.key("value").value(value);
    out.close('}');
  }
  if (!end.evidence.empty()) out.close(']');
  out.key("retry").value(name(retry));
  out.close('}');
}

void write_pressure(JsonWriter& out, const ResourceUsage& usage) {
  if (std::none_of(kPressure.begin(), kPressure.end(), [&](Figure f) { return usage.get(f).has_value(); })) return;
  out.key("pressure").open('{');
  for (std::size_t i = 0; i < kPressure.size(); ++i) {
    if (const auto value = usage.get(kPressure[i])) {
      out.key(kPressureKeys[i]);
      write_figure(out, kPressure[i], *value);
    }
  }
  out.close('}');
}

/// Every figure but the duration (which stands at the top) in the table's order; the pressures as one object.
void write_resources(JsonWriter& out, const ResourceUsage& usage) {
  out.key("resources").open('{');
  for (std::size_t i = 1; i < kFigureCount; ++i) {
    const auto figure = static_cast<Figure>(i);
    if (figure == kPressure.front()) write_pressure(out, usage);
    if (std::find(kPressure.begin(), kPressure.end(), figure) != kPressure.end()) continue;
    if (const auto value = usage.get(figure)) {
      out.key(name(figure));
      write_figure(out, figure, *value);
    }
  }
  out.key("sources").open('{');
  for (std::size_t i = 1; i < kFigureCount; ++i) {
    if (usage.values[i]) write_optional(out, kFigureNames[i], usage.sources[i]);
  }
  out.close('}').close('}');
}

void write_limits(JsonWriter& out, const std::vector<LimitReceipt>& receipts) {
  out.key("limits").open('[');
  for (const auto& receipt : receipts) {
    out.open('{').key("limit").value(info(receipt.limit).key);
    out.key("requested").value(receipt.requested);
    if (receipt.effective) out.key("effective").value(*receipt.effective);
    out.key("by").value(receipt.by);
    out.close('}');
  }
  out.close(']');
}

void write_sandbox(JsonWriter& out, const WorkerResult& result) {
  out.key("sandbox").open('{');
  out.key("runner").value(result.runner);
  out.key("version").value(result.runner_version);
  out.key("policy").value(result.policy);
  out.key("policySha256").value(result.policy_sha256);
  out.key("isolation");
  write_strings(out, result.execution.isolation);
  out.close('}');
}

void write_capture(JsonWriter& out, const WorkerResult& result) {
  out.key("capture").open('{');
  out.key("stdoutBytes").value(result.out.bytes);
  out.key("stderrBytes").value(result.err.bytes);
  out.key("stdoutTruncated").value(result.out.truncated);
  out.key("stderrTruncated").value(result.err.truncated);
  out.close('}');
}

void write_output(JsonWriter& out, const OutputFile& file) {
  out.key("output").open('{');
  out.key("path").value(file.path);
  out.key("exists").value(file.exists);
  if (file.exists && file.problem.empty()) out.key("bytes").value(file.bytes);
  write_optional(out, "sha256", file.sha256);
  write_optional(out, "problem", file.problem);
  out.close('}');
}

void write_host(JsonWriter& out, const HostInfo& host) {
  out.key("host").open('{');
  out.key("kernel").value(host.kernel);
  out.key("cgroup").value(host.cgroup);
  out.key("cpus").value(host.cpus);
  out.close('}');
}

void write_denied(JsonWriter& out, const std::vector<Denial>& denied) {
  if (denied.empty()) return;
  out.key("denied").open('[');
  for (const auto& call : denied) {
    out.open('{').key("syscall").value(call.syscall);
    out.key("count").value(call.count);
    out.key("errno").value(call.error);
    if (call.number >= 0) out.key("number").value(call.number);
    write_optional(out, "args", call.args);
    write_optional(out, "process", call.process);
    out.close('}');
  }
  out.close(']');
}

void write_survivors(JsonWriter& out, const Execution& execution) {
  if (execution.survivors.empty() && execution.survivor_count == 0) return;
  out.key("survivors").open('[');
  for (const auto& [pid, command] : execution.survivors) {
    out.open('{').key("pid").value(pid);
    out.key("name").value(command);
    out.close('}');
  }
  out.close(']');
  out.key("survivorCount").value(std::max<std::uint64_t>(execution.survivor_count, execution.survivors.size()));
}

void write_last_words(JsonWriter& out, const std::vector<LastProcess>& processes) {
  if (processes.empty()) return;
  out.key("lastWords").open('{').key("processes").open('[');
  for (const auto& p : processes) {
    out.open('{').key("pid").value(p.pid);
    out.key("parent").value(p.parent);
    out.key("command").value(p.command);
    out.key("memoryBytes").value(p.memory_bytes);
    out.key("state").value(p.state);
    write_optional(out, "waitChannel", p.wait_channel);
    out.close('}');
  }
  out.close(']').close('}');
}

void write_findings(JsonWriter& out, const std::vector<Finding>& findings) {
  out.open('[');
  for (const auto& finding : findings) {
    out.open('{').key("feature").value(finding.feature);
    out.key("severity").value(name(finding.severity));
    out.key("detail").value(finding.detail);
    write_optional(out, "remedy", finding.remedy);
    out.close('}');
  }
  out.close(']');
}

void write_section(JsonWriter& out, std::string_view section, const std::vector<PlanItem>& items) {
  out.open('{').key("section").value(section);
  out.key("items").open('[');
  for (const auto& item : items) {
    if (item.section != section) continue;
    out.open('{').key("key").value(item.key);
    out.key("value").value(item.value);
    out.close('}');
  }
  out.close(']').close('}');
}

/// Sections in the order in which they first appear.
void write_items(JsonWriter& out, const std::vector<PlanItem>& items) {
  std::vector<std::string_view> sections;
  for (const auto& item : items) {
    if (std::find(sections.begin(), sections.end(), item.section) == sections.end()) sections.push_back(item.section);
  }
  out.key("plan").open('[');
  for (const auto section : sections) write_section(out, section, items);
  out.close(']');
}

}  // namespace

std::string to_json(const WorkerResult& result, int indent) {
  JsonWriter out(indent);
  out.reserve(4096 + result.out.text.size() + result.err.text.size());
  out.open('{').key("exitCode").value(result.exit_code);
  out.key("stdout").value(result.out.text);
  out.key("stderr").value(result.err.text);
  out.key("durationMs").value(result.duration_ms);
  out.key("success").value(result.success);
  out.key("jobId").value(result.job_id);
  if (result.chunk_id) out.key("chunkId").value(*result.chunk_id);
  out.key("attempt").value(result.attempt);
  out.key("startedAt").value(result.started_at);
  write_termination(out, result.execution.termination, result.retry);
  write_resources(out, result.execution.usage);
  write_limits(out, result.execution.limits);
  write_sandbox(out, result);
  write_capture(out, result);
  if (result.output) write_output(out, *result.output);
  write_host(out, result.host);
  write_denied(out, result.execution.denied);
  write_survivors(out, result.execution);
  write_last_words(out, result.execution.last_processes);
  write_optional(out, "bottleneck", result.bottleneck);
  if (!result.execution.notes.empty()) {
    out.key("notes");
    write_strings(out, result.execution.notes);
  }
  out.close('}');
  return out.take();
}

std::string plan_to_json(const Plan& plan, std::string_view runner, int indent) {
  JsonWriter out(indent);
  out.open('{').key("runner").value(runner);
  write_optional(out, "jobId", plan.request.job_id);
  if (!plan.request.output_file.empty()) out.key("chunkId").value(plan.request.chunk_id);
  out.key("argv");
  write_strings(out, plan.request.argv);
  out.key("workdir").value(plan.request.workdir);
  out.key("workspace").value(plan.request.workspace);
  write_items(out, plan.items);
  out.key("missing");
  write_findings(out, plan.missing);
  out.close('}');
  return out.take();
}

std::string findings_to_json(const std::vector<Finding>& findings, int indent) {
  JsonWriter out(indent);
  write_findings(out, findings);
  return out.take();
}

std::string_view name(Severity severity) {
  constexpr std::array<std::string_view, 3> kNames{"ok", "degraded", "blocking"};
  return kNames[static_cast<std::size_t>(severity)];
}

std::string_view name(Retry retry) {
  constexpr std::array<std::string_view, 4> kNames{"never", "same", "raise-limit", "other-host"};
  return kNames[static_cast<std::size_t>(retry)];
}

}  // namespace helios::spec
