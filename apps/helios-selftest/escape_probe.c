// `escape_probe CLASS ARG…` tries one way out of a sandbox. Status: 0 the escape succeeded, 1 it was stopped, 2 it
// could not be tried (a missing argument, an unknown class). Each attempt undoes what it did, so that the control,
// which runs it with all of root's rights, does no harm. Calls that libc lacks are made by number.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { ESCAPED = 0, STOPPED = 1, CANNOT_TRY = 2 };

#define HIGH_BIT (1L << 32)
#define CALL(...) syscall(__VA_ARGS__)

static int escaped(const char* how) {
  printf("escaped: %s\n", how);
  return ESCAPED;
}
static int stopped(const char* what) {
  printf("stopped: %s: %s\n", what, strerror(errno));
  return STOPPED;
}
static int cannot(const char* why) {
  printf("cannot try: %s\n", why);
  return CANNOT_TRY;
}
static int verdict(int got_through, const char* what) { return got_through ? escaped(what) : stopped(what); }

static int contains(const char* path, const char* needle) {
  static char buffer[1 << 20];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return 0;
  size_t used = 0;
  ssize_t n;
  while (used < sizeof buffer && (n = read(fd, buffer + used, sizeof buffer - used)) > 0) used += (size_t)n;
  close(fd);
  return used > 0 && memmem(buffer, used, needle, strlen(needle)) != NULL;
}

static int opens(const char* path, int flags) {
  int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return 0;
  close(fd);
  return 1;
}

static int gives_a_byte(const char* path) {
  char c;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return 0;
  ssize_t n = read(fd, &c, 1);
  close(fd);
  return n == 1;
}

// ---- the process that started us, and pid 1 ----

static int is_writable_program(const char* proc_exe) {
  char again[64];
  int path = open(proc_exe, O_PATH | O_CLOEXEC);
  if (path < 0) return 0;
  snprintf(again, sizeof again, "/proc/self/fd/%d", path);
  int fd = open(again, O_WRONLY | O_CLOEXEC);
  int could = fd >= 0 || errno == ETXTBSY;  // busy now, writable once it ends: that is the attack
  if (fd >= 0) close(fd);
  close(path);
  return could;
}

static int overwrite_program(char** arg) {
  char parent[64];
  (void)arg;
  snprintf(parent, sizeof parent, "/proc/%d/exe", getppid());
  return verdict(is_writable_program(parent) || is_writable_program("/proc/1/exe"),
                 "the program of init or the runner");
}

static int leaked_fd(char** arg) {
  (void)arg;
  char cwd[4096];
  for (int fd = 3; fd < 4096; ++fd)
    if (fcntl(fd, F_GETFD) >= 0) return escaped("a descriptor of the runner");
  if (getcwd(cwd, sizeof cwd) == NULL || cwd[0] != '/') return escaped("the working directory lies outside");
  errno = EBADF;
  return stopped("descriptors from 3 on");
}

static int ptrace_parent(char** arg) {
  (void)arg;
  if (ptrace(PTRACE_SEIZE, getppid(), 0, 0) == 0) return escaped("seized the parent");  // let go when we end
  if (getppid() != 1 && getpid() == 2 && ptrace(PTRACE_SEIZE, 1, 0, 0) == 0) return escaped("seized init");
  return stopped("ptrace");
}

static int process_vm(char** arg) {
  (void)arg;
  char byte;
  unsigned long start = 0;
  char maps[64];
  snprintf(maps, sizeof maps, "/proc/%d/maps", getppid());
  FILE* f = fopen(maps, "re");
  if (f == NULL || fscanf(f, "%lx", &start) != 1) {
    if (f) fclose(f);
    start = 0x400000;
  } else {
    fclose(f);
  }
  struct iovec here = {&byte, 1}, there = {(void*)start, 1};
  return verdict(process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1, "memory of the parent");
}

static int parent_memory_file(char** arg) {
  (void)arg;
  char mem[64];
  snprintf(mem, sizeof mem, "/proc/%d/mem", getppid());
  return verdict(opens(mem, O_RDWR) || (getpid() == 2 && opens("/proc/1/mem", O_RDWR)), "mem of the parent");
}

static int pidfd_getfd_parent(char** arg) {
  (void)arg;
  int pidfd = (int)CALL(SYS_pidfd_open, getppid(), 0);
  if (pidfd < 0) return stopped("pidfd_open");
  int fd = (int)CALL(SYS_pidfd_getfd, pidfd, 0, 0);
  return verdict(fd >= 0, "a descriptor of the parent");
}

// environ-secret WORD
static int environ_secret(char** arg) {
  char environ_of_parent[64];
  if (!arg[0]) return cannot("no word");
  snprintf(environ_of_parent, sizeof environ_of_parent, "/proc/%d/environ", getppid());
  return verdict(contains(environ_of_parent, arg[0]) || contains("/proc/1/environ", arg[0]),
                 "the environment of the runner");
}

static int join_namespaces(char** arg) {
  (void)arg;
  static const char* kinds[] = {"mnt", "net", "ipc", "uts", "cgroup"};
  char path[64];
  for (int who = 0; who < 2; ++who)
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
      snprintf(path, sizeof path, "/proc/%d/ns/%s", who ? 1 : getppid(), kinds[i]);
      int fd = open(path, O_RDONLY | O_CLOEXEC);
      if (fd < 0) continue;
      int got = setns(fd, 0);
      close(fd);
      if (got == 0) return escaped(path);
    }
  return stopped("setns");
}

static int prlimit_parent(char** arg) {
  (void)arg;
  struct rlimit l;
  return verdict(prlimit(getppid(), RLIMIT_NOFILE, NULL, &l) == 0 && prlimit(getppid(), RLIMIT_NOFILE, &l, NULL) == 0,
                 "limits of the parent");
}

// signal-outside PID…: SIGUSR1 to processes of the host, by the numbers they have there
static int signal_outside(char** arg) {
  if (!arg[0]) return cannot("no pid");
  int got = 0;
  for (; *arg; ++arg) got |= kill(atoi(*arg), SIGUSR1) == 0;
  return verdict(got, "a signal to the host");
}

