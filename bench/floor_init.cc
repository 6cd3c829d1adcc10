/// Process 1 of the hand-written launch: no plan, no checks, no choices. See floor.cc.
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include <initializer_list>

#include "bench/floor_sandbox.h"
#include "core/freestanding/syscalls.h"

extern "C" void* memset(void* to, int value, unsigned long n) {
  auto* p = static_cast<volatile unsigned char*>(to);
  for (unsigned long i = 0; i < n; ++i) p[i] = static_cast<unsigned char>(value);
  return to;
}

namespace floor_bench {
namespace {

using helios::raw::call;

constexpr int kSigChld = 17, kSigKill = 9, kEinval = 22, kEnoent = 2;
constexpr unsigned kAtEmptyPath = 0x1000, kAtRecursive = 0x8000;
constexpr unsigned long kPrivate = 1UL << 18, kRecursive = 1UL << 14;
constexpr long kCwd = -100;

struct Iovec {
  void* base;
  unsigned long length;
};
struct Msghdr {
  void* name;
  unsigned name_size;
  Iovec* iov;
  unsigned long iov_count;
  void* control;
  unsigned long control_size;
  unsigned flags;
};
struct ControlMessage {
  unsigned long length;
  int level, type, fd, pad;
};

void send(Report report, int fd = -1) {
  Iovec iov{&report, sizeof report};
  ControlMessage control{sizeof(ControlMessage) - sizeof(int), 1, 1, fd, 0};
  Msghdr m{nullptr, 0, &iov, 1, fd >= 0 ? &control : nullptr, fd >= 0 ? sizeof control : 0, 0};
  call(__NR_sendmsg, kControl, &m, 0);
}

long must(long result, int where = __builtin_LINE()) {
  if (result >= 0) return result;
  send({'f', static_cast<int>(-result), where, 0});
  for (;;) call(__NR_exit_group, 125);
}

long root = -1;

void set(long fs, const char* key, const char* value) { must(call(__NR_fsconfig, fs, 1, key, value, 0)); }

long make(const char* type, const char* size, const char* mode, unsigned long attributes,
          const char* inodes = nullptr) {
  const long fs = must(call(__NR_fsopen, type, 1));
  if (size != nullptr) set(fs, "size", size);
  if (inodes != nullptr) set(fs, "nr_inodes", inodes);
  if (mode != nullptr) set(fs, "mode", mode);
  must(call(__NR_fsconfig, fs, 6, 0, 0, 0));
  return must(call(__NR_fsmount, fs, 1, attributes));  // what was opened here goes with the exec or the namespace
}

void place(long mount, const char* target) {
  must(call(__NR_move_mount, mount, "", root, target, MOVE_MOUNT_F_EMPTY_PATH));
}
void folder(const char* path) { must(call(__NR_mkdirat, root, path, 0755)); }
void link(const char* to, const char* path) { must(call(__NR_symlinkat, to, root, path)); }
/// Closed at once: a file open for writing would keep the root from becoming read-only.
void file(const char* path, const char* text) {
  const long fd = must(call(__NR_openat, root, path, 1 | 0100 | 02000000 /* O_WRONLY|O_CREAT|O_CLOEXEC */, 0644));
  if (text != nullptr) must(call(__NR_write, fd, text, helios::raw::length(text)));
  call(__NR_close, fd);
}

void attributes(long fd, const char* path, unsigned flags, unsigned long set_them) {
  mount_attr a{};
  a.attr_set = set_them;
  a.propagation = kPrivate;
  must(call(__NR_mount_setattr, fd, path, flags, &a, sizeof a));
}

void bind(int index) {
  const Bind& b = kBinds[index];
  const bool device = !b.read_only;
  const long tree = kTrees + index;
  attributes(
      tree, "", kAtEmptyPath | kAtRecursive,
      MOUNT_ATTR_NOSUID | (b.read_only ? MOUNT_ATTR_RDONLY : 0) | (device ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV));
  if (b.file) {
    file(b.path + 1, nullptr);
  } else {
    folder(b.path + 1);
  }
  place(tree, b.path + 1);
}

void mask(const char* path) {
  const long null = must(call(__NR_open_tree, root, "dev/null", OPEN_TREE_CLONE | 02000000));
  const long r = call(__NR_move_mount, null, "", root, path, MOVE_MOUNT_F_EMPTY_PATH);
  if (r != -kEnoent) must(r);
}

void read_only(const char* path) {
  const long tree = must(call(__NR_open_tree, root, path, OPEN_TREE_CLONE | 02000000 | kAtRecursive));
  attributes(tree, "", kAtEmptyPath | kAtRecursive,
             MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  place(tree, path);
}

void build_root() {
  constexpr unsigned long kData = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  must(call(__NR_mount, 0, "/", 0, kPrivate | kRecursive, 0));
  root = make("tmpfs", "1048576", "755", kData);
  must(call(__NR_move_mount, root, "", kCwd, "/", MOVE_MOUNT_F_EMPTY_PATH));
  must(call(__NR_fchdir, root));
  link("usr/bin", "bin");
  link("usr/sbin", "sbin");
  link("usr/lib", "lib");
  link("usr/lib32", "lib32");
  link("usr/lib64", "lib64");
  for (const char* path : {"dev", "proc", "tmp", "run", "var", "etc", "etc/ssl", "sys", "sys/fs", "sys/fs/cgroup",
                           "sys/fs/cgroup/memory"}) {
    folder(path);
  }
  place(make("tmpfs", "65536", "755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), "dev");
  place(make("proc", nullptr, nullptr, kData | MOUNT_ATTR_NOEXEC), "proc");
  place(make("tmpfs", "67108864", "1777", kData), "tmp");
  for (int i = 0; i < kBindCount; ++i) bind(i);
  file("etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\nhelios:x:1000:1000:helios:/tmp/home:/bin/sh\n");
  file("etc/group", "root:x:0:\nhelios:x:1000:\nnogroup:x:65534:\n");
  file("etc/hosts", "127.0.0.1 localhost helios\n::1 localhost\n");
  link("/proc/self/fd", "dev/fd");
  link("/proc/self/fd/0", "dev/stdin");
  link("/proc/self/fd/1", "dev/stdout");
  link("/proc/self/fd/2", "dev/stderr");
  link("pts/ptmx", "dev/ptmx");
  folder("dev/pts");
  folder("dev/shm");
  place(make("devpts", nullptr, nullptr, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), "dev/pts");
  place(make("tmpfs", "67108864", "1777", kData | MOUNT_ATTR_NOEXEC), "dev/shm");
  for (const char* path : {"proc/sys", "proc/bus", "proc/fs", "proc/irq"}) read_only(path);
  for (const char* path : {"proc/kcore", "proc/keys", "proc/key-users", "proc/timer_list", "proc/kallsyms", "proc/kmsg",
                           "proc/sched_debug", "proc/sysrq-trigger", "proc/latency_stats", "proc/config.gz"}) {
    mask(path);
  }
  if (call(__NR_faccessat, root, "proc/acpi", 0) == 0) {
    place(make("tmpfs", nullptr, "555", kData | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, "1"), "proc/acpi");
  }
  link("../tmp", "var/tmp");
  attributes(kTrees + kBindCount, "", kAtEmptyPath | kAtRecursive, kData);
  folder("work");
  place(kTrees + kBindCount, "work");
  file("sys/fs/cgroup/memory.max", "1073741824\n");
  file("sys/fs/cgroup/memory.high", "max\n");
  file("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  file("sys/fs/cgroup/memory/memory.soft_limit_in_bytes", "9223372036854771712\n");
  must(call(__NR_pivot_root, ".", "."));
  must(call(__NR_umount2, ".", 2 /* MNT_DETACH */));
  must(call(__NR_chdir, "/"));
  attributes(kCwd, "/", 0, MOUNT_ATTR_RDONLY | kData);
  attributes(root, "dev", 0, MOUNT_ATTR_RDONLY);
  must(call(__NR_chdir, "/work"));
}

void loopback_up() {
  const long s = must(call(__NR_socket, 2, 2 | 02000000, 0));
  struct {
    char name[16];
    short flags;
    char pad[22];
  } request{};
  request.name[0] = 'l';
  request.name[1] = 'o';
  request.flags = 1 | 8;
  must(call(__NR_ioctl, s, 0x8914 /* SIOCSIFFLAGS */, &request));
}

void drop_capabilities() {
  for (unsigned c = 0; c < 64; ++c) {
    const long r = call(__NR_prctl, PR_CAPBSET_DROP, c, 0, 0, 0);
    if (r == -kEinval) break;
    must(r);
  }
  must(call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  must(call(__NR_capset, &header, data));
  must(call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

void allow(long ruleset, const char* path, unsigned long access) {
  const long fd = must(call(__NR_openat, kCwd, path, 010000000 | 02000000 /* O_PATH|O_CLOEXEC */, 0));
  struct __attribute__((packed)) {
    unsigned long access;
    int fd;
  } rule{access, static_cast<int>(fd)};
  must(call(445, ruleset, 1, &rule, 0));
}

void restrict_files() {
  constexpr unsigned long kAll = (1 << 16) - 1, kRead = 1 | 4 | 8, kDevice = 2 | 4 | 1 << 14 | 1 << 15;
  struct {
    unsigned long fs, net, scope;
  } attr{kAll, 0, 3};
  const long ruleset = must(call(444, &attr, sizeof attr, 0));
  allow(ruleset, "/", kRead);
  for (const char* path : {"/tmp", "/dev/shm", "/work"}) allow(ruleset, path, kAll);
  allow(ruleset, "/proc", kRead | 2);
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
    allow(ruleset, path, kDevice);
  }
  allow(ruleset, "/dev/pts", kDevice | 8);
  must(call(446, ruleset, 0));
}

struct Launch {
  char** argv;
  volatile long listener, error;
};

unsigned char filter[32768];
unsigned short filter_len = 0;

void command(void* arg) {
  auto& l = *static_cast<Launch*>(arg);
  call(__NR_setsid);
  const unsigned long none[2] = {0, 0}, files[2] = {4096, 4096};
  call(__NR_prlimit64, 0, 4 /* RLIMIT_CORE */, none, 0);
  call(__NR_prlimit64, 0, 7 /* RLIMIT_NOFILE */, files, 0);
  struct {
    unsigned short len;
    const void* filter;
  } program{filter_len, filter};
  l.listener = call(__NR_seccomp, 1, 8 | 32 /* NEW_LISTENER | WAIT_KILLABLE_RECV */, &program);
  const char* const env[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp/home", nullptr};
  l.error = l.listener < 0 ? l.listener : call(__NR_execve, l.argv[0], l.argv, env);
  for (;;) call(__NR_exit_group, 127);
}

long long cpu_ns() {
  struct {
    long long s, ns;
  } t{};
  call(__NR_clock_gettime, 2, &t);
  return t.s * 1000000000 + t.ns;
}

alignas(16) char stack[16384];

}  // namespace

extern "C" [[noreturn]] __attribute__((used)) void floor_init_main(char** argv) {
  char go = 0;
  if (call(__NR_read, kControl, &go, 1) != 1) call(__NR_exit_group, 125);
  filter_len = static_cast<unsigned short>(must(call(__NR_read, kFilter, filter, sizeof filter)) / 8);
  loopback_up();
  must(call(__NR_setgroups, 0, 0));
  must(call(__NR_setresgid, kInsideId, kInsideId, kInsideId));
  must(call(__NR_setresuid, kInsideId, kInsideId, kInsideId));
  must(call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
  must(call(__NR_prctl, PR_SET_PDEATHSIG, kSigKill, 0, 0, 0));
  call(__NR_umask, 022);
  must(call(__NR_sethostname, "helios", 6));
  build_root();
  for (int i = 0; i < kTaskCount; ++i) must(call(__NR_write, kTasks + i, "0", 1));
  const long long before = cpu_ns();
  must(call(__NR_unshare, CLONE_NEWCGROUP));
  drop_capabilities();
  restrict_files();
  call(__NR_close_range, kControl, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
  Launch l{argv + 1, -1, 0};
  const long long setup = cpu_ns() - before;
  const long pid = must(helios::raw::clone_call(__NR_clone, CLONE_VM | CLONE_VFORK | CLONE_FILES | kSigChld,
                                                reinterpret_cast<long>(stack + sizeof stack), command, &l));
  must(l.error);
  send({'s', 0, 0, setup}, static_cast<int>(l.listener));
  call(__NR_close_range, 0, 2, 0);
  call(__NR_close_range, kFilter, ~0U, 0);
  int status = 0;
  while (call(__NR_wait4, -1, &status, 0x40000000, 0) != pid) {
  }
  send({'e', status, 0, 0});
  for (;;) call(__NR_exit_group, 0);
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  lea 8(%rsp), %rdi\n"
    "  and $-16, %rsp\n"
    "  call floor_init_main\n"
    "  hlt\n");

}  // namespace floor_bench
