#include "apps/helios-run/stdio.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "core/log.h"

namespace helios::app {

void fill_missing_descriptors() noexcept {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // Read-only even as stdout: a result that goes nowhere has to be noticed. open() takes the lowest number, this one.
    (void)!::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
  }
}

Status write_stdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {  // the caller made it non-blocking
      pollfd ready{STDOUT_FILENO, POLLOUT, 0};
      (void)::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return fail_errno(ErrorCode::io, "cannot write to stdout", errno);
    }
  }
  // Some file systems tell of a full disk only here.
  const int copy = ::dup(STDOUT_FILENO);
  if (copy >= 0 && ::close(copy) != 0 && errno != EINTR)
    return fail_errno(ErrorCode::io, "cannot write to stdout", errno);
  return {};
}

void print_notice(std::string_view text) { (void)!::write(STDERR_FILENO, text.data(), text.size()); }

void print_failure(const Error& error) {
  std::string line = "helios-run: " + error.message;
  if (!error.remedy.empty()) line += " - " + error.remedy;
  line = one_line(line) + "\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace helios::app