// see-process NAME: a process of the host, by its name
static int see_process(char** arg) {
  if (!arg[0]) return cannot("no name");
  DIR* proc = opendir("/proc");
  if (!proc) return stopped("/proc");
  char path[300];
  int seen = 0;
  for (struct dirent* e; (e = readdir(proc)) != NULL;) {
    if (e->d_name[0] < '0' || e->d_name[0] > '9') continue;
    snprintf(path, sizeof path, "/proc/%s/comm", e->d_name);
    seen |= contains(path, arg[0]);
  }
  closedir(proc);
  errno = ESRCH;
  return verdict(seen, "a process of the host is visible");
}

// ---- files ----

// read-file PATH WORD, by its name and through every root that can be reached
static int read_file(char** arg) {
  if (!arg[0] || !arg[1]) return cannot("no file");
  static const char* roots[] = {"",
                                "/proc/1/root",
                                "/proc/self/root",
                                "/proc/1/cwd/../../../../../..",
                                "../../../../../../../../../..",
                                "/proc/self/cwd/../../../../../../../..",
                                "/dev/fd/0/../../.."};
  char path[4096];
  for (size_t i = 0; i < sizeof roots / sizeof *roots; ++i) {
    snprintf(path, sizeof path, "%s%s", roots[i], arg[0]);
    if (contains(path, arg[1])) return escaped(path);
  }
  return stopped(arg[0]);
}

// link-file PATH WORD: a hard link and a symbolic link to a file outside, then read
static int link_file(char** arg) {
  if (!arg[0] || !arg[1]) return cannot("no file");
  unlink("planted");
  int got = link(arg[0], "planted") == 0 && contains("planted", arg[1]);
  unlink("planted");
  got |= symlink(arg[0], "planted") == 0 && contains("planted", arg[1]);
  unlink("planted");
  return verdict(got, "a link out of the workspace");
}

// write-outside FOLDER…: a file that is removed at once
static int write_outside(char** arg) {
  if (!arg[0]) return cannot("no folder");
  char path[4096];
  for (; *arg; ++arg) {
    snprintf(path, sizeof path, "%s/helios-escape-%d", *arg, getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) continue;
    close(fd);
    unlink(path);
    return escaped(*arg);
  }
  return stopped("create");
}

// open-for-writing FILE…
static int open_for_writing(char** arg) {
  if (!arg[0]) return cannot("no file");
  for (; *arg; ++arg) {
    int fd = open(*arg, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno != ETXTBSY) continue;
    struct stat st;
    int masked = fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
    if (fd >= 0) close(fd);
    if (masked) continue;  // /dev/null lies over it
    return escaped(*arg);
  }
  return stopped("open for writing");
}

// read-from FILE…: a first byte of files that are masked
static int read_from(char** arg) {
  if (!arg[0]) return cannot("no file");
  for (; *arg; ++arg)
    if (gives_a_byte(*arg)) return escaped(*arg);
  return stopped("read");
}

static int writable_below(const char* folder, int depth) {
  DIR* d = opendir(folder);
  if (!d) return 0;
  int found = 0;
  char path[4096];
  for (struct dirent* e; !found && (e = readdir(d)) != NULL;) {
    if (e->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    if (e->d_type == DT_DIR && depth > 0) found = writable_below(path, depth - 1);
    if (e->d_type == DT_REG) found = opens(path, O_WRONLY);
    if (found) printf("%s\n", path);
  }
  closedir(d);
  return found;
}

// writable-below FOLDER DEPTH
static int any_writable_below(char** arg) {
  if (!arg[0]) return cannot("no folder");
  errno = EROFS;
  return verdict(writable_below(arg[0], arg[1] ? atoi(arg[1]) : 1), "a writable file");
}

static int cgroup_write(char** arg) {
  (void)arg;
  char line[4096], folder[4096], type[64], path[8192];
  FILE* mounts = fopen("/proc/self/mounts", "re");
  if (!mounts) return stopped("/proc/self/mounts");
  int got = 0;
  while (!got && fgets(line, sizeof line, mounts)) {
    if (sscanf(line, "%*s %4095s %63s", folder, type) != 2 || strncmp(type, "cgroup", 6) != 0) continue;
    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    got = opens(path, O_WRONLY);
  }
  fclose(mounts);
  if (got) return escaped(folder);
  got = opens("/sys/fs/cgroup/cgroup.procs", O_WRONLY) || opens("/sys/fs/cgroup/memory/tasks", O_WRONLY);
  return verdict(got, "cgroup files");
}

// A view of the control groups of its own, and a limit to write in it
static int cgroup_limits(char** arg) {
  (void)arg;
  static const char* limits[] = {"memory.max",       "memory.high",   "pids.max",   "cpu.max", "memory.limit_in_bytes",
                                 "cpu.cfs_quota_us", "../memory.max", "../pids.max"};
  static const char* views[][2] = {
      {"cgroup2", ""}, {"cgroup", "memory"}, {"cgroup", "cpu"}, {"cgroup", "cpu,cpuacct"}, {"cgroup", "pids"}};
  char path[256];
  if (CALL(SYS_unshare, CLONE_NEWNS) != 0) return stopped("unshare");
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  int got = CALL(SYS_unshare, CLONE_NEWCGROUP) == 0;  // without one of its own the mounts may fail, too
  if (got) printf("a control group namespace of its own\n");
  for (size_t v = 0; v < sizeof views / sizeof *views; ++v) {
    if (mount("none", "/tmp", views[v][0], 0, views[v][1]) != 0) continue;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i) {
      snprintf(path, sizeof path, "/tmp/%s", limits[i]);
      if (!opens(path, O_WRONLY)) continue;
      printf("%s of %s %s\n", limits[i], views[v][0], views[v][1]);
      got = 1;
    }
    umount2("/tmp", MNT_DETACH);
  }
  errno = EACCES;
  return verdict(got, "a limit of its own group");
}

