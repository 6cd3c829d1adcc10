#include "plugins/isolated/denials.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "core/sys/file.h"

namespace helios::isolated {
namespace {

constexpr std::size_t kMaxKinds = 64;  // different calls kept; a hostile program could try all of them

/// The caller's name and pid, as the host sees it. It may be gone already.
std::string process_of(std::uint32_t pid) {
  auto comm = sys::read_file("/proc/" + std::to_string(pid) + "/comm", 64);
  std::string name = comm ? *comm : "?";
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name + " (pid " + std::to_string(pid) + ")";
}

/// What the listener has for us. To be asked before each receive: Linux 6.1 waits for ever for a call of a tree that
/// has ended, when a hang-up is all there is.
short waiting(int listener) {
  pollfd p{listener, POLLIN, 0};
  return ::poll(&p, 1, 0) > 0 ? p.revents : short{0};
}

/// False: the caller still waits for its answer. Without a listener the kernel refuses it, and all that follow.
bool respond(int listener, seccomp_notif_resp& response) {
  int r;
  do {
    r = ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  } while (r != 0 && errno == EINTR);
  return r == 0 || errno == ENOENT;  // it is gone
}

}  // namespace

std::string arguments_of(const seccomp_data& d) {
  std::array<char, 6 * 20> text{};
  int n = 0;
  for (int i = 0; i < 6; ++i) {
    n += std::snprintf(text.data() + n, text.size() - static_cast<std::size_t>(n), "%s0x%llx", i == 0 ? "" : ", ",
                       static_cast<unsigned long long>(d.args[i]));
  }
  return {text.data(), static_cast<std::size_t>(n)};
}

Denial& Denials::entry(std::int64_t number, std::uint32_t arch, const std::string& error) {
  std::string name = syscall_name(number, arch);
  for (Denial& d : seen_) {
    if (d.syscall == name && d.error == error) return d;
  }
  if (seen_.size() >= kMaxKinds) name = "(others)";
  for (Denial& d : seen_) {
    if (d.syscall == name) return d;
  }
  Denial d;
  d.syscall = std::move(name);
  d.number = number;
  d.error = error;
  seen_.push_back(std::move(d));
  return seen_.back();
}

void Denials::listen(sys::UniqueFd listener) {
  listener_ = std::move(listener);
  // Linux 6.6; newer than the headers. The caller is woken on our processor: half the time of a call that is recorded.
  constexpr unsigned long kSetFlags = _IOW('!', 4, std::uint64_t), kSyncWakeUp = 1;
  if (learner_) (void)::ioctl(listener_.get(), kSetFlags, kSyncWakeUp);
}

std::optional<std::string> Denials::answer() {
  const short events = waiting(listener_.get());
  if ((events & POLLIN) == 0) {
    if (events != 0) listener_.reset();
    return std::nullopt;
  }
  // Larger than the kernel's, so that a newer kernel's fields fit.
  union {
    seccomp_notif notification;
    std::array<char, 512> room;
  } in{};
  union {
    seccomp_notif_resp response;
    std::array<char, 512> room;
  } out{};
  if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &in.notification) != 0) {
    if (errno != EINTR && errno != EAGAIN && errno != ENOENT) listener_.reset();
    return std::nullopt;
  }
  const seccomp_data& data = in.notification.data;
  const std::uint32_t action = evaluate(program_, data);
  if (learner_ && action == SECCOMP_RET_LOG) {
    learner_->record(in.notification, listener_.get());
    out.response.id = in.notification.id;
    out.response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    if (!respond(listener_.get(), out.response)) listener_.reset();
    return std::nullopt;
  }
  const bool is_errno = (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
  const int error = is_errno ? static_cast<int>(action & SECCOMP_RET_DATA) : 0;
  Denial& d = entry(data.nr, data.arch, is_errno ? errno_name(error) : "kill");
  if (d.count++ == 0) {
    d.args = arguments_of(data);
    d.process = process_of(in.notification.pid);
  }
  if (!is_errno) return d.syscall + "(" + d.args + ") by " + d.process + " is fatal under this policy";
  out.response.id = in.notification.id;
  out.response.error = -error;
  if (!respond(listener_.get(), out.response)) listener_.reset();
  return std::nullopt;
}

std::optional<std::string> Denials::answer_waiting() {
  constexpr int kAtOnce = 256;
  for (int i = 0; i < kAtOnce; ++i) {
    if (waiting(listener_.get()) == 0) return std::nullopt;
    if (auto fatal = answer(); fatal || !listener_) return fatal;
  }
  return std::nullopt;
}

}  // namespace helios::isolated
