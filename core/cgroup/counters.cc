#include <algorithm>

#include "core/cgroup/cgroup.h"
#include "core/cgroup/cgroup_file.h"
#include "core/sys/file.h"

namespace helios::cgroup {
namespace {

constexpr double kUsPerMs = 1e3;
constexpr double kNsPerMs = 1e6;

template <class T>
void add(ResourceUsage& usage, Figure figure, const Counter<T>& counter) {
  if (counter.value) usage.set(figure, static_cast<double>(*counter.value), std::string(counter.source));
}

Counter<std::uint64_t> count(std::optional<std::uint64_t> value, std::string_view source) { return {value, source}; }

Counter<double> scaled(std::optional<std::uint64_t> value, double per_ms, std::string_view source) {
  if (!value) return {};
  return {static_cast<double>(*value) / per_ms, source};
}

// io.stat: one line a device, "8:0 rbytes=1 wbytes=2 rios=…"; summed over devices.
std::uint64_t sum_io(std::string_view text, std::string_view key) {
  std::uint64_t sum = 0;
  for (auto at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    sum += parse_number(text.substr(at + key.size())).value_or(0);
  }
  return sum;
}

// *.pressure: "some avg10=0.00 avg60=0.00 avg300=0.00 total=123"; total in microseconds.
std::optional<std::uint64_t> some_total(std::string_view text) {
  const auto at = text.find("total=");
  if (text.substr(0, 5) != "some " || at == std::string_view::npos) return std::nullopt;
  return parse_number(text.substr(at + 6));
}

// On v1 user and system time are sampled by the clock tick: on a busy machine they sum up to a fraction of the exact
// usage. Only their ratio is used, as the kernel does for rusage and v2 (cputime_adjust()).
void split_v1(Counters& c, std::optional<std::uint64_t> user, std::optional<std::uint64_t> system) {
  if (!c.cpu_ms.value || !user || !system) return;
  const double sum = static_cast<double>(*user) + static_cast<double>(*system);
  const double user_share = sum > 0 ? static_cast<double>(*user) / sum : 1;
  c.user_ms = {*c.cpu_ms.value * user_share, "cgroup-v1:cpuacct.usage split as usage_user, usage_sys"};
  c.system_ms = {*c.cpu_ms.value - *c.user_ms.value, "cgroup-v1:cpuacct.usage split as usage_user, usage_sys"};
}

template <class T>
void lessen(Counter<T>& counter, T by) {
  if (counter.value) counter.value = *counter.value - std::min(*counter.value, by);
}

// v1 has the kinds on their own. On v2 `file` includes `shmem`, on v1 `total_cache` does.
MemoryParts parse_parts(std::string_view text, bool v2) {
  MemoryParts p;
  p.anonymous = keyed_number(text, v2 ? "anon" : "total_rss");
  p.shared = keyed_number(text, v2 ? "shmem" : "total_shmem");
  p.kernel = v2 ? keyed_number(text, "kernel") : std::nullopt;
  const auto cache = keyed_number(text, v2 ? "file" : "total_cache");
  if (cache && p.shared) p.file_cache = *cache - std::min(*cache, *p.shared);
  return p;
}

void keep_larger(std::optional<std::uint64_t>& most, std::optional<std::uint64_t> now) {
  if (now) most = std::max(most.value_or(0), *now);
}

void add_parts(ResourceUsage& usage, const MemoryParts& most, std::string_view source) {
  add(usage, Figure::peak_anonymous_bytes, count(most.anonymous, source));
  add(usage, Figure::peak_shared_bytes, count(most.shared, source));
  add(usage, Figure::peak_file_cache_bytes, count(most.file_cache, source));
  add(usage, Figure::peak_kernel_bytes, count(most.kernel, source));
}

}  // namespace

void Counters::add_to(ResourceUsage& usage) const {
  add(usage, Figure::cpu_ms, cpu_ms);
  add(usage, Figure::user_ms, user_ms);
  add(usage, Figure::system_ms, system_ms);
  add(usage, Figure::peak_memory_bytes, peak_memory_bytes);
  add_parts(usage, memory_most, memory_parts_source);
  add(usage, Figure::peak_processes, peak_tasks);
  add(usage, Figure::io_read_bytes, io_read_bytes);
  add(usage, Figure::io_write_bytes, io_write_bytes);
  add(usage, Figure::throttled_ms, throttled_ms);
  add(usage, Figure::oom_kills, oom_kills);
  add(usage, Figure::process_limit_hits, pids_max_hits);
  add(usage, Figure::memory_high_hits, memory_high_hits);
  add(usage, Figure::pressure_cpu_ms, pressure_cpu_ms);
  add(usage, Figure::pressure_memory_ms, pressure_memory_ms);
  add(usage, Figure::pressure_io_ms, pressure_io_ms);
}

Counters RunGroup::read() const {
  Counters c;
  const auto number = [](const sys::UniqueFd& fd) { return parse_number(read_again(fd.get())); };
  const std::string cpu_stat = read_again(cpu_stat_.get());
  if (cpu_v2_) {
    constexpr std::string_view kSource = "cgroup-v2:cpu.stat";
    c.cpu_ms = scaled(keyed_number(cpu_stat, "usage_usec"), kUsPerMs, kSource);
    c.user_ms = scaled(keyed_number(cpu_stat, "user_usec"), kUsPerMs, kSource);
    c.system_ms = scaled(keyed_number(cpu_stat, "system_usec"), kUsPerMs, kSource);
  } else {
    c.cpu_ms = scaled(number(cpu_usage_), kNsPerMs, "cgroup-v1:cpuacct.usage");
    split_v1(c, number(cpu_user_), number(cpu_system_));
  }
  // Throttling: v2 in µs, v1 in ns; each file has only its own key.
  const auto throttled_us = keyed_number(cpu_stat, "throttled_usec");
  c.throttled_ms = throttled_us ? scaled(throttled_us, kUsPerMs, "cgroup-v2:cpu.stat")
                                : scaled(keyed_number(cpu_stat, "throttled_time"), kNsPerMs, "cgroup-v1:cpu.stat");
  c.nr_throttled =
      count(keyed_number(cpu_stat, "nr_throttled"), throttled_us ? "cgroup-v2:cpu.stat" : "cgroup-v1:cpu.stat");
  read_memory(c);
  read_pids(c);
  read_io(c);
  read_pressure(c);
  leave_out_before(c);
  return c;
}

void RunGroup::read_io(Counters& c) const {
  if (!io_stat_) return;
  const std::string io = read_again(io_stat_.get());  // empty until a device was used
  c.io_read_bytes = count(sum_io(io, "rbytes="), "cgroup-v2:io.stat");
  c.io_write_bytes = count(sum_io(io, "wbytes="), "cgroup-v2:io.stat");
}

void RunGroup::read_pressure(Counters& c) const {
  c.pressure_cpu_ms = scaled(some_total(read_again(cpu_pressure_.get())), kUsPerMs, "cgroup-v2:cpu.pressure");
  c.pressure_memory_ms = scaled(some_total(read_again(memory_pressure_.get())), kUsPerMs, "cgroup-v2:memory.pressure");
  c.pressure_io_ms = scaled(some_total(read_again(io_pressure_.get())), kUsPerMs, "cgroup-v2:io.pressure");
}

void RunGroup::count_from_here(double cpu_ms) {
  before_.cpu_ms = cpu_ms;
  if (!leaf_) return;  // v1 groups are joined when the sandbox is built
  Counters c;
  read_io(c);
  read_pressure(c);
  before_.io_read_bytes = c.io_read_bytes.value.value_or(0);
  before_.io_write_bytes = c.io_write_bytes.value.value_or(0);
  before_.pressure_cpu_ms = c.pressure_cpu_ms.value.value_or(0);
  before_.pressure_memory_ms = c.pressure_memory_ms.value.value_or(0);
  before_.pressure_io_ms = c.pressure_io_ms.value.value_or(0);
  const auto throttled_us = keyed_number(read_again(cpu_stat_.get()), "throttled_usec");
  before_.throttled_ms = static_cast<double>(throttled_us.value_or(0)) / kUsPerMs;
}

void RunGroup::leave_out_before(Counters& c) const {
  lessen(c.cpu_ms, before_.cpu_ms);
  if (c.cpu_ms.value && c.user_ms.value && c.system_ms.value) {  // building the sandbox is nothing but system calls
    c.user_ms.value = std::min(*c.user_ms.value, *c.cpu_ms.value);
    c.system_ms.value = *c.cpu_ms.value - *c.user_ms.value;
  }
  lessen(c.throttled_ms, before_.throttled_ms);
  lessen(c.pressure_cpu_ms, before_.pressure_cpu_ms);
  lessen(c.pressure_memory_ms, before_.pressure_memory_ms);
  lessen(c.pressure_io_ms, before_.pressure_io_ms);
  lessen(c.io_read_bytes, before_.io_read_bytes);
  lessen(c.io_write_bytes, before_.io_write_bytes);
}

void RunGroup::read_memory(Counters& c) const {
  const std::string events = read_again(memory_events_.get());
  c.oom_kills =
      count(keyed_number(events, "oom_kill"), memory_v2_ ? "cgroup-v2:memory.events" : "cgroup-v1:memory.oom_control");
  if (memory_v2_) {
    c.memory_oom = count(keyed_number(events, "oom"), "cgroup-v2:memory.events");
  } else if (ran_out_) {
    c.memory_oom = {sys::has_bytes(ran_out_.get()) ? 1U : 0U, "cgroup-v1:memory.oom_control (event)"};
  }
  if (memory_v2_) c.memory_high_hits = count(keyed_number(events, "high"), "cgroup-v2:memory.events");
  c.memory_now = memory_now_;
  c.memory_most = memory_most_;
  c.memory_parts_source = memory_v2_ ? "cgroup-v2:memory.stat (sampled)" : "cgroup-v1:memory.stat (sampled)";
  const auto current = parse_number(read_again(memory_current_.get()));
  c.current_memory_bytes = count(current, memory_v2_ ? "cgroup-v2:memory.current" : "cgroup-v1:memory.usage_in_bytes");
  if (memory_peak_) {
    c.peak_memory_bytes = count(parse_number(read_again(memory_peak_.get())),
                                memory_v2_ ? "cgroup-v2:memory.peak" : "cgroup-v1:memory.max_usage_in_bytes");
  } else if (current && std::max(*current, sampled_memory_) > 0) {  // 0 is what is left, not what was used
    c.peak_memory_bytes = count(std::max(*current, sampled_memory_), "cgroup-v2:memory.current (sampled)");
  }
}

void RunGroup::read_pids(Counters& c) const {
  if (!pids_events_ && !pids_current_) return;
  const auto hits =
      pids_hits_before_kill_ ? pids_hits_before_kill_ : keyed_number(read_again(pids_events_.get()), "max");
  c.pids_max_hits = count(hits, pids_v2_ ? "cgroup-v2:pids.events" : "cgroup-v1:pids.events");
  const auto now = parse_number(read_again(pids_current_.get()));
  c.current_tasks = count(now, pids_v2_ ? "cgroup-v2:pids.current" : "cgroup-v1:pids.current");
  if (pids_peak_) {
    c.peak_tasks =
        count(parse_number(read_again(pids_peak_.get())), pids_v2_ ? "cgroup-v2:pids.peak" : "cgroup-v1:pids.peak");
  } else if (now && std::max(*now, sampled_tasks_) > 0) {
    c.peak_tasks = count(std::max(*now, sampled_tasks_),
                         pids_v2_ ? "cgroup-v2:pids.current (sampled)" : "cgroup-v1:pids.current (sampled)");
  }
}

void RunGroup::sample_memory_parts() {
  const auto* directory = directory_of(Controller::memory);
  if (directory == nullptr) return;
  if (!memory_stat_) memory_stat_ = open_reading(directory->fd.get(), "memory.stat");
  memory_now_ = parse_parts(read_again(memory_stat_.get()), memory_v2_);
  keep_larger(memory_most_.anonymous, memory_now_.anonymous);
  keep_larger(memory_most_.shared, memory_now_.shared);
  keep_larger(memory_most_.file_cache, memory_now_.file_cache);
  keep_larger(memory_most_.kernel, memory_now_.kernel);
}

MemoryParts RunGroup::sample() {
  sample_memory_parts();
  if (!memory_peak_) {
    sampled_memory_ = std::max(sampled_memory_, parse_number(read_again(memory_current_.get())).value_or(0));
  }
  if (!pids_peak_) sampled_tasks_ = std::max(sampled_tasks_, parse_number(read_again(pids_current_.get())).value_or(0));
  return memory_now_;
}

std::uint64_t RunGroup::cpu_usage_us() const {
  const std::uint64_t all = cpu_v2_ ? keyed_number(read_again(cpu_stat_.get()), "usage_usec").value_or(0)
                                    : parse_number(read_again(cpu_usage_.get())).value_or(0) / 1000;
  return all - std::min(all, static_cast<std::uint64_t>(before_.cpu_ms * kUsPerMs));
}

std::uint64_t RunGroup::oom_kill_count() const {
  return keyed_number(read_again(memory_events_.get()), "oom_kill").value_or(0);
}

std::uint64_t RunGroup::pids_max_hits() const {
  if (pids_hits_before_kill_) return *pids_hits_before_kill_;
  return keyed_number(read_again(pids_events_.get()), "max").value_or(0);
}

}  // namespace helios::cgroup