// Take the read-only flag or the mask off what the sandbox mounted.
static int remount(char** arg) {
  (void)arg;
  static const char* read_only[] = {"/", "/usr", "/proc/sys", "/etc", "/dev"};
  static const char* masked[] = {"/proc/sysrq-trigger", "/proc/kcore", "/proc/keys", "/proc/sys"};
  if (CALL(SYS_unshare, CLONE_NEWNS) != 0) return stopped("unshare");
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  for (size_t i = 0; i < sizeof read_only / sizeof *read_only; ++i)
    if (mount(NULL, read_only[i], NULL, MS_REMOUNT | MS_BIND, NULL) == 0) return escaped(read_only[i]);
  for (size_t i = 0; i < sizeof masked / sizeof *masked; ++i)
    if (umount2(masked[i], MNT_DETACH) == 0) return escaped(masked[i]);
  // A fresh /sys, or the /proc of a PID namespace of its own, would have neither masks nor read-only parts.
  if (mount("sysfs", "/tmp", "sysfs", 0, NULL) == 0) return escaped("a new /sys");
  if (CALL(SYS_unshare, CLONE_NEWPID) != 0) return cannot("a PID namespace of its own");
  pid_t pid = fork();
  if (pid == 0) _exit(mount("proc", "/tmp", "proc", 0, NULL) == 0 ? ESCAPED : errno);
  int status;
  waitpid(pid, &status, 0);
  errno = WEXITSTATUS(status);
  if (WIFEXITED(status) && WEXITSTATUS(status) == ESCAPED) return escaped("a new /proc");
  return stopped("remount, umount, mount");
}

static int device_files(char** arg) {
  (void)arg;
  static const char* nodes[] = {"/dev/mem",   "/dev/kmsg",        "/dev/port",         "/dev/vda",
                                "/dev/sda",   "/dev/nvme0n1",     "/dev/loop0",        "/dev/kvm",
                                "/dev/fuse",  "/dev/vhost-vsock", "/dev/net/tun",      "/dev/loop-control",
                                "/dev/vsock", "/dev/userfaultfd", "/dev/btrfs-control"};
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; ++i)
    if (opens(nodes[i], O_RDONLY)) return escaped(nodes[i]);
  return stopped("devices");
}

static int console(char** arg) {
  (void)arg;
  static const char* nodes[] = {"/dev/console", "/dev/tty0", "/dev/tty1", "/dev/ttyS0"};
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; ++i)
    if (opens(nodes[i], O_WRONLY)) return escaped(nodes[i]);
  return stopped("console");
}

static int make_device(char** arg) {
  (void)arg;
  int got = 0;
  unlink("node");
  got |= mknod("node", S_IFCHR | 0600, makedev(1, 1)) == 0;
  unlink("node");
  got |= mknodat(AT_FDCWD, "node", S_IFBLK | 0600, makedev(254, 0)) == 0;
  unlink("node");
  got |= mknod("node", S_IFCHR | 0600, makedev(1, 3)) == 0 && opens("node", O_RDONLY);
  unlink("node");
  return verdict(got, "mknod");
}

static int name_to_handle(char** arg) {
  (void)arg;
  struct {
    struct file_handle handle;
    unsigned char bytes[128];
  } h = {.handle = {.handle_bytes = 128}};
  int mount_id;
  return verdict(name_to_handle_at(AT_FDCWD, ".", &h.handle, &mount_id, 0) == 0, "a file handle");
}

// open-by-handle: the handle of ext4's root directory (inode 2, generation 0) needs no name_to_handle_at
static int open_by_handle(char** arg) {
  (void)arg;
  struct {
    struct file_handle handle;
    unsigned char bytes[128];
  } h = {.handle = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}};
  int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), mount_id;
  int fd = open_by_handle_at(here, &h.handle, O_RDONLY);
  if (fd >= 0) return escaped("the root directory of the disk");
  int first = errno;
  h.handle.handle_bytes = 128;
  if (name_to_handle_at(AT_FDCWD, ".", &h.handle, &mount_id, 0) == 0 &&
      open_by_handle_at(here, &h.handle, O_RDONLY) >= 0)
    return escaped("a directory by its handle");
  errno = first;
  return stopped("open_by_handle_at");
}

// ---- set-user-id ----

static int is_left(const char* how, const char* path) {
  struct stat s;
  int got = lstat(path, &s) == 0 && (s.st_mode & (S_ISUID | S_ISGID)) != 0;
  if (got) printf("a setuid or setgid file by %s\n", how);
  if (lstat(path, &s) == 0 && S_ISDIR(s.st_mode)) rmdir(path);
  unlink(path);
  return got;
}

static int plain_file(const char* path) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  if (fd >= 0) fchmod(fd, 0755);
  return fd;
}

struct how {  // open_how
  uint64_t flags, mode, resolve;
};

