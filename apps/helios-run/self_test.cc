#include "apps/helios-run/self_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/sys/file.h"

namespace helios::app {
namespace {

constexpr const char* kSecret = "helios-bait-4c1d6f";
constexpr const char* kBaitProcess = "helios-bait";
constexpr std::size_t kMaxProgram = 64 << 20;
constexpr std::uint64_t kWallMs = 10'000;

/// Things of the host that an attack could reach. Everything goes with the object.
class Baits {
 public:
  Baits() = default;
  Baits(const Baits&) = delete;
  Baits& operator=(const Baits&) = delete;
  ~Baits() {
    if (process_ > 0) {
      (void)::kill(process_, SIGKILL);
      (void)::waitpid(process_, nullptr, 0);
    }
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  Status lay_out(const std::string& program) {
    char path[] = "/tmp/helios-selftest-XXXXXX";
    if (::mkdtemp(path) == nullptr) return fail_errno(ErrorCode::io, "make a folder in /tmp", errno);
    folder_ = path;
    (void)::chmod(path, 0755);  // closed only by the sandbox
    if (::mkdir(workspace().c_str(), 0755) != 0) return fail_errno(ErrorCode::io, "make " + workspace(), errno);
    if (auto ok = write(secret_file(), kSecret, 0644); !ok) return ok;
    auto bytes = sys::read_file(program, kMaxProgram);
    if (!bytes) return fail(bytes.error().while_doing("read the probe"));
    if (auto ok = write(workspace() + "/probe", *bytes, 0755); !ok) return ok;
    if (auto ok = listen_on_loopback(); !ok) return ok;
    if (auto ok = listen_on_unix(abstract_, abstract_name(), true); !ok) return ok;
    if (auto ok = listen_on_unix(named_, socket_file(), false); !ok) return ok;
    return start_process();
  }

  [[nodiscard]] std::string workspace() const { return folder_ + "/ws"; }
  [[nodiscard]] std::string secret_file() const { return folder_ + "/secret"; }
  [[nodiscard]] std::string socket_file() const { return folder_ + "/socket"; }
  [[nodiscard]] std::string abstract_name() const { return folder_.substr(5); }  // without "/tmp/"
  [[nodiscard]] std::string port() const { return std::to_string(port_); }
  [[nodiscard]] std::string process() const { return std::to_string(process_); }

 private:
  static Status write(const std::string& path, std::string_view text, mode_t mode) {
    auto fd = sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (!fd) return fail(fd.error());
    if (auto ok = sys::write_all(fd->get(), text); !ok) return fail(ok.error().while_doing("write " + path));
    return {};
  }

  static Status listening(const sys::UniqueFd& fd, const sockaddr* address, socklen_t size, const std::string& what) {
    if (fd && ::bind(fd.get(), address, size) == 0 && ::listen(fd.get(), 8) == 0) return {};
    return fail_errno(ErrorCode::io, "listen on " + what, errno);
  }

  Status listen_on_loopback() {
    loopback_ = sys::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (auto ok = listening(loopback_, generic, size, "the loopback"); !ok) return ok;
    if (::getsockname(loopback_.get(), generic, &size) != 0) return fail_errno(ErrorCode::io, "find the port", errno);
    port_ = ntohs(address.sin_port);
    return {};
  }

  static Status listen_on_unix(sys::UniqueFd& fd, const std::string& name, bool abstract) {
    fd = sys::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t at = abstract ? 1 : 0;
    if (name.size() + 1 >= sizeof address.sun_path) return fail(ErrorCode::io, "socket name too long: " + name);
    std::memcpy(address.sun_path + at, name.data(), name.size());
    const std::size_t size = offsetof(sockaddr_un, sun_path) + at + name.size() + (abstract ? 0 : 1);
    if (auto ok = listening(fd, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(size), name); !ok)
      return ok;
    if (!abstract) (void)::chmod(name.c_str(), 0666);
    return {};
  }

  Status start_process() {
    process_ = ::fork();
    if (process_ < 0) return fail_errno(ErrorCode::io, "start the bait process", errno);
    if (process_ > 0) return {};
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, kBaitProcess);
    ::signal(SIGUSR1, SIG_IGN);  // what an attack sends
    for (;;) ::pause();
  }

