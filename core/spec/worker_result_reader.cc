#include "core/spec/worker_result_reader.h"

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "core/spec/json_problem.h"
#include "core/spec/worker_result_json.h"
#include "core/sys/signal_name.h"

namespace helios::spec {
namespace {

using Json = nlohmann::json;

/// Reads members of one object; the first that has the wrong type is told.
class Reader {
 public:
  Reader(const Json& object, std::string pointer, std::string& problem)
      : object_(object), pointer_(std::move(pointer)), problem_(problem) {
    if (!object_.is_object()) complain(pointer_, "an object", object_);
  }

  void text(const char* key, std::string& to) const {
    const Json* v = find(key);
    if (v != nullptr && !v->is_string()) complain(at(key), "a string", *v);
    if (v != nullptr && v->is_string()) to = v->get<std::string>();
  }
  template <class Number>
  void number(const char* key, Number& to) const {
    const Json* v = find(key);
    if (v != nullptr && !v->is_number()) complain(at(key), "a number", *v);
    if (v != nullptr && v->is_number()) to = v->get<Number>();
  }
  void flag(const char* key, bool& to) const {
    const Json* v = find(key);
    if (v != nullptr && !v->is_boolean()) complain(at(key), "true or false", *v);
    if (v != nullptr && v->is_boolean()) to = v->get<bool>();
  }
  /// Calls `use` with the object, if there is one.
  template <class Use>
  void object(const char* key, Use use) const {
    const Json* v = find(key);
    if (v == nullptr) return;
    const Reader inner(*v, at(key), problem_);
    if (v->is_object()) use(inner);
  }
  template <class Use>
  void objects(const char* key, Use use) const {
    const Json* v = find(key);
    if (v == nullptr) return;
    if (!v->is_array()) return complain(at(key), "an array", *v);
    for (std::size_t i = 0; i < v->size(); ++i) {
      const Reader inner((*v)[i], at(key) + "/" + std::to_string(i), problem_);
      if ((*v)[i].is_object()) use(inner);
    }
  }
  void texts(const char* key, std::vector<std::string>& to) const {
    const Json* v = find(key);
    if (v == nullptr || !v->is_array()) return;
    for (const Json& one : *v) {
      if (one.is_string()) to.push_back(one.get<std::string>());
    }
  }
  [[nodiscard]] const Json* find(const char* key) const {
    if (!object_.is_object()) return nullptr;
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }
  void missing(const char* key, const char* expected) const {
    if (problem_.empty()) problem_ = at(key) + ": expected " + expected + ", found nothing";
  }
  void unknown(const char* key, const std::string& found) const {
    if (problem_.empty()) problem_ = at(key) + ": expected a reason of ours, found " + quote_for_message(found);
  }

 private:
  [[nodiscard]] std::string at(const char* key) const { return pointer_ + "/" + key; }
  void complain(const std::string& where, const char* expected, const Json& found) const {
    if (problem_.empty()) problem_ = where + ": expected " + expected + ", found " + describe_for_message(found);
  }