// Every call that takes a mode, with 06000 in it.
static int leave_setuid(char** arg) {
  (void)arg;
  const char* f = "left";
  int got = 0, fd;
  umask(0);
  static const long modes[] = {04755, 02755, 06755, 06755 | HIGH_BIT, 06755 | 0200000};
  for (size_t i = 0; i < sizeof modes / sizeof *modes; ++i) {
    long mode = modes[i];
    fd = plain_file(f);
    close(fd);
    CALL(SYS_chmod, f, mode);
    got |= is_left("chmod", f);
    fd = plain_file(f);
    CALL(SYS_fchmod, fd, mode);
    close(fd);
    got |= is_left("fchmod", f);
    close(plain_file(f));
    CALL(SYS_fchmodat, AT_FDCWD, f, mode);
    got |= is_left("fchmodat", f);
    close(plain_file(f));
    CALL(452 /* fchmodat2 */, AT_FDCWD, f, mode, 0);
    got |= is_left("fchmodat2", f);
    fd = (int)CALL(SYS_open, f, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (fd >= 0) close(fd);
    got |= is_left("open", f);
    fd = (int)CALL(SYS_openat, AT_FDCWD, f, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (fd >= 0) close(fd);
    got |= is_left("openat", f);
    fd = (int)CALL(SYS_creat, f, mode);
    if (fd >= 0) close(fd);
    got |= is_left("creat", f);
    struct how how = {O_WRONLY | O_CREAT | O_EXCL, (uint64_t)(mode & 07777), 0};
    fd = (int)CALL(SYS_openat2, AT_FDCWD, f, &how, sizeof how);
    if (fd >= 0) close(fd);
    got |= is_left("openat2", f);
    fd = (int)CALL(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_WRONLY, mode);
    if (fd >= 0) {
      char name[64];
      snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
      linkat(AT_FDCWD, name, AT_FDCWD, f, AT_SYMLINK_FOLLOW);
      close(fd);
    }
    got |= is_left("O_TMPFILE", f);
    CALL(SYS_mknod, f, S_IFREG | mode, 0);
    got |= is_left("mknod", f);
    CALL(SYS_mknodat, AT_FDCWD, f, S_IFREG | mode, 0);
    got |= is_left("mknodat", f);
    CALL(SYS_mkdir, f, mode);
    got |= is_left("mkdir", f);
    CALL(SYS_mkdirat, AT_FDCWD, f, mode);
    got |= is_left("mkdirat", f);
  }
  errno = EPERM;
  return verdict(got, "set-user-id files");
}

// leave-setuid-file PATH: the same by the plainest call, and it stays
static int leave_setuid_file(char** arg) {
  if (!arg[0]) return cannot("no path");
  close(plain_file(arg[0]));
  return verdict(chmod(arg[0], 06755) == 0, "a set-user-id file that stays");
}

static int file_capabilities(char** arg) {
  (void)arg;
  // VFS_CAP_REVISION_2 | effective, permitted = all
  static const uint32_t caps[5] = {0x02000001, 0xffffffff, 0, 0xffffffff, 0};
  close(plain_file("capable"));
  int got = CALL(SYS_setxattr, "capable", "security.capability", caps, sizeof caps, 0) == 0;
  unlink("capable");
  return verdict(got, "file capabilities");
}

// setuid-gain PATH: a set-user-id program of root; run again as "am-i-root"
static int setuid_gain(char** arg) {
  if (!arg[0]) return cannot("no program");
  pid_t pid = fork();
  if (pid == 0) {
    execl(arg[0], arg[0], "am-i-root", (char*)NULL);
    _exit(CANNOT_TRY);
  }
  int status;
  waitpid(pid, &status, 0);
  errno = EPERM;
  return verdict(WIFEXITED(status) && WEXITSTATUS(status) == ESCAPED, "uid 0 by a set-user-id program");
}

static int am_i_root(char** arg) {
  (void)arg;
  errno = EPERM;
  return verdict(geteuid() == 0 && getuid() != 0, "effective uid 0");
}

static int become_root(char** arg) {
  (void)arg;
  gid_t group = 0;
  int got = CALL(SYS_setresuid, 0, 0, 0) == 0 || CALL(SYS_setuid, 0) == 0;
  got |= CALL(SYS_setgroups, 1, &group) == 0;
  got |= CALL(SYS_setresgid, 0, 0, 0) == 0;
  return verdict(got, "uid or gid 0");
}

static int capabilities(char** arg) {
  (void)arg;
  FILE* f = fopen("/proc/self/status", "re");
  if (!f) return cannot("/proc/self/status");
  char line[512];
  int got = 0;
  while (fgets(line, sizeof line, f))
    if (strncmp(line, "Cap", 3) == 0 && strtoull(strchr(line, ':') + 1, NULL, 16) != 0) got = 1;
  fclose(f);
  errno = EPERM;
  return verdict(got, "a capability set that is not empty");
}

// ---- system call entries ----

#if defined(__x86_64__)
static void no_32bit_entry(int signal) {
  (void)signal;
  static const char told[] = "stopped: the 32-bit entry: this kernel has none\n";
  ssize_t ignored = write(1, told, sizeof told - 1);
  (void)ignored;
  _exit(1);
}

// A kernel without IA-32 emulation answers the instruction with a fault.
static int int80(char** arg) {
  (void)arg;
  long answer;
  signal(SIGSEGV, no_32bit_entry);
  __asm__ volatile("int $0x80" : "=a"(answer) : "a"(20L /* getpid */) : "memory", "r8", "r9", "r10", "r11");
  errno = (int)-answer;
  return verdict((int)answer == getpid(), "the 32-bit entry");
}

static long x32_getpid(void) {
  long answer;
  __asm__ volatile("syscall" : "=a"(answer) : "a"(0x40000000L | SYS_getpid) : "memory", "rcx", "r11");
  return answer;
}
static int x32(char** arg) {
  (void)arg;
  long answer = x32_getpid();
  errno = (int)-answer;
  return verdict(answer == getpid(), "the x32 entry");
}

// Kernels without x32 answer ENOSYS to anybody. This proves that the call above is an x32 call: a filter of our own
// that answers 119 to exactly those numbers is seen.
static int x32_seen_by_a_filter(char** arg) {
  (void)arg;
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40000000U | SYS_getpid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 119),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    return cannot("seccomp");
  return verdict(x32_getpid() == -119, "an x32 call is what the probe makes");
}
#else
static int no_such_entry(char** arg) {
  (void)arg;
  return cannot("not x86-64");
}
#define int80 no_such_entry
#define x32 no_such_entry
#define x32_seen_by_a_filter no_such_entry
#endif

static int waited(pid_t pid) {
  int status;
  if (pid <= 0) return 0;
  waitpid(pid, &status, __WALL);
  return 1;
}

static int userns_unshare(char** arg) {
  (void)arg;
  pid_t pid = fork();
  if (pid == 0) _exit(CALL(SYS_unshare, CLONE_NEWUSER) == 0 ? 0 : 1);
  int status;
  waitpid(pid, &status, 0);
  errno = EPERM;
  return verdict(WIFEXITED(status) && WEXITSTATUS(status) == 0, "unshare(CLONE_NEWUSER)");
}

static int clone_with(unsigned long flags) {
  pid_t pid = (pid_t)CALL(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid == 0) _exit(0);
  return waited(pid);
}
static int userns_clone(char** arg) {
  (void)arg;
  return verdict(clone_with(CLONE_NEWUSER), "clone(CLONE_NEWUSER)");
}
static int userns_clone_high(char** arg) {
  (void)arg;
  return verdict(clone_with(CLONE_NEWUSER | (unsigned long)HIGH_BIT), "clone(CLONE_NEWUSER | 1 << 32)");
}
static int namespaces_clone(char** arg) {
  (void)arg;
  static const unsigned long flags[] = {CLONE_NEWNS,  CLONE_NEWPID, CLONE_NEWNET,
                                        CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
  int got = 0;
  for (size_t i = 0; i < sizeof flags / sizeof *flags; ++i) got |= clone_with(flags[i]);
  return verdict(got, "a namespace of its own");
}
static int userns_clone3(char** arg) {
  (void)arg;
  struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  pid_t pid = (pid_t)CALL(SYS_clone3, &args, sizeof args);
  if (pid == 0) _exit(0);
  return verdict(waited(pid), "clone3(CLONE_NEWUSER)");
}

static int io_uring(char** arg) {
  (void)arg;
  struct io_uring_params params = {0};
  return verdict(CALL(SYS_io_uring_setup, 4, &params) >= 0, "io_uring_setup");
}

static int keys(char** arg) {
  (void)arg;
  enum { process_keyring = -2, session_keyring = -3, get_keyring_id = 0 };
  int got = CALL(SYS_add_key, "user", "helios-probe", "x", 1, process_keyring) >= 0;
  got |= CALL(SYS_keyctl, get_keyring_id, session_keyring, 0) >= 0;
  got |= CALL(SYS_request_key, "user", "helios-probe", NULL, 0) >= 0;
  return verdict(got, "a keyring");
}

// Pages of the host's pool of huge ones, which no memory limit counts: the request alone, which an empty pool grants,
// too.
static int huge_pages(char** arg) {
  (void)arg;
  int got =
      mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0) != MAP_FAILED;
  got |= CALL(SYS_memfd_create, "huge", MFD_HUGETLB | HIGH_BIT) >= 0;
  int segment = shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | SHM_NORESERVE | IPC_CREAT | 0600);
  if (segment >= 0) shmctl(segment, IPC_RMID, NULL);
  return verdict(got || segment >= 0, "huge pages");
}

