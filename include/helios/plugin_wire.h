/// Between the C structs of helios/plugin_abi.h and the C++ values, in both directions. Header-only, because both sides
/// of the boundary need both directions, each with its own C++ runtime.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "helios/plugin_abi.h"
#include "helios/runner.h"

namespace helios::wire {

[[nodiscard]] inline HeliosText text(std::string_view s) noexcept { return {s.data(), s.size()}; }
[[nodiscard]] inline std::string_view view(HeliosText t) noexcept {
  return t.data == nullptr ? std::string_view{} : std::string_view{t.data, t.size};
}
[[nodiscard]] inline std::string string(HeliosText t) { return std::string(view(t)); }

/// What both sides know of a struct that may have grown; the rest is zero.
template <class T>
[[nodiscard]] T known(const T* given) noexcept {
  T out{};
  if (given != nullptr) std::memcpy(&out, given, std::min<std::size_t>(given->size, sizeof(T)));
  return out;
}

/// A struct with its size filled in.
template <class T>
[[nodiscard]] T sized() noexcept {
  T out{};
  out.size = sizeof(T);
  return out;
}

// ---- requests -------------------------------------------------------------------------------------------------------

/// The C view of a request; the request must outlive it.
class FlatRequest {
 public:
  explicit FlatRequest(const ExecutionRequest& r) {
    flatten_profile(r.profile);
    flat_.job_id = text(r.job_id);
    flat_.chunk_id = r.chunk_id;
    flat_.attempt = r.attempt;
    flat_.argv = texts(argv_, r.argv);
    flat_.caller_env = variables(caller_env_, r.caller_env);
    flat_.extra_env = variables(extra_env_, r.extra_env);
    flat_.workspace = text(r.workspace);
    flat_.workdir = text(r.workdir);
    flat_.output_file = text(r.output_file);
    flat_.limits = limits(r.limits);
    flat_.grace_ms = r.grace_ms;
    flat_.drain_ms = r.drain_ms;
    flat_.profile = &profile_;
    flat_.workspace_ids = static_cast<std::uint32_t>(r.workspace_ids);
    flat_.uid_first = r.uid_first;
    flat_.uid_count = r.uid_count;
    flat_.cgroup_parent = text(r.cgroup_parent);
    flat_.allow_degraded = texts(allow_degraded_, r.allow_degraded);
    flat_.plan_for = text(r.plan_for);
    flat_.state_dir = text(r.state_dir);
    flat_.cache_dir = text(r.cache_dir);
    flat_.learn = r.learn ? 1 : 0;
    flat_.timeline_ms = r.timeline_ms;
  }
  FlatRequest(const FlatRequest&) = delete;
  FlatRequest& operator=(const FlatRequest&) = delete;

  [[nodiscard]] const HeliosRequest* get() const noexcept { return &flat_; }

 private:
  using Texts = std::vector<HeliosText>;
  using Variables = std::vector<HeliosVariable>;

  static HeliosTexts texts(Texts& store, const std::vector<std::string>& from) {
    store.reserve(from.size());
    for (const auto& s : from) store.push_back(text(s));
    return {store.data(), store.size()};
  }
  static HeliosVariables variables(Variables& store, const std::vector<EnvVar>& from) {
    store.reserve(from.size());
    for (const auto& v : from) store.push_back({text(v.name), text(v.value)});
    return {store.data(), store.size()};
  }
  HeliosLimits limits(const Limits& from) noexcept {
    static_assert(kLimitCount <= 64, "HeliosLimits::present has 64 bits");
    HeliosLimits out{0, limit_values_.data(), kLimitCount};
    for (std::size_t i = 0; i < kLimitCount; ++i) {
      if (!from.values[i]) continue;
      limit_values_[i] = *from.values[i];
      out.present |= std::uint64_t{1} << i;
    }
    return out;
  }
  void flatten_profile(const SandboxProfile& p) {
    profile_.network = static_cast<std::uint32_t>(p.network);
    profile_.nested_user_namespaces = p.nested_user_namespaces ? 1 : 0;
    profile_.policy_name = text(p.policy_name);
    profile_.policy_sha256 = text(p.policy_sha256);
    profile_.env_allow = texts(env_allow_, p.env_allow);
    profile_.env_set = variables(env_set_, p.env_set);
    mounts_.reserve(p.mounts.size());
    for (const auto& m : p.mounts) {
      mounts_.push_back({sizeof(HeliosMount), static_cast<std::uint32_t>(m.kind), m.optional ? 1u : 0u, text(m.source),
                         text(m.target), m.size_bytes});
    }
    for (const auto& m : mounts_) mount_pointers_.push_back(&m);
    profile_.mounts = {mount_pointers_.data(), mount_pointers_.size()};
    profile_.tmp_bytes = p.tmp_bytes;
    profile_.shm_bytes = p.shm_bytes;
    profile_.rootfs = text(p.rootfs);
    profile_.seccomp_json = text(p.seccomp_json);
    profile_.seccomp_sha256 = text(p.seccomp_sha256);
    profile_.filter_dirs = texts(filter_dirs_, p.filter_dirs);
  }