  std::string folder_;
  sys::UniqueFd loopback_, abstract_, named_;
  unsigned port_{0};
  pid_t process_{-1};
};

/// What a policy may open on purpose.
enum class Grant { never, network, nested_namespaces };

struct Attack {
  const char* name;
  const char* about;
  std::vector<std::string> arguments;
  Grant grant{Grant::never};
};

/// One of our own variables, as it stands in /proc/self/environ.
std::string own_variable(const Surroundings& around) {
  for (const EnvVar& v : around.env) {
    if (v.value.size() > 3) return v.name + "=" + v.value;
  }
  return {};
}

std::vector<Attack> attacks(const Baits& baits, const SelfTest& test) {
  // Only where the mounts are the sandbox's own may the probe spoil them; elsewhere it makes a namespace first.
  const std::vector<std::string> inside =
      test.runner == "isolated" ? std::vector<std::string>{"inside"} : std::vector<std::string>{};
  return {
      {"ptrace-parent", "trace the process that started it", {}},
      {"process-vm", "read the memory of the process that started it", {}},
      {"prlimit-parent", "change the limits of the process that started it", {}},
      {"parent-memory-file", "write the memory of the process that started it", {}},
      {"pidfd-getfd", "take a descriptor of the process that started it", {}},
      {"overwrite-program", "overwrite the program of init or helios-run (CVE-2019-5736)", {}},
      {"leaked-fd", "use a descriptor that was left open (CVE-2024-21626)", {}},
      {"environ-secret", "read the environment of helios-run", {own_variable(test.around)}},
      {"join-namespaces", "join namespaces of the host", {}},
      {"see-process", "see a process of the host", {kBaitProcess}},
      {"signal-outside", "send a signal to a process of the host", {baits.process()}},
      {"read-file", "read a file outside the workspace", {baits.secret_file(), kSecret}},
      {"link-file", "link to a file outside the workspace", {baits.secret_file(), kSecret}},
      {"write-outside", "write outside the workspace", {"/", "/usr", "/etc", "/var", "/run", "/dev", "/proc"}},
      {"open-for-writing", "change a file outside the workspace", {baits.secret_file()}},
      {"read-from", "read /etc/shadow, kernel memory and log", {"/etc/shadow", "/proc/kcore", "/proc/kmsg"}},
      {"open-for-writing",
       "write kernel settings (CVE-2025-31133 and its like)",
       {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper"}},
      {"writable-below", "find anything to write in /proc/sys", {"/proc/sys", "6"}},
      {"cgroup-write", "write control group files", {}},
      {"device-files", "open devices of the host", {}},
      {"console", "open the console (CVE-2025-52565)", {}},
      {"make-device", "make a device file", {}},
      {"name-to-handle", "ask for the handle of a file", {}},
      {"open-by-handle", "open a file by its handle", {}},
      {"leave-setuid", "leave a set-user-id file behind (modes with 06000)", {}},
      {"file-capabilities", "give a file capabilities", {}},
      {"become-root", "become root", {}},
      {"capabilities", "hold a capability", {}},
      {"int80", "make 32-bit system calls (int 0x80)", {}},
      {"x32", "make x32 system calls", {}},
      {"userns-unshare", "make a user namespace by unshare", {}, Grant::nested_namespaces},
      {"userns-clone", "make a user namespace by clone", {}, Grant::nested_namespaces},
      {"userns-clone-high", "the same with a bit that the kernel cuts off", {}, Grant::nested_namespaces},
      {"userns-clone3", "make a user namespace by clone3", {}, Grant::nested_namespaces},
      {"namespaces-clone", "make other namespaces", {}},
      {"mounts", "mount and unmount", inside},
      {"mounts-new-calls", "mount by the new calls", inside},
      {"fake-proc", "put a /proc of its own over the real one (CVE-2019-16884, CVE-2025-52881)", inside},
      {"change-root", "change the root directory", {}},
      {"io-uring", "use io_uring", {}},
      {"keys", "use keyrings", {}},
      {"bpf", "load BPF", {}},
      {"perf", "watch by perf events", {}},
      {"userfaultfd", "use userfaultfd", {}},
      {"personality", "make all of its memory executable (personality)", {}},
      {"modify-ldt", "use the local descriptor table", {}},
      {"fanotify", "watch the host's files (fanotify)", {}},
      {"kernel-log", "read the kernel's log", {}},
      {"privileged-calls", "make calls of root's: reboot, modules, swap, kexec", {}},
      {"vsock", "talk to the hypervisor (AF_VSOCK)", {}},
      {"vsock-high", "the same with bits that the kernel cuts off", {}},
      {"odd-sockets", "open packet, crypto, key and other sockets", {}},
      {"network", "reach a listener on the host's loopback", {baits.port()}, Grant::network},
      {"abstract-socket", "reach an abstract socket of the host", {baits.abstract_name()}, Grant::network},
      {"path-socket", "reach a socket file of the host", {baits.socket_file()}},
      {"tiocsti", "push input into the terminal it was started from (TIOCSTI, CVE-2017-5226)", {}},
      {"tiocsti-own-pty", "the same on a terminal of its own", {}},
      {"tioclinux", "steer the console's keyboard (TIOCLINUX)", {}},
      {"raise-rlimit", "raise a hard limit", {}},
      {"raise-priority", "get a higher or a real-time priority", {}},
      {"huge-pages", "use huge pages, which no memory limit counts", {}},
      {"lower-core-limit", "have the host's crash handler started, as root, for a crash", {}},
  };
}

bool granted(Grant grant, const SelfTest& test) {
  const SandboxProfile& profile = test.policy.profile;
  switch (grant) {
    case Grant::never:
      return false;
    case Grant::network:
      return test.options.network.value_or(profile.network) == Network::host;
    case Grant::nested_namespaces:
      return profile.nested_user_namespaces;
  }
  return false;
}

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

/// The probe's exit status says how it went: 0 through, 1 stopped, 2 could not be tried.
void judge(const WorkerResult& result, bool allowed, ProbeReport& report) {
  const Termination& end = result.execution.termination;
  report.detail = first_line(result.out.text);
  if (end.reason == Reason::syscall_denied || (end.reason == Reason::signaled && end.signal == SIGSYS)) {
    report.verdict = Verdict::stopped;
    report.detail = "ended by the filter: " + end.detail;
  } else if (end.reason != Reason::exited || end.exit_code > 2) {
    report.detail = end.detail;
  } else if (end.exit_code == 0) {
    report.verdict = allowed ? Verdict::allowed : Verdict::got_through;
  } else if (end.exit_code == 1) {
    report.verdict = Verdict::stopped;
  }
}

}  // namespace

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::stopped:
      return "stopped";
    case Verdict::allowed:
      return "allowed";
    case Verdict::got_through:
      return "not-stopped";
    case Verdict::not_tried:
      return "not-tried";
  }
  return "?";
}

Result<std::vector<ProbeReport>> run_self_test(Executor& executor, const SelfTest& test) {
  Baits baits;
  if (auto ok = baits.lay_out(test.program); !ok) return fail(ok.error().while_doing("lay out the self-test"));
  RunOptions options = test.options;
  options.workspace = baits.workspace();
  options.workspace_ids = WorkspaceIds::chown;  // works on every file system, and the tree is ours
  if (!options.limits[Limit::wall_time]) options.limits[Limit::wall_time] = kWallMs;
  std::vector<ProbeReport> reports;
  for (const Attack& attack : attacks(baits, test)) {
    ProbeReport report{attack.name, attack.about, Verdict::not_tried, ""};
    Job job;
    job.argv = {"./probe", attack.name};
    job.argv.insert(job.argv.end(), attack.arguments.begin(), attack.arguments.end());
    auto request = executor.prepare(job, test.policy, options, test.around);
    if (!request) return fail(request.error());
    auto result = executor.run(job, options, *request);
    if (result) {
      judge(*result, granted(attack.grant, test), report);
    } else {
      report.detail = result.error().message;
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace helios::app