static int bpf_map(char** arg) {
  (void)arg;
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = 4;
  attr.max_entries = 1;
  return verdict(CALL(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr) >= 0, "bpf");
}

static int perf(char** arg) {
  (void)arg;
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                 .size = sizeof attr,
                                 .config = PERF_COUNT_SW_CPU_CLOCK,
                                 .exclude_kernel = 1,
                                 .exclude_hv = 1};
  return verdict(CALL(SYS_perf_event_open, &attr, 0, -1, -1, 0) >= 0, "perf_event_open");
}

static int user_faults(char** arg) {
  (void)arg;
  int got = CALL(SYS_userfaultfd, O_CLOEXEC) >= 0 || CALL(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY) >= 0;
  return verdict(got, "userfaultfd");
}

static int change_personality(char** arg) {
  (void)arg;
  return verdict(CALL(SYS_personality, ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC) >= 0, "personality");
}

static int local_descriptor_table(char** arg) {
  (void)arg;
#if defined(__x86_64__)
  char entries[8192];
  return verdict(CALL(SYS_modify_ldt, 0, entries, sizeof entries) >= 0, "modify_ldt");
#else
  return cannot("not x86-64");
#endif
}

static int watch_files(char** arg) {
  (void)arg;
  int got =
      CALL(SYS_fanotify_init, 0, O_RDONLY) >= 0 || CALL(SYS_fanotify_init, 0x200 /* FAN_REPORT_FID */, O_RDONLY) >= 0;
  return verdict(got, "fanotify_init");
}

static int kernel_log(char** arg) {
  (void)arg;
  static char text[4096];
  int got = CALL(SYS_syslog, 3, text, sizeof text) >= 0 || gives_a_byte("/dev/kmsg") || gives_a_byte("/proc/kmsg");
  return verdict(got, "the kernel's log");
}

// Each with arguments that even root gets an error for; but another one than "not permitted".
static int privileged_calls(char** arg) {
  (void)arg;
  static const struct {
    const char* name;
    long number, a, b, c;
  } calls[] = {{"reboot", SYS_reboot, 0, 0, 0},
               {"init_module", SYS_init_module, 0, 0, 0},
               {"finit_module", SYS_finit_module, -1, 0, 0},
               {"delete_module", SYS_delete_module, 0, 0, 0},
               {"swapon", SYS_swapon, 0, 0, 0},
               {"kexec_load", SYS_kexec_load, 0, 0, -1},
               {"acct", SYS_acct, 1, 0, 0},
               {"sethostname", SYS_sethostname, 0, -1, 0},
               {"kcmp", SYS_kcmp, -1, -1, 0},
               {"lookup_dcookie", SYS_lookup_dcookie, 0, 0, 0},
               {"quotactl", SYS_quotactl, -1, 0, 0}};
  int got = 0;
  for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) {
    long answer = CALL(calls[i].number, calls[i].a, calls[i].b, calls[i].c, 0, 0);
    if (answer == -1 && (errno == EPERM || errno == ENOSYS || errno == EACCES)) continue;
    printf("%s answers %ld %s\n", calls[i].name, answer, strerror(errno));
    got = 1;
  }
  errno = EPERM;
  return verdict(got, "a call of root's");
}

// ---- mounts ----

// In a mount namespace of our own where we may have one. "inside" says that we are in the sandbox, whose mounts we may
// spoil; elsewhere nothing is mounted without the namespace.
static int may_mount(char** arg) {
  if (CALL(SYS_unshare, CLONE_NEWNS) == 0) {
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return 1;
  }
  return arg[0] != NULL && strcmp(arg[0], "inside") == 0;
}