  HeliosRequest flat_ = sized<HeliosRequest>();
  HeliosProfile profile_ = sized<HeliosProfile>();
  Texts argv_, allow_degraded_, env_allow_, filter_dirs_;
  Variables caller_env_, extra_env_, env_set_;
  std::vector<HeliosMount> mounts_;
  std::vector<const HeliosMount*> mount_pointers_;
  std::array<std::uint64_t, kLimitCount> limit_values_{};
};

[[nodiscard]] inline std::vector<std::string> strings(HeliosTexts from) {
  std::vector<std::string> out;
  out.reserve(from.count);
  for (std::size_t i = 0; i < from.count; ++i) out.push_back(string(from.items[i]));
  return out;
}

[[nodiscard]] inline std::vector<EnvVar> variables(HeliosVariables from) {
  std::vector<EnvVar> out;
  out.reserve(from.count);
  for (std::size_t i = 0; i < from.count; ++i) {
    out.push_back(EnvVar{string(from.items[i].name), string(from.items[i].value)});
  }
  return out;
}

/// Fails closed: a value that this side does not know cannot be obeyed.
[[nodiscard]] inline tl::unexpected<Error> unknown_value(std::string_view what, std::uint64_t value) {
  return fail(ErrorCode::unsupported,
              "read the request: this plugin does not know " + std::string(what) + " " + std::to_string(value),
              "build the plugin against the helios package that helios-run comes from");
}

[[nodiscard]] inline Result<Limits> limits(HeliosLimits from) {
  Limits out;
  for (std::size_t i = 0; i < 64; ++i) {
    if ((from.present >> i & 1) == 0) continue;
    if (i >= kLimitCount || i >= from.count) return unknown_value("limit", i);
    out.values[i] = from.values[i];
  }
  return out;
}

[[nodiscard]] inline Result<std::vector<Mount>> mounts(HeliosMounts from) {
  std::vector<Mount> out;
  out.reserve(from.count);
  for (std::size_t i = 0; i < from.count; ++i) {
    const HeliosMount m = known(from.items[i]);
    if (m.kind > static_cast<std::uint32_t>(MountKind::tmpfs)) return unknown_value("mount kind", m.kind);
    out.push_back(
        Mount{static_cast<MountKind>(m.kind), string(m.source), string(m.target), m.size_bytes, m.optional != 0});
  }
  return out;
}

[[nodiscard]] inline Result<SandboxProfile> profile(const HeliosProfile* given) {
  const HeliosProfile p = known(given);
  SandboxProfile out;
  if (p.network > static_cast<std::uint32_t>(Network::host)) return unknown_value("network", p.network);
  auto read = mounts(p.mounts);
  if (!read) return fail(read.error());
  out.mounts = *std::move(read);
  out.network = static_cast<Network>(p.network);
  out.nested_user_namespaces = p.nested_user_namespaces != 0;
  out.policy_name = string(p.policy_name);
  out.policy_sha256 = string(p.policy_sha256);
  out.env_allow = strings(p.env_allow);
  out.env_set = variables(p.env_set);
  out.tmp_bytes = p.tmp_bytes;
  out.shm_bytes = p.shm_bytes;
  out.rootfs = string(p.rootfs);
  out.seccomp_json = string(p.seccomp_json);
  out.seccomp_sha256 = string(p.seccomp_sha256);
  out.filter_dirs = strings(p.filter_dirs);
  return out;
}

[[nodiscard]] inline Result<ExecutionRequest> request(const HeliosRequest* given) {
  const HeliosRequest r = known(given);
  ExecutionRequest out;
  auto read_limits = limits(r.limits);
  if (!read_limits) return fail(read_limits.error());
  auto read_profile = profile(r.profile);
  if (!read_profile) return fail(read_profile.error());
  if (r.workspace_ids > static_cast<std::uint32_t>(WorkspaceIds::chown)) {
    return unknown_value("workspace ids", r.workspace_ids);
  }
  out.limits = *read_limits;
  out.profile = *std::move(read_profile);
  out.workspace_ids = static_cast<WorkspaceIds>(r.workspace_ids);
  out.job_id = string(r.job_id);
  out.chunk_id = r.chunk_id;
  out.attempt = r.attempt;
  out.argv = strings(r.argv);
  out.caller_env = variables(r.caller_env);
  out.extra_env = variables(r.extra_env);
  out.workspace = string(r.workspace);
  out.workdir = string(r.workdir);
  out.output_file = string(r.output_file);
  out.grace_ms = r.grace_ms;
  out.drain_ms = r.drain_ms;
  out.uid_first = r.uid_first;
  out.uid_count = r.uid_count;
  out.cgroup_parent = string(r.cgroup_parent);
  out.allow_degraded = strings(r.allow_degraded);
  out.plan_for = string(r.plan_for);
  out.state_dir = string(r.state_dir);
  out.cache_dir = string(r.cache_dir);
  out.learn = r.learn != 0;
  out.timeline_ms = r.timeline_ms;
  return out;
}

// ---- results: feeding a sink ----------------------------------------------------------------------------------------

/// A sink as this side knows it, with a call per thing to tell. A callback the other side lacks is not called.
class Feeder {
 public:
  explicit Feeder(const HeliosSink* sink) noexcept : sink_(known(sink)) {}

