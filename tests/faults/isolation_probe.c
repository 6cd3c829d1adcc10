// Says how well it is isolated, from inside: one line per property, the same text at each run. What the receipt claims
// is one thing, this the other: a run that went on although a step had failed differs here.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static void status_lines(void) {
  static const char* const wanted[] = {"Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp:", "Sig", "Shd", "Umask"};
  char line[512];
  FILE* f = fopen("/proc/self/status", "re");
  while (f && fgets(line, sizeof line, f))
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i)
      if (strncmp(line, wanted[i], strlen(wanted[i])) == 0 && strncmp(line, "SigQ", 4) != 0) fputs(line, stdout);
  if (f) fclose(f);
}

// The host id of a run started by root is another one each time; whether it is one at all shows in the map's shape.
static void id_maps(void) {
  unsigned inside, outside, count;
  FILE* f = fopen("/proc/self/uid_map", "re");
  while (f && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3)
    printf("uid_map %u %s %u\n", inside, outside == 0 ? "root" : "other", count);
  if (f) fclose(f);
}

// "29 28 0:27 / /proc ro,nosuid - proc proc rw": the point, its options and the type
static void mounts(void) {
  char line[4096], point[2048], options[1024], root[2048], tail[1024];
  FILE* f = fopen("/proc/self/mountinfo", "re");
  while (f && fgets(line, sizeof line, f)) {
    if (sscanf(line, "%*s %*s %*s %2047s %2047s %1023s", root, point, options) != 3) continue;
    const char* dash = strstr(line, " - ");
    if (!dash || sscanf(dash, " - %1023s", tail) != 1) *tail = '\0';
    printf("mount %s %s %s%s\n", point, options, tail, strstr(line, "shared:") ? " SHARED" : "");
  }
  if (f) fclose(f);
}

static void limits(void) {
  for (int i = 0; i < RLIM_NLIMITS; ++i) {
    struct rlimit l;
    if (i != RLIMIT_SIGPENDING && getrlimit(i, &l) == 0)
      printf("rlimit %d %llu %llu\n", i, (unsigned long long)l.rlim_cur, (unsigned long long)l.rlim_max);
  }
}

static void descriptors(void) {
  for (int fd = 0; fd < 1024; ++fd) {
    struct stat s;
    if (fstat(fd, &s) == 0) printf("fd %d %o\n", fd, (unsigned)(s.st_mode & S_IFMT));
  }
}

static void try(const char* what, long result) { printf("%s: %s\n", what, result < 0 ? strerror(errno) : "WORKS"); }

static void attempts(void) {
  try("unshare user", syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */));
  try("keyctl", syscall(SYS_keyctl, 0, -3, 0));
  try("bpf", syscall(SYS_bpf, 0, NULL, 0));
  try("vsock", socket(40, SOCK_STREAM, 0));
  try("chmod 4755", chmod("isolation_probe", 04755));
  try("kill host init", kill(1, SIGURG));
  try("trace init", ptrace(PTRACE_SEIZE, 1, 0, 0));
  try("write /", open("/x", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  try("write /usr", open("/usr/x", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  try("write /proc/sys", open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC));
  try("read /etc/shadow", open("/etc/shadow", O_RDONLY | O_CLOEXEC));
  try("core file", open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC));
  try("tiocsti", ioctl(0, 0x5412, ""));
}

static void loopback(void) {
  struct ifreq r;
  memset(&r, 0, sizeof r);
  strcpy(r.ifr_name, "lo");
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int ok = s >= 0 && ioctl(s, SIOCGIFFLAGS, &r) == 0;
  printf("loopback %s\n", ok ? (r.ifr_flags & IFF_UP ? "up" : "down") : "unknown");
  if (s >= 0) close(s);
}

static void surroundings(char** env) {
  struct utsname u;
  char cwd[4096];
  uname(&u);
  printf("pid %d parent %d session %d group %d host %s cwd %s dumpable %d\n", getpid(), getppid(), getsid(0), getpgrp(),
         u.nodename, getcwd(cwd, sizeof cwd) ? cwd : "?", prctl(PR_GET_DUMPABLE));
  for (; *env; ++env) printf("env %s\n", *env);
  static const char* const folders[] = {"/", "/dev", "/tmp", "/etc", "/bin/sh", "/lib64", "/proc/sys", "."};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; ++i) {
    struct statfs f;
    if (statfs(folders[i], &f) == 0) printf("statfs %s %lx %lx\n", folders[i], (long)f.f_type, (long)f.f_flags);
  }
  static const char* const listed[] = {"/", "/dev", "/etc"};
  for (size_t i = 0; i < sizeof listed / sizeof *listed; ++i) {
    struct dirent** e;
    const int n = scandir(listed[i], &e, NULL, alphasort);
    for (int k = 0; k < n; ++k) printf("%s%s", k ? " " : "holds ", e[k]->d_name);
    puts("");
  }
}

int main(int argc, char** argv, char** env) {
  (void)argv;
  if (argc > 1) {  // `isolation_probe plain`: what holds without a sandbox
    descriptors();
    status_lines();
    limits();
    printf("group %s\n", getpgrp() == getpid() ? "own" : "INHERITED");
    return 0;
  }
  descriptors();  // before anything of ours is open
  status_lines();
  id_maps();
  mounts();
  limits();
  loopback();
  surroundings(env);
  attempts();
  return 0;
}