static int mounts(char** arg) {
  if (!may_mount(arg)) return stopped("unshare(CLONE_NEWNS)");
  int got = mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
  got |= mount("proc", "/tmp", "proc", 0, NULL) == 0;
  got |= mount("/", "/tmp", NULL, MS_BIND, NULL) == 0;
  got |= mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL) == 0;
  got |= umount2("/proc", MNT_DETACH) == 0;
  return verdict(got, "mount");
}

static int mounts_new_calls(char** arg) {
  if (!may_mount(arg)) return stopped("unshare(CLONE_NEWNS)");
  int got = CALL(430 /* fsopen */, "tmpfs", 0) >= 0;
  got |= CALL(428 /* open_tree */, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */) >= 0;
  got |= CALL(433 /* fspick */, AT_FDCWD, "/", 0) >= 0;
  struct {
    uint64_t set, clear, propagation, userns;
  } attr = {0, 1 /* MOUNT_ATTR_RDONLY */, 0, 0};
  got |= CALL(442 /* mount_setattr */, AT_FDCWD, "/", 0x8000 /* AT_RECURSIVE */, &attr, sizeof attr) == 0;
  return verdict(got, "the new mount calls");
}

// A /proc that lies: mounted over, so that whoever writes there afterwards writes somewhere else.
static int fake_proc(char** arg) {
  enum { proc_magic = 0x9fa0 };
  struct statfs s;
  if (statfs("/proc/self/attr", &s) == 0 && s.f_type != proc_magic) return escaped("/proc is none");
  if (!may_mount(arg)) return stopped("unshare(CLONE_NEWNS)");
  mkdir("fake", 0755);
  int got = mount("fake", "/proc/self/attr", NULL, MS_BIND, NULL) == 0;
  got |= mount("fake", "/proc", NULL, MS_BIND, NULL) == 0;
  got |= mount("none", "/proc", "tmpfs", 0, NULL) == 0;
  if (arg[0]) got |= rename("/proc", "/proc.old") == 0;
  got |= symlink("fake", "/proc/fake") == 0;
  rmdir("fake");
  return verdict(got, "a /proc of its own making");
}

static int change_root(char** arg) {
  (void)arg;
  pid_t pid = fork();
  if (pid == 0) _exit(chroot(".") == 0 ? 0 : 1);
  int status;
  waitpid(pid, &status, 0);
  errno = EPERM;
  return verdict(WIFEXITED(status) && WEXITSTATUS(status) == 0, "chroot");
}

// ---- sockets and IPC ----

static int socket_works(long family, long type) {
  int fd = (int)CALL(SYS_socket, family, type, 0);
  if (fd >= 0) close(fd);
  return fd >= 0;
}
static int vsock(char** arg) {
  (void)arg;
  return verdict(socket_works(40, SOCK_STREAM), "AF_VSOCK");
}
static int vsock_high(char** arg) {
  (void)arg;
  return verdict(socket_works(40 | HIGH_BIT, SOCK_STREAM) || socket_works(40 | HIGH_BIT << 20, SOCK_STREAM),
                 "AF_VSOCK | 1 << 32");
}
static int odd_sockets(char** arg) {
  (void)arg;
  int got = socket_works(AF_PACKET, SOCK_RAW) || socket_works(AF_ALG, SOCK_SEQPACKET) ||
            socket_works(AF_KEY, SOCK_RAW) || socket_works(AF_TIPC, SOCK_STREAM) ||
            socket_works(AF_BLUETOOTH, SOCK_RAW) || socket_works(AF_RDS, SOCK_SEQPACKET) ||
            socket_works(AF_INET | HIGH_BIT, SOCK_RAW) || socket_works(AF_PACKET | HIGH_BIT, SOCK_RAW) ||
            socket_works(44 /* AF_XDP */, SOCK_RAW);
  return verdict(got, "a socket family that is not needed");
}

static int connects(int fd, const struct sockaddr* address, socklen_t size) {
  if (fd < 0) return 0;
  int got = connect(fd, address, size) == 0;
  close(fd);
  return got;
}

// network PORT: a listener on the host's loopback, by IPv4 and IPv6
static int network(char** arg) {
  if (!arg[0]) return cannot("no port");
  struct sockaddr_in v4 = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arg[0])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4.sin_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int got = connects(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr*)&v4, sizeof v4) ||
            connects(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr*)&v6, sizeof v6);
  return verdict(got, "the host's loopback");
}

static int unix_connects(const char* name, int abstract) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path + abstract, sizeof address.sun_path - 1, "%s", name);
  socklen_t size =
      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract + strlen(name) + (abstract ? 0 : 1));
  return connects(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr*)&address, size);
}
// abstract-socket NAME, path-socket PATH
static int abstract_socket(char** arg) {
  return arg[0] ? verdict(unix_connects(arg[0], 1), "an abstract socket of the host") : cannot("no name");
}
static int path_socket(char** arg) {
  return arg[0] ? verdict(unix_connects(arg[0], 0), "a socket file of the host") : cannot("no path");
}

// sysv-ipc KEY: segment, semaphores and queue of the host
static int sysv_ipc(char** arg) {
  if (!arg[0]) return cannot("no key");
  key_t key = (key_t)strtol(arg[0], NULL, 0);
  return verdict(shmget(key, 0, 0) >= 0 || semget(key, 0, 0) >= 0 || msgget(key, 0) >= 0, "SysV IPC of the host");
}

// posix-shm NAME, posix-mq NAME
static int posix_shm(char** arg) {
  return arg[0] ? verdict(shm_open(arg[0], O_RDONLY, 0) >= 0, "shared memory of the host") : cannot("no name");
}
static int posix_mq(char** arg) {
  return arg[0] ? verdict(mq_open(arg[0], O_RDONLY) != (mqd_t)-1, "a message queue of the host") : cannot("no name");
}