  void finding(const Finding& f) const noexcept {
    auto c = sized<HeliosFinding>();
    c.severity = static_cast<std::uint32_t>(f.severity);
    c.feature = text(f.feature);
    c.detail = text(f.detail);
    c.remedy = text(f.remedy);
    if (sink_.finding != nullptr) sink_.finding(sink_.context, &c);
  }

  void plan(const Plan& p) const noexcept {
    for (const auto& item : p.items) {
      auto c = sized<HeliosPlanItem>();
      c.section = text(item.section);
      c.key = text(item.key);
      c.value = text(item.value);
      if (sink_.plan_item != nullptr) sink_.plan_item(sink_.context, &c);
    }
    for (const auto& f : p.missing) finding(f);
  }

  void execution(const Execution& e) const noexcept {
    termination(e.termination);
    usage(e.usage);
    for (const auto& r : e.limits) receipt(r);
    for (const auto& d : e.denied) denial(d);
    for (const auto& u : e.used) use(u);
    for (const auto& s : e.survivors) survivor(s);
    for (const auto& p : e.last_processes) last_process(p);
    for (const auto& layer : e.isolation) {
      if (sink_.isolation != nullptr) sink_.isolation(sink_.context, text(layer));
    }
    for (const auto& note : e.notes) {
      if (sink_.note != nullptr) sink_.note(sink_.context, text(note));
    }
    if (sink_.survivor_count != nullptr) sink_.survivor_count(sink_.context, e.survivor_count);
    if (sink_.cgroup != nullptr) sink_.cgroup(sink_.context, text(e.cgroup));
  }

  /// Returns 1, for `return feeder.error(…)`.
  int error(const Error& e) const noexcept {
    auto c = sized<HeliosError>();
    c.code = static_cast<std::uint32_t>(e.code);
    c.sys_errno = e.sys_errno;
    c.message = text(e.message);
    c.remedy = text(e.remedy);
    if (sink_.error != nullptr) sink_.error(sink_.context, &c);
    return 1;
  }

