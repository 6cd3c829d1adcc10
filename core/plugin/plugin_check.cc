#include "core/plugin/plugin_check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/sys/file.h"
#include "helios/plugin.h"

namespace helios::plugin {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMaxReportBytes = 1 << 20;

// ---- what the child tells: fields one after the other, texts with their length in front
// --------------------------------

class Writer {
 public:
  void number(std::uint64_t n) { bytes_.append(reinterpret_cast<const char*>(&n), sizeof n); }
  void text(std::string_view s) {
    number(s.size());
    bytes_.append(s);
  }
  void error(const Error& e) {
    number(static_cast<std::uint64_t>(e.code));
    text(e.message);
    text(e.remedy);
  }
  [[nodiscard]] std::string take() { return std::exchange(bytes_, {}); }

 private:
  std::string bytes_;
};

/// Reads what a child wrote before it died, which may end anywhere: `good()` turns false, and stays so.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool good() const { return good_; }
  std::uint64_t number() {
    std::uint64_t n = 0;
    if (!take(sizeof n)) return 0;
    std::memcpy(&n, taken_.data(), sizeof n);
    return n;
  }
  std::string text() {
    const std::uint64_t size = number();
    return take(size) ? std::string(taken_) : std::string();
  }
  Error error() {
    const auto code = std::min(number(), static_cast<std::uint64_t>(ErrorCode::internal));
    std::string message = text();
    return Error{static_cast<ErrorCode>(code), std::move(message), text()};
  }

 private:
  bool take(std::uint64_t size) {
    good_ = good_ && size <= rest_.size();
    if (!good_) return false;
    taken_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  std::string_view rest_;
  std::string_view taken_;
  bool good_{true};
};

enum class Outcome : std::uint64_t { failed, worked };

// ---- the child
// -----------------------------------------------------------------------------------------------------------

/// A probe starts nothing whose output counts, and nobody cancels it.
class SilentHost final : public Host {
 public:
  void output(Stream, std::string_view) noexcept override {}
  void log(LogLevel, std::string_view) noexcept override {}
  [[nodiscard]] int cancel_fd() const noexcept override { return -1; }
  [[nodiscard]] Result<Plan> plan_with(std::string_view, const ExecutionRequest&) noexcept override {
    return fail(ErrorCode::unsupported, "plan: not while a plugin is being checked");
  }
};

std::string describe(const LoadedRunner& runner) {
  Writer w;
  w.number(static_cast<std::uint64_t>(Outcome::worked));
  for (const auto& s : {runner.version, runner.summary, runner.build_tag}) w.text(s);
  w.number(runner.abi);
  w.number(runner.starts_nothing ? 1 : 0);
  w.number(runner.inherits_environment ? 1 : 0);
  w.number(runner.confines_nothing ? 1 : 0);
  return w.take();
}

std::string describe(const Error& error) {
  Writer w;
  w.number(static_cast<std::uint64_t>(Outcome::failed));
  w.error(error);
  return w.take();
}

std::string describe(const std::vector<Finding>& findings) {
  Writer w;
  w.number(static_cast<std::uint64_t>(Outcome::worked));
  w.number(findings.size());
  for (const auto& f : findings) {
    w.number(static_cast<std::uint64_t>(f.severity));
    for (const auto& s : {f.feature, f.detail, f.remedy}) w.text(s);
  }
  return w.take();
}

/// Told in two parts, so that the parent knows what came of loading when probing ends the child.
void check(int report, const std::string& file, std::string_view name, const CatalogOptions& options) {
  auto loaded = load_runner(file, name, options);
  if (!sys::write_all(report, loaded ? describe(**loaded) : describe(loaded.error())) || !loaded) return;
  SilentHost host;
  const auto findings = (*loaded)->runner().probe(host);
  (void)sys::write_all(report, findings ? describe(*findings) : describe(findings.error()));
}

/// A plugin that prints must not reach our stdout, nor read our stdin.
void silence() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) (void)::dup2(null, fd);
}

// ---- the parent
// ----------------------------------------------------------------------------------------------------------

struct Ended {
  std::string bytes;
  int status{0};
  bool timed_out{false};
};

