/// The programs that are raced and sandboxed.
///
///   payload hello                   prints a line (the dynamic C hello that start-up is compared with)
///   payload getppid COUNT           prints the nanoseconds of one call
///   payload write BYTES             writes that many bytes, 256 KiB at a time
///   payload read COMMAND [ARG…]     the plain loop: the command's output through a 1 MiB pipe, read and dropped
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

char buffer[256 * 1024];

int getppid_loop(long count) {
  timespec a{}, b{};
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (long i = 0; i < count; ++i) syscall(SYS_getppid);
  clock_gettime(CLOCK_MONOTONIC, &b);
  const double ns = static_cast<double>(b.tv_sec - a.tv_sec) * 1e9 + static_cast<double>(b.tv_nsec - a.tv_nsec);
  printf("%.3f\n", ns / static_cast<double>(count));
  return 0;
}

int write_bytes(long long left) {
  memset(buffer, 'x', sizeof buffer);
  while (left > 0) {
    const ssize_t n =
        write(1, buffer, left < static_cast<long long>(sizeof buffer) ? static_cast<size_t>(left) : sizeof buffer);
    if (n < 0) return 1;
    left -= n;
  }
  return 0;
}

int read_loop(char** argv) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return 1;
  fcntl(fds[0], F_SETPIPE_SZ, 1 << 20);
  const pid_t pid = vfork();
  if (pid == 0) {
    dup2(fds[1], 1);
    execvp(argv[0], argv);
    _exit(127);
  }
  close(fds[1]);
  while (read(fds[0], buffer, sizeof buffer) > 0) {
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "hello") == 0) return puts("hello") < 0;
  if (argc == 3 && strcmp(argv[1], "getppid") == 0) return getppid_loop(atol(argv[2]));
  if (argc == 3 && strcmp(argv[1], "write") == 0) return write_bytes(atoll(argv[2]));
  if (argc >= 3 && strcmp(argv[1], "read") == 0) return read_loop(argv + 2);
  return 2;
}