  const Json& object_;
  std::string pointer_;
  std::string& problem_;
};

int signal_number(const std::string& name) {
  for (int s = 1; s < NSIG; ++s) {
    if (sys::signal_name(s) == name) return s;
  }
  return 0;
}

void read_termination(const Reader& root, Termination& end, Retry& retry) {
  if (root.find("termination") == nullptr)
    return root.missing("termination", "how the run ended (helios-run writes it)");
  root.object("termination", [&](const Reader& r) {
    std::string reason, signal, again;
    r.text("reason", reason);
    const auto known = std::find(kReasonNames.begin(), kReasonNames.end(), reason);
    if (known == kReasonNames.end()) return r.unknown("reason", reason);
    end.reason = static_cast<Reason>(known - kReasonNames.begin());
    r.text("signal", signal);
    end.signal = signal_number(signal);
    r.text("detail", end.detail);
    r.objects("evidence", [&](const Reader& e) {
      Evidence evidence;
      e.text("source", evidence.source);
      e.text("field", evidence.field);
      e.number("value", evidence.value);
      end.evidence.push_back(std::move(evidence));
    });
    r.text("retry", again);
    for (const Retry one : {Retry::never, Retry::same, Retry::raise_limit, Retry::other_host}) {
      if (again == name(one)) retry = one;
    }
  });
}

void read_resources(const Reader& root, ResourceUsage& usage) {
  root.object("resources", [&](const Reader& r) {
    for (std::size_t i = 1; i < kFigureCount; ++i) {
      const std::string key(kFigureNames[i]);
      if (r.find(key.c_str()) == nullptr) continue;
      double value = 0;
      r.number(key.c_str(), value);
      usage.set(static_cast<Figure>(i), value, "");
    }
    r.object("sources", [&](const Reader& s) {
      for (std::size_t i = 1; i < kFigureCount; ++i) s.text(std::string(kFigureNames[i]).c_str(), usage.sources[i]);
    });
  });
}

void read_limits(const Reader& root, std::vector<LimitReceipt>& limits) {
  root.objects("limits", [&](const Reader& r) {
    std::string key;
    r.text("limit", key);
    const auto known = std::find_if(kLimits.begin(), kLimits.end(), [&](const LimitInfo& l) { return l.key == key; });
    if (known == kLimits.end()) return;
    LimitReceipt receipt{known->limit, 0, std::nullopt, {}};
    r.number("requested", receipt.requested);
    if (r.find("effective") != nullptr) r.number("effective", receipt.effective.emplace());
    r.text("by", receipt.by);
    limits.push_back(std::move(receipt));
  });
}

void read_denied(const Reader& root, std::vector<Denial>& denied) {
  root.objects("denied", [&](const Reader& r) {
    Denial d;
    r.text("syscall", d.syscall);
    r.number("count", d.count);
    r.text("errno", d.error);
    r.number("number", d.number);
    r.text("args", d.args);
    r.text("process", d.process);
    denied.push_back(std::move(d));
  });
}

void read_all(const Reader& root, WorkerResult& result) {
  root.number("exitCode", result.exit_code);
  root.text("stdout", result.out.text);
  root.text("stderr", result.err.text);
  root.number("durationMs", result.duration_ms);
  result.execution.usage.set(Figure::duration_ms, static_cast<double>(result.duration_ms), "clock");
  root.flag("success", result.success);
  root.text("jobId", result.job_id);
  if (root.find("chunkId") != nullptr) root.number("chunkId", result.chunk_id.emplace());
  root.number("attempt", result.attempt);
  root.text("startedAt", result.started_at);
  read_termination(root, result.execution.termination, result.retry);
  result.execution.termination.exit_code = result.exit_code;
  read_resources(root, result.execution.usage);
  read_limits(root, result.execution.limits);
  root.object("sandbox", [&](const Reader& r) {
    r.text("runner", result.runner);
    r.text("version", result.runner_version);
    r.text("policy", result.policy);
    r.text("policySha256", result.policy_sha256);
    r.texts("isolation", result.execution.isolation);
  });
  root.object("capture", [&](const Reader& r) {
    r.number("stdoutBytes", result.out.bytes);
    r.number("stderrBytes", result.err.bytes);
  });
  root.object("output", [&](const Reader& r) {
    OutputFile& file = result.output.emplace();
    r.text("path", file.path);
    r.flag("exists", file.exists);
    r.number("bytes", file.bytes);
    r.text("problem", file.problem);
  });
  read_denied(root, result.execution.denied);
  root.texts("notes", result.execution.notes);
}

}  // namespace

Result<WorkerResult> read_worker_result(std::string_view text, const std::string& origin) {
  try {
    const Json json = Json::parse(text);
    std::string problem;
    WorkerResult result;
    const Reader root(json, "", problem);
    if (problem.empty()) read_all(root, result);
    if (!problem.empty()) return fail(ErrorCode::invalid_argument, origin + ": " + problem);
    return result;
  } catch (const Json::parse_error& e) {
    return fail(ErrorCode::invalid_argument,
                origin + ": is not JSON: it breaks off or goes wrong at byte " + std::to_string(e.byte));
  } catch (const Json::exception& e) {
    return fail(ErrorCode::invalid_argument, origin + ": " + e.what());
  }
}

}  // namespace helios::spec