/// Reads until the child closed its end, or the deadline.
bool read_until(int fd, Clock::time_point deadline, std::string& bytes) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd wait{fd, POLLIN, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) continue;
    char part[4096];
    const ssize_t n = ::read(fd, part, sizeof part);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || bytes.size() > kMaxReportBytes) return true;
    bytes.append(part, static_cast<std::size_t>(n));
  }
}

Ended watch(pid_t child, int fd, std::chrono::milliseconds deadline) {
  Ended ended;
  ended.timed_out = !read_until(fd, Clock::now() + deadline, ended.bytes);
  siginfo_t info{};
  // A child that closed the pipe is at its end; give it that moment before the group is killed, to learn how it ended.
  while (!ended.timed_out && ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
  ::kill(-child, SIGKILL);
  ::kill(child, SIGKILL);
  while (::waitpid(child, &ended.status, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

Error why_silent(const Ended& ended, const std::string& doing, const CatalogOptions& options) {
  const std::string remedy = "mend or remove the plugin";
  if (ended.timed_out) {
    return {ErrorCode::plugin_rejected,
            doing + ": not done after " + std::to_string(options.check_deadline.count()) + " ms, so it was ended",
            remedy};
  }
  if (WIFSIGNALED(ended.status)) {
    return {ErrorCode::plugin_rejected, doing + ": it crashed (SIG" + ::sigabbrev_np(WTERMSIG(ended.status)) + ")",
            remedy};
  }
  return {ErrorCode::plugin_rejected,
          doing + ": it ended the process with status " + std::to_string(WEXITSTATUS(ended.status)), remedy};
}

void read_probe(Reader& in, const Ended& ended, const CatalogOptions& options, PluginReport& report) {
  const auto outcome = static_cast<Outcome>(in.number());
  if (in.good() && outcome == Outcome::failed) {
    report.probe_error = in.error();
  } else {
    for (std::uint64_t left = in.number(); in.good() && left != 0; --left) {
      Finding f;
      f.severity = static_cast<Severity>(std::min(in.number(), static_cast<std::uint64_t>(Severity::blocking)));
      f.feature = in.text();
      f.detail = in.text();
      f.remedy = in.text();
      if (in.good()) report.findings.push_back(std::move(f));
    }
  }
  if (!in.good()) report.probe_error = why_silent(ended, "probe with " + report.name, options);
}

void read_report(const Ended& ended, const CatalogOptions& options, PluginReport& report) {
  Reader in(ended.bytes);
  const auto outcome = static_cast<Outcome>(in.number());
  if (in.good() && outcome == Outcome::failed) {
    report.refusal = in.error();
    return;
  }
  report.version = in.text();
  report.summary = in.text();
  report.build_tag = in.text();
  report.abi = static_cast<std::uint32_t>(in.number());
  report.starts_nothing = in.number() != 0;
  report.inherits_environment = in.number() != 0;
  report.confines_nothing = in.number() != 0;
  if (in.good()) return read_probe(in, ended, options, report);
  report.refusal = why_silent(ended, "load " + report.file, options);
}

}  // namespace

PluginReport check_plugin(const std::string& file, std::string_view name, const CatalogOptions& options) {
  PluginReport report;
  report.file = file;
  report.name = std::string(name);
  if (!is_runner_name(name)) {
    report.refusal =
        refuse(file, "the name \"" + report.name + "\"", "1 to 32 of a-z, 0-9 and '-'", "rename it").value();
    return report;
  }
  auto pipe = sys::make_pipe();
  if (!pipe) {
    report.refusal = pipe.error();
    return report;
  }
  const pid_t child = ::fork();
  if (child < 0) {
    report.refusal = Error::from_errno(ErrorCode::setup_failed, "fork to check " + file, errno);
    return report;
  }
  if (child == 0) {
    ::setpgid(0, 0);
    silence();
    check(pipe->write.get(), file, name, options);
    ::_exit(0);
  }
  ::setpgid(child, child);  // also here: whoever comes first
  pipe->write.reset();
  read_report(watch(child, pipe->read.get(), options.check_deadline), options, report);
  return report;
}

}  // namespace helios::plugin