 private:
  void termination(const Termination& t) const noexcept {
    auto c = sized<HeliosTermination>();
    c.reason = static_cast<std::uint32_t>(t.reason);
    c.exit_code = t.exit_code;
    c.signal = t.signal;
    c.cancel_signal = t.cancel_signal;
    c.detail = text(t.detail);
    if (sink_.termination != nullptr) sink_.termination(sink_.context, &c);
    for (const auto& e : t.evidence) {
      auto ce = sized<HeliosEvidence>();
      ce.source = text(e.source);
      ce.field = text(e.field);
      ce.value = e.value;
      if (sink_.evidence != nullptr) sink_.evidence(sink_.context, &ce);
    }
  }
  void usage(const ResourceUsage& u) const noexcept {
    for (std::size_t i = 0; i < kFigureCount; ++i) {
      if (!u.values[i] || sink_.figure == nullptr) continue;
      auto c = sized<HeliosFigure>();
      c.figure = static_cast<std::uint32_t>(i);
      c.value = *u.values[i];
      c.source = text(u.sources[i]);
      sink_.figure(sink_.context, &c);
    }
  }
  void receipt(const LimitReceipt& r) const noexcept {
    auto c = sized<HeliosReceipt>();
    c.limit = static_cast<std::uint32_t>(r.limit);
    c.has_effective = r.effective ? 1 : 0;
    c.requested = r.requested;
    c.effective = r.effective.value_or(0);
    c.by = text(r.by);
    if (sink_.receipt != nullptr) sink_.receipt(sink_.context, &c);
  }
  void denial(const Denial& d) const noexcept {
    auto c = sized<HeliosDenial>();
    c.syscall = text(d.syscall);
    c.number = d.number;
    c.count = d.count;
    c.error = text(d.error);
    c.args = text(d.args);
    c.process = text(d.process);
    if (sink_.denial != nullptr) sink_.denial(sink_.context, &c);
  }
  void use(const Use& u) const noexcept {
    auto c = sized<HeliosUse>();
    c.kind = text(u.kind);
    c.name = text(u.name);
    c.detail = text(u.detail);
    c.count = u.count;
    if (sink_.used != nullptr) sink_.used(sink_.context, &c);
  }
  void survivor(const Survivor& s) const noexcept {
    auto c = sized<HeliosSurvivor>();
    c.pid = s.pid;
    c.name = text(s.name);
    if (sink_.survivor != nullptr) sink_.survivor(sink_.context, &c);
  }
  void last_process(const LastProcess& p) const noexcept {
    auto c = sized<HeliosLastProcess>();
    c.pid = p.pid;
    c.parent = p.parent;
    c.command = text(p.command);
    c.memory_bytes = p.memory_bytes;
    c.state = text(p.state);
    c.wait_channel = text(p.wait_channel);
    if (sink_.last_process != nullptr) sink_.last_process(sink_.context, &c);
  }

