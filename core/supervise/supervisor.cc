#include "core/supervise/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "core/supervise/disk_watch.h"
#include "core/supervise/timeline.h"
#include "core/sys/file.h"
#include "core/sys/signal_name.h"

namespace helios::supervise {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kNever = INT64_MAX;
constexpr std::int64_t kCpuTick = 5 * kMs;       // a CPU limit of 1 s is told within 1 %
constexpr std::int64_t kMemoryTick = 20 * kMs;   // only where the kernel does not wake us
constexpr std::int64_t kDiskTick = 150 * kMs;    // held bombs of 2.5 GiB/s in tests
constexpr std::int64_t kDiskSlice = 5 * kMs;     // nothing else is seen meanwhile
constexpr std::int64_t kFirstLook = 10 * kMs;    // what is shorter pays nothing for being looked at
constexpr std::int64_t kLookTick = 150 * kMs;    // 10 us each: 0.01 % of a processor
constexpr std::int64_t kIdleGrace = 2000 * kMs;  // loading a runtime is not idling
constexpr std::int64_t kKillPatience = 10'000 * kMs;
constexpr std::size_t kBuffer = 256 * 1024;
// Answering a refused call costs us, not the command's group, 13 us: a flood of them must not become a way to burn CPU
// that nobody accounts for. A browser's start refuses a few hundred.
constexpr std::int64_t kNoticeBurst = 5000;
constexpr std::int64_t kNoticeInterval = 1 * kMs;

std::int64_t deadline(std::int64_t from, const std::optional<std::uint64_t>& ms) {
  if (!ms || *ms > static_cast<std::uint64_t>(kNever / kMs / 2)) return kNever;
  return from + static_cast<std::int64_t>(*ms) * kMs;
}

std::string seconds(std::uint64_t ms) {
  std::string s = std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    std::string frac = std::to_string(1000 + ms % 1000).substr(1);
    while (frac.back() == '0') frac.pop_back();
    s += "." + frac;
  }
  return s + " s";
}

bool watches_disk(const ExecutionRequest& r) { return r.limits[Limit::disk_bytes] || r.limits[Limit::disk_files]; }

/// One of the command's two streams.
struct Source {
  Stream stream;
  sys::UniqueFd fd;
  std::uint64_t bytes{0};
};