// tiocsti: a byte into the operator's terminal
static int push_byte(int fd) {
  char c = ' ';
  return ioctl(fd, TIOCSTI, &c) == 0 || CALL(SYS_ioctl, fd, TIOCSTI | HIGH_BIT, &c) == 0;
}
static int tiocsti(char** arg) {
  (void)arg;
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
  int got = tty >= 0 && push_byte(tty);
  for (int fd = 0; fd < 3; ++fd) got |= push_byte(fd);
  return verdict(got, "a byte into the terminal");
}
// The filter, not only the missing terminal: on a pseudo terminal of its own.
static int tiocsti_own_pty(char** arg) {
  (void)arg;
  int pty = posix_openpt(O_RDWR | O_NOCTTY);
  if (pty < 0)
    return verdict(!push_byte(0) && errno == ENOTTY, "TIOCSTI passes the filter");  // no pty: any file will do
  grantpt(pty);
  unlockpt(pty);
  setsid();
  int tty = open(ptsname(pty), O_RDWR);
  if (tty < 0) return cannot("its other end");
  ioctl(tty, TIOCSCTTY, 0);
  return verdict(push_byte(tty), "TIOCSTI");
}
static int tioclinux(char** arg) {
  (void)arg;
  char shift_state = 6;  // TIOCL_GETSHIFTSTATE
  int got = 0;
  for (int fd = 0; fd < 3; ++fd) got |= ioctl(fd, TIOCLINUX, &shift_state) >= 0;
  int tty = open("/dev/tty0", O_RDONLY | O_NOCTTY | O_CLOEXEC);
  got |= tty >= 0 && ioctl(tty, TIOCLINUX, &shift_state) >= 0;
  return verdict(got, "TIOCLINUX");
}

// ---- limits ----

