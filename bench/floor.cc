/// The floor: what `helios-run --sandbox=isolated` does under the default policy, by hand, as a program that knows
/// everything beforehand and makes only the system calls this takes. The same namespaces, mounts, ids (an unused host
/// id under a lock, an id-mapped workspace), control groups on v1 by `tasks`, limits, loopback, capabilities, Landlock,
/// filter with its listener, static process 1, pipes, disk measurement and counters; no parsing, no policy, no plugin,
/// no checks, no messages, no JSON. As root on a cgroup v1 host only.
///
///   floor INIT FILTER.raw WORKSPACE [-n RUNS] COMMAND [ARG…]
///
/// With -n it runs that often and prints the median time of one run in microseconds.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/floor_sandbox.h"
#include "core/freestanding/syscalls.h"

namespace {

using namespace floor_bench;
using helios::raw::call;

constexpr const char* kGroups[] = {"/sys/fs/cgroup/memory/helios", "/sys/fs/cgroup/cpuacct/helios",
                                   "/sys/fs/cgroup/pids/helios"};
constexpr unsigned kFirstUid = 1900000000, kUids = 65536;

long must(long r, const char* what) {
  if (r >= 0) return r;
  fprintf(stderr, "floor: %s: %s\n", what, strerror(r == -1 ? errno : static_cast<int>(-r)));
  exit(125);
}

struct Run {
  char* init;
  char* filter;
  char* workspace;
  char** command;
  int number;
};

int init_fd = -1;
char group[3][128];
int group_fd[3];

void put(int dir, const char* name, const char* text) {
  const int fd = static_cast<int>(must(openat(dir, name, O_WRONLY | O_CLOEXEC), name));
  must(write(fd, text, strlen(text)), name);
  close(fd);
}

long long number_in(int dir, const char* name) {
  char text[4096];
  const int fd = static_cast<int>(must(openat(dir, name, O_RDONLY | O_CLOEXEC), name));
  const ssize_t n = must(read(fd, text, sizeof text - 1), name);
  close(fd);
  text[n] = '\0';
  const char* const oom = strstr(text, "oom_kill ");
  return atoll(oom != nullptr ? oom + 9 : text);
}

void make_groups(int number) {
  for (int i = 0; i < 3; ++i) {
    snprintf(group[i], sizeof group[i], "%s/floor-%d-%d", kGroups[i], getpid(), number);
    must(mkdir(group[i], 0755), group[i]);
    group_fd[i] = static_cast<int>(must(open(group[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC), group[i]));
  }
  put(group_fd[0], "memory.limit_in_bytes", "1073741824");
  put(group_fd[0], "memory.memsw.limit_in_bytes", "1073741824");
  put(group_fd[2], "pids.max", "513");
}

/// Bytes and files of the (flat) workspace.
void measure(const char* workspace) {
  char buffer[32768];
  const int fd = static_cast<int>(must(open(workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC), workspace));
  while (syscall(SYS_getdents64, fd, buffer, sizeof buffer) > 0) {
  }
  close(fd);
}

unsigned lease(int* lock) {
  *lock = static_cast<int>(must(open("/run/helios/uids", O_RDWR | O_CREAT | O_CLOEXEC, 0600), "/run/helios/uids"));
  struct flock l {};
  l.l_type = F_WRLCK;
  l.l_len = 1;
  l.l_start = getpid() * 2654435761u % kUids;
  while (fcntl(*lock, F_OFD_SETLK, &l) != 0) l.l_start = (l.l_start + 1) % kUids;
  return kFirstUid + static_cast<unsigned>(l.l_start);
}

/// What the child, which shares our memory, needs.
struct Child {
  char* const* argv;
  int fds[64];
  int count;
  volatile long error;
};

void child(void* arg) {
  auto& c = *static_cast<Child*>(arg);
  constexpr unsigned kNeeded[] = {CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_NET_ADMIN, CAP_DAC_OVERRIDE};
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (unsigned cap : kNeeded) data[0].permitted |= 1U << cap;
  data[0].effective = data[0].inheritable = data[0].permitted;
  call(__NR_capset, &header, data);
  for (unsigned cap : kNeeded) call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
  for (int i = 0; i < c.count; ++i) call(__NR_dup3, c.fds[i], i, 0);
  char* const env[] = {nullptr};
  c.error = call(__NR_execveat, init_fd, "", c.argv, env, AT_EMPTY_PATH);
  for (;;) call(__NR_exit_group, 125);
}

void hold(void*) {
  for (;;) call(__NR_pause);
}

long clone_with(unsigned long flags, int* pidfd, void (*fn)(void*), void* arg) {
  alignas(16) static char stack[2][16384];
  static int turn = 0;
  clone_args args{};
  args.flags = flags;
  args.pidfd = reinterpret_cast<__u64>(pidfd);
  args.stack = reinterpret_cast<__u64>(stack[turn ^= 1]);
  args.stack_size = sizeof stack[0];
  return helios::raw::clone_call(SYS_clone3, reinterpret_cast<long>(&args), sizeof args, fn, arg);
}

void write_map(long pid, const char* name, unsigned inside, unsigned outside) {
  char path[64], line[64];
  snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
  snprintf(line, sizeof line, "%u %u 1\n", inside, outside);
  put(AT_FDCWD, path, line);
}

int mapped_workspace(const char* path, unsigned uid) {
  const int tree = static_cast<int>(
      must(syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), path));
  int pidfd = -1;
  const long pid = must(clone_with(CLONE_VM | CLONE_PIDFD | CLONE_NEWUSER, &pidfd, hold, nullptr), "user namespace");
  struct stat st {};
  must(stat(path, &st), path);
  write_map(pid, "uid_map", st.st_uid, uid);
  write_map(pid, "gid_map", st.st_gid, uid);
  char ns[64];
  snprintf(ns, sizeof ns, "/proc/%ld/ns/user", pid);
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_IDMAP;
  attr.userns_fd = static_cast<__u64>(must(open(ns, O_RDONLY | O_CLOEXEC), ns));
  must(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr), "id-map the workspace");
  close(static_cast<int>(attr.userns_fd));
  kill(static_cast<pid_t>(pid), SIGKILL);
  must(waitpid(static_cast<pid_t>(pid), nullptr, __WALL), "wait");
  close(pidfd);
  return tree;
}