class Loop {
 public:
  Loop(Target& target, Streams streams, const ExecutionRequest& request, Host& host, const Start& start)
      : target_(target),
        host_(host),
        request_(request),
        sources_{Source{Stream::out, std::move(streams.out)}, Source{Stream::err, std::move(streams.err)}},
        buffer_(std::make_unique_for_overwrite<char[]>(kBuffer)),
        started_(start.time_ns),
        active_(start.time_ns + kIdleGrace),
        disk_base_(start.disk),
        helpers_(start.helpers) {
    const std::int64_t started = started_;
    for (const Source& s : sources_) (void)::fcntl(s.fd.get(), F_SETFL, O_NONBLOCK);
    wall_ = deadline(started, request.limits[Limit::wall_time]);
    cpu_tick_ = request.limits[Limit::cpu_time] ? started + kCpuTick : kNever;
    memory_tick_ = request.limits[Limit::memory] && target.memory_fd() < 0 ? started + kMemoryTick : kNever;
    if (request.limits[Limit::idle_time]) {
      idle_step_ = std::clamp<std::int64_t>(static_cast<std::int64_t>(*request.limits[Limit::idle_time]) * kMs / 10,
                                            50 * kMs, 1000 * kMs);
      idle_tick_ = started + idle_step_;
      idle_cpu_ = target.cpu_us().value_or(0);
      idle_checked_ = started;
    }
    if (watches_disk(request)) disk_tick_ = started + kDiskTick;
    if (watches_disk(request) || idle_tick_ != kNever) {
      // Once, so that it stays the same folder whatever gets its name.
      workspace_ = sys::open_file(request.workspace, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    }
    if (request.timeline_ms != 0) sample_tick_ = started;
    look_tick_ = started + kFirstLook;
  }

  Observation run() {
    while (!seen_.ended) {
      wait();
      read_sources();
      check_cancel();
      check_output();
      if (const bool pending = (fds_[kEvent].revents != 0); pending) check_event();
      const std::int64_t now = now_ns();
      if (!seen_.ended) {
        check_wall(now);
        check_idle(now);
        check_cpu(now);
        check_disk(now);
        check_memory(now);
        check_notice();
        look(now);
        sample(now);
        escalate(now);
        if (kill_time_ != 0 && now - kill_time_ > kKillPatience) break;
      }
    }
    seen_.end_ns = seen_.ended ? seen_.ended->time_ns : now_ns();
    if (look_tick_ > started_ + kFirstLook) look(look_tick_ = now_ns());  // what the command leaves is still charged
    if (sample_tick_ != kNever) sample(sample_tick_ = now_ns());          // the last word
    if (seen_.ended) check_times_at_end();
    target_.kill();
    if (seen_.ended) check_disk_at_end();
    drain();
    return std::move(seen_);
  }

 private:
  enum Slot { kEvent, kOut, kErr, kCancel, kNotice, kMemory, kSlots };

  void wait() {
    const bool holding = now_ns() < notice_at_;  // refused calls come too fast: the next one waits its turn
    const std::array<int, kSlots> fd{target_.event_fd(),
                                     sources_[0].fd.get(),
                                     sources_[1].fd.get(),
                                     host_.cancel_fd(),
                                     holding || notice_gone_ ? -1 : target_.notice_fd(),
                                     target_.memory_fd()};
    for (int i = 0; i < kSlots; ++i) {
      fds_[static_cast<std::size_t>(i)] = {fd[static_cast<std::size_t>(i)],
                                           static_cast<short>(i == kMemory ? POLLPRI : POLLIN), 0};
    }
    const std::int64_t until =
        std::min({wall_, holding ? notice_at_ : kNever, idle_tick_, cpu_tick_, memory_tick_, disk_tick_, look_tick_,
                  sample_tick_, kill_at_, kill_time_ != 0 ? kill_time_ + kKillPatience : kNever});
    const std::int64_t left = std::max<std::int64_t>(0, until == kNever ? kNever : until - now_ns());
    const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    if (::ppoll(fds_.data(), fds_.size(), until == kNever ? nullptr : &timeout, nullptr) <= 0) {
      for (pollfd& p : fds_) p.revents = 0;
    }
  }

  /// Where the host keeps the bytes, if it can say and every byte of one read may be kept: no copy then. Else the
  /// buffer.
  std::span<char> space_for(const Source& s, std::uint64_t left) {
    constexpr std::size_t kWorthwhile = 64 * 1024;  // a small room would cost more calls than it saves copying
    const std::span<char> room = host_.room(s.stream);
    const std::size_t size = std::min(room.size(), kBuffer);
    if (size >= kWorthwhile && size <= left) return room.first(size);
    return {buffer_.get(), kBuffer};
  }

  /// One read per stream and turn: a flood on one must not keep the rest waiting.
  void read_sources() {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      if (fds_[kOut + i].revents != 0) read_one(sources_[i]);
    }
  }

