#include "core/executor/cancel_signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/sys/file.h"

namespace helios {
namespace {

// A handler can only reach what has static storage.
volatile sig_atomic_t signal_pipe = -1;

void write_signal(int signal) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(signal);
  const int fd = static_cast<int>(signal_pipe);
  if (fd >= 0) (void)!::write(fd, &byte, 1);  // a full pipe already holds enough requests
  errno = saved;
}

bool ignored_by_nohup(int signal) {
  struct sigaction now {};
  return signal == SIGHUP && ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

Result<CancelSignals> CancelSignals::install() {
  CancelSignals c;
  auto pipe = sys::make_pipe();
  if (!pipe) return fail(pipe.error());
  for (const int end : {pipe->read.get(), pipe->write.get()}) (void)::fcntl(end, F_SETFL, O_NONBLOCK);
  c.read_ = std::move(pipe->read);
  c.write_ = std::move(pipe->write);
  signal_pipe = c.write_.get();
  struct sigaction act {};
  act.sa_handler = write_signal;
  act.sa_flags = SA_RESTART;
  sigemptyset(&act.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (ignored_by_nohup(kSignals[i])) act.sa_handler = SIG_IGN;
    ::sigaction(kSignals[i], &act, &c.before_[i]);
    act.sa_handler = write_signal;
  }
  c.installed_ = true;
  return c;
}

CancelSignals::CancelSignals(CancelSignals&& other) noexcept
    : read_(std::move(other.read_)),
      write_(std::move(other.write_)),
      before_(other.before_),
      installed_(std::exchange(other.installed_, false)) {}

CancelSignals::~CancelSignals() {
  if (!installed_) return;
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
  signal_pipe = -1;
}

void repair_inherited_signals() noexcept {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);
}

}  // namespace helios