bool receive(int fd, Report* report, int* passed) {
  iovec iov{report, sizeof *report};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr m{};
  m.msg_iov = &iov;
  m.msg_iovlen = 1;
  m.msg_control = control;
  m.msg_controllen = sizeof control;
  if (recvmsg(fd, &m, MSG_CMSG_CLOEXEC) != static_cast<ssize_t>(sizeof *report)) return false;
  if (const cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr) memcpy(passed, CMSG_DATA(c), sizeof *passed);
  return true;
}

/// Returns the raw wait status.
int run(const Run& r) {
  make_groups(r.number);
  measure(r.workspace);
  int out[2], err[2], control[2], lock = -1;
  must(pipe2(out, O_CLOEXEC), "pipe");
  must(pipe2(err, O_CLOEXEC), "pipe");
  fcntl(out[0], F_SETPIPE_SZ, 1 << 20);
  fcntl(err[0], F_SETPIPE_SZ, 1 << 20);
  const unsigned uid = lease(&lock);

  Child c{};
  char* argv[64] = {r.init};
  for (int i = 0; r.command[i] != nullptr && i < 60; ++i) argv[i + 1] = r.command[i];
  c.argv = argv;
  // Everything the child keeps is moved above the numbers it will have there.
  const auto keep = [&c](int fd) {
    c.fds[c.count++] = static_cast<int>(must(fcntl(fd, F_DUPFD_CLOEXEC, 40), "duplicate"));
    close(fd);
  };
  keep(static_cast<int>(must(open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null")));
  keep(out[1]);
  keep(err[1]);
  must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), "socket");
  keep(control[1]);
  keep(static_cast<int>(must(open(r.filter, O_RDONLY | O_CLOEXEC), r.filter)));
  keep(lock);
  for (int i = 0; i < 3; ++i) keep(static_cast<int>(must(openat(group_fd[i], "tasks", O_WRONLY | O_CLOEXEC), "tasks")));
  for (const Bind& b : kBinds) {
    keep(static_cast<int>(
        must(syscall(SYS_open_tree, AT_FDCWD, b.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), b.path)));
  }
  keep(mapped_workspace(r.workspace, uid));

  int pidfd = -1;
  constexpr unsigned long kAll =
      CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  const long pid = must(clone_with(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | kAll, &pidfd, child, &c), "clone");
  must(c.error, "execute process 1");
  write_map(pid, "uid_map", kInsideId, uid);
  write_map(pid, "gid_map", kInsideId, uid);
  must(write(control[0], "g", 1), "go");
  for (int i = 0; i < c.count; ++i) close(c.fds[i]);

  Report report{};
  int listener = -1, status = -1;
  pollfd fds[4] = {{control[0], POLLIN, 0}, {out[0], POLLIN, 0}, {err[0], POLLIN, 0}, {-1, POLLIN, 0}};
  static char buffer[65536];
  while (status < 0) {
    must(poll(fds, 4, 3600000), "poll");
    for (int i = 1; i < 3; ++i) {
      if (fds[i].revents != 0 && read(fds[i].fd, buffer, sizeof buffer) <= 0) fds[i].fd = -1;
    }
    if (fds[3].revents != 0) fds[3].fd = -1;
    if (fds[0].revents == 0) continue;
    if (!receive(control[0], &report, &listener)) must(-EPIPE, "process 1 is gone");
    if (report.kind == 'f') fprintf(stderr, "floor_init.cc:%d: %s\n", report.where, strerror(report.status));
    if (report.kind == 'f') exit(125);
    if (report.kind == 'e') status = report.status;
    fds[3].fd = listener;
  }
  measure(r.workspace);
  must(waitpid(static_cast<pid_t>(pid), nullptr, __WALL), "wait");
  number_in(group_fd[1], "cpuacct.usage");
  number_in(group_fd[1], "cpuacct.usage_user");
  number_in(group_fd[1], "cpuacct.usage_sys");
  number_in(group_fd[0], "memory.max_usage_in_bytes");
  number_in(group_fd[0], "memory.oom_control");
  number_in(group_fd[2], "pids.peak");
  number_in(group_fd[2], "pids.events");
  for (int i = 0; i < 3; ++i) {
    must(rmdir(group[i]), group[i]);
    close(group_fd[i]);
  }
  const int ours[] = {out[0], err[0], control[0], pidfd, listener};
  for (const int fd : ours) close(fd);
  return status;
}

double now_us() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

int compare(const void* a, const void* b) {
  const double x = *static_cast<const double*>(a), y = *static_cast<const double*>(b);
  return x < y ? -1 : x > y;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: floor INIT FILTER.raw WORKSPACE [-n RUNS] COMMAND [ARG...]\n");
    return 2;
  }
  for (const char* parent : kGroups) mkdir(parent, 0755);
  mkdir("/run/helios", 0755);
  init_fd = static_cast<int>(must(open(argv[1], O_RDONLY | O_CLOEXEC), argv[1]));
  init_fd = fcntl(init_fd, F_DUPFD_CLOEXEC, 200);
  Run r{argv[1], argv[2], argv[3], argv + 4, 0};
  if (argc < 7 || strcmp(argv[4], "-n") != 0) {
    const int status = run(r);
    printf("{\"exitCode\":%d}\n", WEXITSTATUS(status));
    return WEXITSTATUS(status);
  }
  const int runs = atoi(argv[5]);
  r.command = argv + 6;
  static double us[100000];
  for (; r.number < runs && r.number < 100000; ++r.number) {
    const double begin = now_us();
    run(r);
    us[r.number] = now_us() - begin;
  }
  qsort(us, static_cast<size_t>(r.number), sizeof us[0], compare);
  printf("%.1f\n", us[r.number / 2]);
  return 0;
}
