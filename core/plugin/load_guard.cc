#include "core/plugin/load_guard.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <mutex>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace helios::plugin {
namespace {

constexpr std::array kSignals{SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM};

// One load at a time (the loader has one lock anyway), so the handler finds its way back through these.
std::mutex one_load;
sigjmp_buf way_back;
pthread_t loading_thread;

void on_signal(int signal) {
  if (::pthread_equal(::pthread_self(), loading_thread) != 0) siglongjmp(way_back, signal);
  ::signal(signal, SIG_DFL);  // another thread's own fault: it strikes again and is not ours
}

/// Puts our handlers in place and the old ones back.
class Handlers {
 public:
  Handlers() noexcept {
    struct sigaction ours {};
    ours.sa_handler = on_signal;
    sigemptyset(&ours.sa_mask);
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &ours, &before_[i]);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    ::pthread_sigmask(SIG_UNBLOCK, &alarm, &mask_before_);
  }
  Handlers(const Handlers&) = delete;
  Handlers& operator=(const Handlers&) = delete;
  ~Handlers() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
    ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
  }

 private:
  std::array<struct sigaction, kSignals.size()> before_{};
  sigset_t mask_before_{};
};

/// SIGALRM for this thread at the deadline. A timer of its own: alarm() and setitimer() belong to the program.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds after) noexcept {
    struct sigevent event {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGALRM;
    event.sigev_notify_thread_id = static_cast<pid_t>(::syscall(SYS_gettid));
    armed_ = ::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
    if (!armed_) return;
    struct itimerspec when {};
    when.it_value.tv_sec = after.count() / 1000;
    when.it_value.tv_nsec = after.count() % 1000 * 1000000;
    ::timer_settime(timer_, 0, &when, nullptr);
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() {
    if (armed_) ::timer_delete(timer_);
  }

 private:
  timer_t timer_{};
  bool armed_{false};
};

/// Alone in a function: nothing with a destructor lives between the setjmp and the jump.
[[gnu::noinline]] int call_with_way_back(void (*work)(void*), void* argument) {
  const int signal = sigsetjmp(way_back, 1);
  if (signal == 0) work(argument);
  return signal;
}

}  // namespace

int run_guarded(void (*work)(void*), void* argument, std::chrono::milliseconds deadline) noexcept {
  const std::lock_guard lock(one_load);
  loading_thread = ::pthread_self();
  const Handlers handlers;
  const Deadline alarm(deadline);
  return call_with_way_back(work, argument);
}

}  // namespace helios::plugin