  HeliosSink sink_;
};

// ---- results: collecting from a sink --------------------------------------------------------------------------------

/// Rebuilds the C++ values from what the other side tells. Running out of memory in a callback ends the process.
class Collector {
 public:
  Collector() noexcept {
    sink_.context = this;
    sink_.finding = [](void* self, const HeliosFinding* given) noexcept { me(self).add_finding(known(given)); };
    sink_.plan_item = [](void* self, const HeliosPlanItem* given) noexcept {
      const auto c = known(given);
      me(self).items_.push_back(PlanItem{string(c.section), string(c.key), string(c.value)});
    };
    sink_.termination = [](void* self, const HeliosTermination* given) noexcept { me(self).end(known(given)); };
    sink_.evidence = [](void* self, const HeliosEvidence* given) noexcept {
      const auto c = known(given);
      me(self).execution_.termination.evidence.push_back(Evidence{string(c.source), string(c.field), c.value});
    };
    sink_.figure = [](void* self, const HeliosFigure* given) noexcept {
      const auto c = known(given);
      if (c.figure < kFigureCount)
        me(self).execution_.usage.set(static_cast<Figure>(c.figure), c.value, string(c.source));
    };
    sink_.receipt = [](void* self, const HeliosReceipt* given) noexcept { me(self).add_receipt(known(given)); };
    sink_.isolation = [](void* self, HeliosText t) noexcept { me(self).execution_.isolation.push_back(string(t)); };
    sink_.denial = [](void* self, const HeliosDenial* given) noexcept {
      const auto c = known(given);
      me(self).execution_.denied.push_back(
          Denial{string(c.syscall), c.number, c.count, string(c.error), string(c.args), string(c.process)});
    };
    sink_.survivor = [](void* self, const HeliosSurvivor* given) noexcept {
      const auto c = known(given);
      me(self).execution_.survivors.push_back(Survivor{c.pid, string(c.name)});
    };
    sink_.survivor_count = [](void* self, std::uint64_t n) noexcept { me(self).execution_.survivor_count = n; };
    sink_.note = [](void* self, HeliosText t) noexcept { me(self).execution_.notes.push_back(string(t)); };
    sink_.cgroup = [](void* self, HeliosText t) noexcept { me(self).execution_.cgroup = string(t); };
    sink_.used = [](void* self, const HeliosUse* given) noexcept {
      const auto c = known(given);
      me(self).execution_.used.push_back(Use{string(c.kind), string(c.name), string(c.detail), c.count});
    };
    sink_.last_process = [](void* self, const HeliosLastProcess* given) noexcept {
      const auto c = known(given);
      me(self).execution_.last_processes.push_back(
          LastProcess{c.pid, c.parent, string(c.command), c.memory_bytes, string(c.state), string(c.wait_channel)});
    };
    sink_.error = [](void* self, const HeliosError* given) noexcept { me(self).fail_with(known(given)); };
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  [[nodiscard]] const HeliosSink* sink() const noexcept { return &sink_; }

  /// `returned` is what the call returned; `who` made it, for the message when it broke the contract.
  [[nodiscard]] Result<std::vector<Finding>> findings(int returned, std::string_view who) {
    if (returned != 0) return failure(who);
    return std::move(findings_);
  }
  [[nodiscard]] Result<Plan> plan(int returned, std::string_view who, const ExecutionRequest& request) {
    if (returned != 0) return failure(who);
    Plan out;
    out.request = request;
    out.items = std::move(items_);
    out.missing = std::move(findings_);
    return out;
  }
  [[nodiscard]] Result<Execution> execution(int returned, std::string_view who) {
    if (returned != 0) return failure(who);
    if (terminations_ != 1 || !reason_known_) {
      return fail(ErrorCode::internal, "run with " + std::string(who) + ": the plugin did not tell how the run ended");
    }
    return std::move(execution_);
  }

 private:
  static Collector& me(void* self) noexcept { return *static_cast<Collector*>(self); }

  void add_finding(const HeliosFinding& c) {
    const auto worst = Severity::blocking;
    const auto severity = c.severity > static_cast<std::uint32_t>(worst) ? worst : static_cast<Severity>(c.severity);
    findings_.push_back(Finding{string(c.feature), severity, string(c.detail), string(c.remedy)});
  }
  void end(const HeliosTermination& c) {
    ++terminations_;
    reason_known_ = c.reason < kReasonCount;
    if (!reason_known_) return;
    auto& t = execution_.termination;
    t.reason = static_cast<Reason>(c.reason);
    t.exit_code = c.exit_code;
    t.signal = c.signal;
    t.cancel_signal = c.cancel_signal;
    t.detail = string(c.detail);
  }
  void add_receipt(const HeliosReceipt& c) {
    if (c.limit >= kLimitCount) return;
    LimitReceipt r{static_cast<Limit>(c.limit), c.requested, std::nullopt, string(c.by)};
    if (c.has_effective != 0) r.effective = c.effective;
    execution_.limits.push_back(std::move(r));
  }
  void fail_with(const HeliosError& c) {
    const auto last = static_cast<std::uint32_t>(ErrorCode::internal);
    error_ = Error{static_cast<ErrorCode>(std::min(c.code, last)), string(c.message), string(c.remedy)};
    error_.sys_errno = c.sys_errno;
    has_error_ = true;
  }
  [[nodiscard]] tl::unexpected<Error> failure(std::string_view who) {
    if (has_error_) return fail(std::move(error_));
    return fail(ErrorCode::internal, "call " + std::string(who) + ": it failed and did not say why");
  }

  HeliosSink sink_ = sized<HeliosSink>();
  std::vector<Finding> findings_;
  std::vector<PlanItem> items_;
  Execution execution_;
  Error error_;
  int terminations_{0};
  bool reason_known_{false};
  bool has_error_{false};
};

// ---- the host, as the plugin sees it; and the other way round
// ---------------------------------------------------------

/// A helios::Host over the C table.
class RemoteHost final : public Host {
 public:
  explicit RemoteHost(const HeliosHost* host) noexcept : host_(known(host)) {}