static int raise_rlimit(char** arg) {
  (void)arg;
  static const int which[] = {RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_NPROC};
  for (size_t i = 0; i < sizeof which / sizeof *which; ++i) {
    struct rlimit l;
    if (getrlimit(which[i], &l) != 0 || l.rlim_max == RLIM_INFINITY) continue;
    l.rlim_max += 1;
    if (setrlimit(which[i], &l) == 0) return escaped("a hard limit");
  }
  errno = EPERM;
  return stopped("setrlimit");
}
// Root may lack CAP_SYS_RESOURCE, and then cannot raise one either: so lower the soft one and raise it again, with the
// same call on the same limit.
static int raise_rlimit_as_allowed(char** arg) {
  (void)arg;
  struct rlimit l, lower;
  getrlimit(RLIMIT_NOFILE, &l);
  lower = l;
  lower.rlim_cur = 16;
  return verdict(setrlimit(RLIMIT_NOFILE, &lower) == 0 && setrlimit(RLIMIT_NOFILE, &l) == 0, "setrlimit");
}
// With a core limit of 1 the kernel starts no crash handler (core_pattern with `|`, as root on the host); with 0 it
// does.
static int lower_core_limit(char** arg) {
  (void)arg;
  struct rlimit none = {0, 0}, now;
  setrlimit(RLIMIT_CORE, &none);
  CALL(SYS_setrlimit, RLIMIT_CORE | HIGH_BIT, &none);
  CALL(SYS_prlimit64, 0, RLIMIT_CORE | HIGH_BIT, &none, NULL);
  // The low half of this address is 0: a filter that looks no further takes it for no new limit.
  void* far =
      mmap((void*)HIGH_BIT, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (far != MAP_FAILED) CALL(SYS_prlimit64, 0, RLIMIT_CORE, far, NULL);
  if (getrlimit(RLIMIT_CORE, &now) != 0) return cannot("getrlimit");
  errno = EPERM;
  return verdict(now.rlim_cur != 1, "a core limit other than 1");
}
static int raise_priority(char** arg) {
  (void)arg;
  struct sched_param p = {.sched_priority = 1};
  int got = setpriority(PRIO_PROCESS, 0, -1) == 0 || sched_setscheduler(0, SCHED_FIFO, &p) == 0;
  return verdict(got, "a higher priority");
}

// ---- neighbours ----

static int make_queue(const char* name) {
  struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
  return (int)mq_open(name, O_RDWR | O_CREAT, 0666, &attr);
}
static int listen_abstract(const char* name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", name);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
  if (bind(fd, (struct sockaddr*)&address, size) != 0 || listen(fd, 4) != 0) return -1;
  return fd;
}
static void neighbour_file(char* path, size_t size, const char* folder, const char* mark) {
  snprintf(path, size, "%s/%s", folder, mark);
}

// neighbour-settle MARK READY STAY: leaves one of each thing, creates READY, and stays until STAY is gone.
static int neighbour_settle(char** arg) {
  if (!arg[0] || !arg[1] || !arg[2]) return cannot("no mark");
  char path[256], queue[256];
  neighbour_file(path, sizeof path, "/tmp", arg[0]);
  int tmp = open(path, O_RDWR | O_CREAT, 0666);
  int shm = shm_open(arg[0], O_RDWR | O_CREAT, 0666);
  int segment = shmget((key_t)strtol(arg[0] + 2, NULL, 16), 4096, IPC_CREAT | 0666);
  snprintf(queue, sizeof queue, "/%s", arg[0]);
  make_queue(queue);
  int listener = listen_abstract(arg[0]);
  prctl(PR_SET_NAME, arg[0]);
  printf("tmp %d shm %d segment %d socket %d\n", tmp >= 0, shm >= 0, segment >= 0, listener >= 0);
  close(open(arg[1], O_WRONLY | O_CREAT, 0644));
  while (access(arg[2], F_OK) == 0) poll(NULL, 0, 5);
  unlink(path);
  shm_unlink(arg[0]);
  shmctl(segment, IPC_RMID, NULL);
  mq_unlink(queue);
  return tmp >= 0 && shm >= 0 && segment >= 0 && listener >= 0 ? ESCAPED : CANNOT_TRY;
}

// neighbour-look MARK WORKSPACE: is any of it to be seen
static int neighbour_look(char** arg) {
  if (!arg[0] || !arg[1]) return cannot("no mark");
  char path[256], queue[256];
  char* name[] = {arg[0], NULL};
  int seen = 0;
  neighbour_file(path, sizeof path, "/tmp", arg[0]);
  if (access(path, F_OK) == 0) seen |= printf("/tmp\n") > 0;
  if (shm_open(arg[0], O_RDONLY, 0) >= 0) seen |= printf("/dev/shm\n") > 0;
  if (shmget((key_t)strtol(arg[0] + 2, NULL, 16), 0, 0) >= 0) seen |= printf("SysV\n") > 0;
  snprintf(queue, sizeof queue, "/%s", arg[0]);
  if (mq_open(queue, O_RDONLY) != (mqd_t)-1) seen |= printf("message queue\n") > 0;
  if (unix_connects(arg[0], 1)) seen |= printf("abstract socket\n") > 0;
  if (see_process(name) == ESCAPED) seen |= printf("process\n") > 0;
  if (opens(arg[1], O_RDONLY | O_DIRECTORY)) seen |= printf("workspace\n") > 0;
  errno = ENOENT;
  return verdict(seen, "a neighbour");
}

// lock-hold FILE READY STAY: locks FILE, which may only be read, creates READY, and stays until STAY is gone.
static int lock_hold(char** arg) {
  if (!arg[0] || !arg[1] || !arg[2]) return cannot("no file");
  int fd = open(arg[0], O_RDONLY | O_CLOEXEC);
  int got = fd >= 0 && flock(fd, LOCK_EX) == 0;
  close(open(arg[1], O_WRONLY | O_CREAT, 0644));
  while (access(arg[2], F_OK) == 0) poll(NULL, 0, 5);
  return verdict(got, "flock");
}

// lock-try FILE: is FILE locked by somebody else
static int lock_try(char** arg) {
  if (!arg[0]) return cannot("no file");
  int fd = open(arg[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0) return cannot("open");
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return stopped("nobody's lock is seen");
  return verdict(errno == EWOULDBLOCK, "a neighbour's lock is seen");
}

static int put_text(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = write(fd, text, strlen(text));
  close(fd);
  return n == (ssize_t)strlen(text);
}

static int attempt(int argc, char** argv);

// nested CLASS ARG…: the class, tried as root of a user namespace of its own. The process stays the same, so that its
// parent stays the one that it is after.
static int nested(char** arg) {
  if (!arg[0]) return cannot("no class");
  char map[64];
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0)
    return cannot("a user namespace of its own");
  snprintf(map, sizeof map, "0 %u 1", uid);
  int mapped = put_text("/proc/self/uid_map", map);
  mapped &= put_text("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "0 %u 1", gid);
  mapped &= put_text("/proc/self/gid_map", map);
  if (!mapped || geteuid() != 0) return cannot("an id map of its own");
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return cannot("a mount namespace of its own");
  int argc = 1;
  while (arg[argc - 1]) ++argc;
  return attempt(argc, arg - 1);
}

static const struct {
  const char* name;
  int (*attempt)(char** arg);
} classes[] = {
    {"overwrite-program", overwrite_program},
    {"leaked-fd", leaked_fd},
    {"ptrace-parent", ptrace_parent},
    {"process-vm", process_vm},
    {"parent-memory-file", parent_memory_file},
    {"pidfd-getfd", pidfd_getfd_parent},
    {"environ-secret", environ_secret},
    {"join-namespaces", join_namespaces},
    {"prlimit-parent", prlimit_parent},
    {"signal-outside", signal_outside},
    {"see-process", see_process},
    {"read-file", read_file},
    {"link-file", link_file},
    {"write-outside", write_outside},
    {"open-for-writing", open_for_writing},
    {"read-from", read_from},
    {"writable-below", any_writable_below},
    {"cgroup-write", cgroup_write},
    {"device-files", device_files},
    {"console", console},
    {"make-device", make_device},
    {"name-to-handle", name_to_handle},
    {"open-by-handle", open_by_handle},
    {"leave-setuid", leave_setuid},
    {"leave-setuid-file", leave_setuid_file},
    {"file-capabilities", file_capabilities},
    {"setuid-gain", setuid_gain},
    {"am-i-root", am_i_root},
    {"become-root", become_root},
    {"capabilities", capabilities},
    {"int80", int80},
    {"x32", x32},
    {"x32-seen-by-a-filter", x32_seen_by_a_filter},
    {"userns-unshare", userns_unshare},
    {"userns-clone", userns_clone},
    {"userns-clone-high", userns_clone_high},
    {"userns-clone3", userns_clone3},
    {"namespaces-clone", namespaces_clone},
    {"io-uring", io_uring},
    {"keys", keys},
    {"bpf", bpf_map},
    {"perf", perf},
    {"userfaultfd", user_faults},
    {"personality", change_personality},
    {"modify-ldt", local_descriptor_table},
    {"fanotify", watch_files},
    {"kernel-log", kernel_log},
    {"privileged-calls", privileged_calls},
    {"mounts", mounts},
    {"mounts-new-calls", mounts_new_calls},
    {"fake-proc", fake_proc},
    {"change-root", change_root},
    {"vsock", vsock},
    {"vsock-high", vsock_high},
    {"odd-sockets", odd_sockets},
    {"network", network},
    {"abstract-socket", abstract_socket},
    {"path-socket", path_socket},
    {"sysv-ipc", sysv_ipc},
    {"posix-shm", posix_shm},
    {"posix-mq", posix_mq},
    {"tiocsti", tiocsti},
    {"tiocsti-own-pty", tiocsti_own_pty},
    {"tioclinux", tioclinux},
    {"raise-rlimit", raise_rlimit},
    {"raise-rlimit-as-allowed", raise_rlimit_as_allowed},
    {"huge-pages", huge_pages},
    {"lower-core-limit", lower_core_limit},
    {"raise-priority", raise_priority},
    {"nested", nested},
    {"cgroup-limits", cgroup_limits},
    {"remount", remount},
    {"neighbour-settle", neighbour_settle},
    {"neighbour-look", neighbour_look},
    {"lock-hold", lock_hold},
    {"lock-try", lock_try},
};

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  return attempt(argc, argv);
}

static int attempt(int argc, char** argv) {
  for (size_t i = 0; argc > 1 && i < sizeof classes / sizeof *classes; ++i)
    if (strcmp(argv[1], classes[i].name) == 0) return classes[i].attempt(argv + 2);
  return cannot("no such class");
}