  bool read_one(Source& s) {
    const auto& limit = request_.limits[Limit::output_bytes];
    const std::uint64_t left = limit ? *limit - std::min(*limit, s.bytes) : UINT64_MAX;
    const std::span<char> into = space_for(s, left);
    const ssize_t n = ::read(s.fd.get(), into.data(), into.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return false;
    if (n <= 0) {
      s.fd.reset();
      return false;
    }
    s.bytes += static_cast<std::uint64_t>(n);
    const std::size_t keep = static_cast<std::size_t>(std::min<std::uint64_t>(left, static_cast<std::uint64_t>(n)));
    if (keep != 0) host_.output(s.stream, {into.data(), keep});
    spoke_ = true;
    return true;
  }

  void check_cancel() {
    if (fds_[kCancel].revents != 0) read_cancel();
  }

  void read_cancel() {
    std::array<unsigned char, 16> bytes{};
    const ssize_t n = ::read(host_.cancel_fd(), bytes.data(), bytes.size());
    for (ssize_t i = 0; i < n; ++i) {
      if (seen_.cancel_signal != 0) {
        kill_now();
        continue;
      }
      seen_.cancel_signal = bytes[static_cast<std::size_t>(i)];
      if (set_cause(Reason::cancelled, "cancelled by " + sys::signal_name(seen_.cancel_signal))) ask_to_end();
    }
  }

  void check_output() {
    const auto& limit = request_.limits[Limit::output_bytes];
    if (!limit) return;
    for (const Source& s : sources_) {
      if (s.bytes <= *limit) continue;
      const char* which = s.stream == Stream::out ? "stdout" : "stderr";
      if (set_cause(Reason::output_limit, std::string("more than ") + std::to_string(*limit) + " bytes on " + which)) {
        seen_.evidence.push_back({which, "bytes", static_cast<std::int64_t>(s.bytes)});
        kill_now();
      }
    }
  }

  void check_event() { seen_.ended = target_.on_event(); }

  void check_wall(std::int64_t now) {
    if (now < wall_) return;
    wall_ = kNever;
    if (set_cause(Reason::wall_time_limit, "ran for " + seconds(*request_.limits[Limit::wall_time]))) {
      seen_.evidence.push_back({"clock", "elapsedMs", (now - started_) / kMs});
      ask_to_end();
    }
  }

  /// CPU use that is no work: a hung browser that still draws its empty page was measured at 3.5 % of a processor, work
  /// takes all it gets. Where a limit allows less than that, a quarter of what is allowed.
  [[nodiscard]] std::uint64_t idle_noise_us(std::int64_t elapsed_us) const {
    constexpr std::uint64_t kNoiseMilliCpus = 80;
    const std::uint64_t allowed = request_.limits[Limit::cpus].value_or(1000);
    return static_cast<std::uint64_t>(elapsed_us) * std::min(kNoiseMilliCpus, allowed / 4) / 1000;
  }

  /// It wants a processor and hardly gets one: what looks idle then is the host's fault. A hung program that draws its
  /// empty page wants little; half of the time is far above that and far below what work wants.
  bool starved(std::int64_t elapsed_us) {
    const auto before = std::exchange(idle_wait_, target_.cpu_wait());
    return before && cgroup::is_starved(*before, *idle_wait_, static_cast<std::uint64_t>(elapsed_us));
  }

  void check_idle(std::int64_t now) {
    if (now < idle_tick_) return;
    idle_tick_ = now + idle_step_;
    const std::uint64_t cpu = target_.cpu_us().value_or(0);
    const std::uint64_t file = output_size();
    const std::int64_t elapsed_us = (now - idle_checked_) / 1000;
    const bool worked = spoke_ || cpu > idle_cpu_ + idle_noise_us(elapsed_us) || file != idle_file_;
    if (worked) idle_wait_.reset();
    if (worked || starved(elapsed_us)) active_ = std::max(active_, now);
    idle_cpu_ = cpu;
    idle_file_ = file;
    idle_checked_ = now;
    spoke_ = false;
    const std::uint64_t limit = *request_.limits[Limit::idle_time];
    if (now - active_ < static_cast<std::int64_t>(limit) * kMs) return;
    idle_tick_ = kNever;
    if (set_cause(Reason::idle_limit,
                  "no output, hardly any CPU use and no growth of the output file for " + seconds(limit))) {
      seen_.evidence.push_back({"clock", "idleMs", (now - active_) / kMs});
      ask_to_end();
    }
  }

  /// Beneath the workspace and through no link: the command may have put one where it leads us into a hanging mount.
  [[nodiscard]] std::uint64_t output_size() const {
    const std::string &path = request_.output_file, &root = request_.workspace;
    if (path.size() <= root.size() + 1 || !workspace_) return 0;
    struct stat st {};
    const auto file = sys::open_beneath(workspace_->get(), path.substr(root.size() + 1), O_PATH);
    if (!file || ::fstat(file->get(), &st) != 0 || !S_ISREG(st.st_mode)) return 0;
    return static_cast<std::uint64_t>(st.st_size);
  }

  void check_cpu(std::int64_t now) {
    if (now < cpu_tick_) return;
    cpu_tick_ = now + kCpuTick;
    const std::uint64_t used = target_.cpu_us().value_or(0);
    const std::uint64_t limit = *request_.limits[Limit::cpu_time];
    if (used < limit * 1000) return;
    cpu_tick_ = kNever;
    if (set_cause(Reason::cpu_time_limit, "the tree used " + seconds(limit) + " of CPU")) {
      seen_.evidence.push_back({"cgroup", "cpuUs", static_cast<std::int64_t>(used)});
      kill_now();
    }
  }

  /// What was used between the last tick and the end counts too: a run that took more than its limit did not keep it.
  /// Looked at before what is left is killed: how process 1 and the sandbox end is our cost.
  void check_times_at_end() {
    check_wall(seen_.end_ns);
    if (cpu_tick_ != kNever) check_cpu(cpu_tick_);
  }

  void check_disk(std::int64_t now) {
    if (now < disk_tick_) return;
    const bool complete = look_at_disk();
    const std::int64_t then = now_ns();
    disk_spent_ += then - now;
    if (seen_.cause) {
      if (*seen_.cause == Reason::disk_limit) kill_now();
      disk_tick_ = kNever;
    } else if (!complete) {
      disk_tick_ = then;
    } else {
      // A big tree is looked at less often: never more than a fifth of a processor for watching.
      disk_tick_ = then + std::max(kDiskTick, 4 * std::exchange(disk_spent_, 0));
    }
  }

  /// The last look: growth between the last tick and the end counts too. Nobody is left who could hide it.
  void check_disk_at_end() {
    if (disk_tick_ == kNever || seen_.cause) return;
    disk_look_.reset();
    while (!look_at_disk()) {
      if (sys::has_bytes(host_.cancel_fd())) read_cancel();
    }
  }

  /// A slice of it; true when nothing is left to see, or a cause was found.
  bool look_at_disk() {
    const auto& bytes = request_.limits[Limit::disk_bytes];
    const auto& files = request_.limits[Limit::disk_files];
    const DiskUse most{bytes ? disk_base_.bytes + *bytes : UINT64_MAX, files ? disk_base_.files + *files : UINT64_MAX};
    if (!workspace_) return disk_is_unknown(workspace_.error());
    if (!disk_look_) disk_look_.emplace(workspace_->get(), most);
    const auto complete = disk_look_->go_on(kDiskSlice);
    if (!complete) return disk_is_unknown(complete.error());
    if (!*complete) return seen_.cause.has_value();
    const DiskUse use = disk_look_->use();
    disk_look_.reset();
    if (use.bytes > most.bytes) {
      disk_grew("bytes", *bytes, use.bytes - disk_base_.bytes);
    } else if (use.files > most.files) {
      disk_grew("files", *files, use.files - disk_base_.files);
    }
    return true;
  }

  void disk_grew(const char* unit, std::uint64_t limit, std::uint64_t growth) {
    if (!set_cause(Reason::disk_limit, "the workspace grew by more than " + std::to_string(limit) + " " + unit)) return;
    seen_.evidence.push_back({"workspace", unit, static_cast<std::int64_t>(growth)});
  }

  /// A limit on what cannot be counted would not be held.
  bool disk_is_unknown(const Error& why) {
    disk_look_.reset();
    if (set_cause(Reason::disk_limit, "the growth of the workspace cannot be told: " + why.message)) {
      seen_.evidence.push_back({"workspace", "errno", why.sys_errno});
    }
    return true;
  }

  void check_memory(std::int64_t now) {
    if (fds_[kMemory].revents == 0 && now < memory_tick_) return;
    if (memory_tick_ != kNever) memory_tick_ = now + kMemoryTick;
    const std::uint64_t kills = target_.oom_kills();
    if (kills == 0) return;
    memory_tick_ = kNever;
    if (set_cause(Reason::memory_limit, "")) kill_now();  // the verdict reads the counters and says the rest
  }

  /// Often at first and rarely later, so that short runs are seen and long ones are left alone.
  void look(std::int64_t now) {
    if (now < look_tick_) return;
    const auto parts = target_.sample();
    look_tick_ = parts ? now + std::clamp(now - started_, kFirstLook, kLookTick) : kNever;
    if (parts && !seen_.ended) keep_words_near_the_memory_limit(*parts);
  }

  /// At its memory limit the kernel ends a run without asking us: what was there is noted when it comes near, and again
  /// each time that it has come nearer. Page cache is no danger: it is given back.
  void keep_words_near_the_memory_limit(const cgroup::MemoryParts& parts) {
    const auto& limit = request_.limits[Limit::memory];
    const std::uint64_t kept = parts.anonymous.value_or(0) + parts.shared.value_or(0);
    if (!limit || seen_.cause || kept < *limit / 4 * 3 || kept < words_at_ + *limit / 16) return;
    words_at_ = kept;
    if (auto words = target_.last_words(); !words.empty()) seen_.last_processes = std::move(words);
  }

  void sample(std::int64_t now) {
    if (now < sample_tick_) return;
    (void)target_.sample();
    sample_tick_ = now + static_cast<std::int64_t>(request_.timeline_ms) * kMs;
    const auto counters = target_.counters();
    if (!counters) {
      sample_tick_ = kNever;
      return;
    }
    host_.output(Stream::timeline,
                 timeline_line(static_cast<double>(now - started_) / static_cast<double>(kMs), *counters, helpers_));
  }

  void check_notice() {
    if (fds_[kNotice].revents == 0) return;
    if ((fds_[kNotice].revents & POLLIN) == 0) {  // hung up: nobody is left under the filter, poll says so for ever
      notice_gone_ = true;
      return;
    }
    if (++notices_ > kNoticeBurst) notice_at_ = now_ns() + kNoticeInterval;
    if (const auto fatal = target_.on_notice(); fatal && set_cause(Reason::syscall_denied, *fatal)) kill_now();
  }

  /// The first cause wins.
  bool set_cause(Reason r, std::string detail) {
    if (seen_.cause) return false;
    seen_.cause = r;
    seen_.detail = std::move(detail);
    if (!seen_.ended) (void)target_.sample();
    const bool too_late = r == Reason::memory_limit && !seen_.last_processes.empty();  // the kernel was faster
    if (r != Reason::cancelled && !seen_.ended && !too_late) seen_.last_processes = target_.last_words();
    return true;
  }

  void ask_to_end() {
    if (seen_.ended) return;
    target_.signal(SIGTERM);
    target_.signal(SIGCONT);  // a stopped group could not answer
    kill_at_ = now_ns() + static_cast<std::int64_t>(request_.grace_ms) * kMs;
  }

  void kill_now() {
    kill_at_ = kNever;
    if (kill_time_ == 0) kill_time_ = now_ns();
    target_.kill();
  }

  void escalate(std::int64_t now) {
    if (now >= kill_at_) kill_now();
  }

  /// What is still in the pipes when everything has ended; a process that escaped cannot hold us.
  void drain() {
    const std::int64_t until = now_ns() + static_cast<std::int64_t>(request_.drain_ms) * kMs;
    while (sources_[0].fd || sources_[1].fd) {
      const std::int64_t left = until - now_ns();
      if (left <= 0) break;
      std::array<pollfd, 2> p{pollfd{sources_[0].fd.get(), POLLIN, 0}, pollfd{sources_[1].fd.get(), POLLIN, 0}};
      const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
      if (::ppoll(p.data(), p.size(), &timeout, nullptr) <= 0) continue;
      for (std::size_t i = 0; i < 2; ++i) {
        if (p[i].revents != 0) (void)read_one(sources_[i]);
      }
    }
    check_output();
  }

  Target& target_;
  Host& host_;
  const ExecutionRequest& request_;
  std::array<Source, 2> sources_;
  std::unique_ptr<char[]> buffer_;
  std::array<pollfd, kSlots> fds_{};
  Observation seen_;

  std::int64_t started_;
  std::int64_t active_;  // the last sign of life
  std::int64_t wall_{kNever}, cpu_tick_{kNever}, memory_tick_{kNever}, disk_tick_{kNever}, idle_tick_{kNever},
      look_tick_{kNever}, sample_tick_{kNever};
  std::int64_t idle_step_{0}, idle_checked_{0};
  std::int64_t kill_at_{kNever};
  std::int64_t kill_time_{0};
  bool notice_gone_{false};
  std::int64_t notices_{0}, notice_at_{0};  // refused calls answered; when the next one may be
  std::uint64_t words_at_{0};               // memory in use when the last words were taken
  std::uint64_t idle_cpu_{0}, idle_file_{0};
  std::optional<cgroup::CpuWait> idle_wait_;  // at the last look, if the run seemed idle then
  bool spoke_{false};
  DiskUse disk_base_;
  Result<sys::UniqueFd> workspace_;
  std::optional<DiskLook> disk_look_;  // one that goes on
  std::int64_t disk_spent_{0};         // on it so far
  std::uint64_t helpers_;
};

}  // namespace

std::int64_t now_ns() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

Result<DiskUse> measure_before(const ExecutionRequest& request, int cancel_fd) {
  if (!watches_disk(request)) return DiskUse{};
  auto use = measure_disk(request.workspace, cancel_fd);
  if (use) return use;
  Error e = use.error().while_doing("count what workspace " + request.workspace + " holds, to limit its growth");
  e.remedy = "let its owner look into all of its folders (chmod -R u+rwX), or name another --workspace";
  return fail(std::move(e));
}

Observation supervise(Target& target, Streams streams, const ExecutionRequest& request, Host& host,
                      const Start& start) {
  return Loop(target, std::move(streams), request, host, start).run();
}

}  // namespace helios::supervise