  void output(Stream stream, std::string_view bytes) noexcept override {
    if (host_.output != nullptr) host_.output(host_.context, static_cast<std::uint32_t>(stream), text(bytes));
  }
  [[nodiscard]] std::span<char> room(Stream stream) noexcept override {
    if (host_.room == nullptr) return {};
    const HeliosRoom room = host_.room(host_.context, static_cast<std::uint32_t>(stream));
    return {room.data, room.size};
  }
  void log(LogLevel level, std::string_view message) noexcept override {
    if (host_.log != nullptr) host_.log(host_.context, static_cast<std::uint32_t>(level), text(message));
  }
  [[nodiscard]] int cancel_fd() const noexcept override { return host_.cancel_fd; }
  [[nodiscard]] Result<Plan> plan_with(std::string_view runner, const ExecutionRequest& request) noexcept override {
    if (host_.plan_with == nullptr) return fail(ErrorCode::unsupported, "this host plans for no other runner");
    const FlatRequest flat(request);
    Collector collected;
    const int returned = host_.plan_with(host_.context, text(runner), flat.get(), collected.sink());
    return collected.plan(returned, runner, request);
  }

 private:
  HeliosHost host_;
};

/// Runs `work`, which returns what the boundary function returns; an exception becomes an error told to `sink`.
template <class Work>
int guarded(const HeliosSink* sink, Work&& work) noexcept {
  try {
    return std::forward<Work>(work)();
  } catch (const std::exception& e) {
    return Feeder(sink).error(Error{ErrorCode::internal, std::string("an exception escaped: ") + e.what()});
  } catch (...) {
    return Feeder(sink).error(Error{ErrorCode::internal, "an unknown exception escaped"});
  }
}

/// The C table over a helios::Host; the host must outlive it.
class FlatHost {
 public:
  explicit FlatHost(Host& host) noexcept {
    flat_.cancel_fd = host.cancel_fd();
    flat_.context = &host;
    flat_.output = [](void* self, std::uint32_t stream, HeliosText bytes) noexcept {
      if (stream < static_cast<std::uint32_t>(Stream::out) || stream > static_cast<std::uint32_t>(Stream::timeline))
        return;
      me(self).output(static_cast<Stream>(stream), view(bytes));
    };
    flat_.room = [](void* self, std::uint32_t stream) noexcept {
      if (stream != static_cast<std::uint32_t>(Stream::out) && stream != static_cast<std::uint32_t>(Stream::err))
        return HeliosRoom{nullptr, 0};
      const std::span<char> room = me(self).room(static_cast<Stream>(stream));
      return HeliosRoom{room.data(), room.size()};
    };
    flat_.log = [](void* self, std::uint32_t level, HeliosText message) noexcept {
      me(self).log(static_cast<LogLevel>(std::min(level, static_cast<std::uint32_t>(LogLevel::error))), view(message));
    };
    flat_.plan_with = [](void* self, HeliosText runner, const HeliosRequest* given, const HeliosSink* sink) noexcept {
      return guarded(sink, [&] {
        auto read = request(given);
        if (!read) return Feeder(sink).error(read.error());
        const auto planned = me(self).plan_with(view(runner), *read);
        if (!planned) return Feeder(sink).error(planned.error());
        Feeder(sink).plan(*planned);
        return 0;
      });
    };
  }
  [[nodiscard]] const HeliosHost* get() const noexcept { return &flat_; }

 private:
  static Host& me(void* self) noexcept { return *static_cast<Host*>(self); }
  HeliosHost flat_ = sized<HeliosHost>();
};

}  // namespace helios::wire
