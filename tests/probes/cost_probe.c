// A program whose cost is known: `cost_probe ACTION ARG…` spends exactly what it is told to. READY is a file that it
// creates when it has done so; most actions then sleep for ever, so that what is charged stays charged until a test has
// seen it. Static, so that it runs in any root file system.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMiB = 1 << 20, kPage = 4096 };

static void die(const char* doing) {
  fprintf(stderr, "cost_probe: %s: %s\n", doing, strerror(errno));
  exit(99);
}

static long number(char** arg, int i) {
  if (!arg[i]) die("an argument is missing");
  return strtol(arg[i], NULL, 10);
}

static void tell(const char* ready) {
  int fd = open(ready, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) die(ready);
  close(fd);
}

static void sleep_for_ever(void) {
  for (;;) pause();
}

// READY says that it is done; without one it ends.
static int done(const char* ready) {
  if (!ready) return 0;
  tell(ready);
  sleep_for_ever();
  return 0;
}

static pid_t fork_or_die(void) {
  pid_t pid = fork();
  if (pid < 0) die("fork");
  return pid;
}

// ---- processor ----

static double cpu_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

// Nearly all of it in user mode: this clock is a system call, so it is looked at rarely.
static void burn_user(long ms) {
  const double end = cpu_ms() + (double)ms;
  while (cpu_ms() < end)
    for (volatile int i = 0; i < 100000; ++i) {
    }
}

// Nearly all of it in the kernel: large reads, since the way in and out is charged to the user on some virtual machines.
static void burn_system(long ms) {
  static char zeros[2 * kMiB];
  const double end = cpu_ms() + (double)ms;
  int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  if (fd < 0) die("/dev/zero");
  while (cpu_ms() < end)
    if (read(fd, zeros, sizeof zeros) < 0) die("read");
  close(fd);
}

static int do_user(char** arg) {
  burn_user(number(arg, 0));
  return done(arg[1]);
}

static int do_system(char** arg) {
  burn_system(number(arg, 0));
  return done(arg[1]);
}

// lost MS: four times MS, none of it in a process that the main one waits for: a zombie, a child that is killed, an
// orphan that ends, an orphan that is killed.
static int do_lost(char** arg) {
  const long ms = number(arg, 0);
  enum { kZombie, kKilled, kOrphanEnds, kOrphanKilled, kWays };
  int burnt[2];
  if (pipe(burnt)) die("pipe");
  for (int way = 0; way < kWays; ++way) {
    const int orphan = way == kOrphanEnds || way == kOrphanKilled;
    const int ends = way == kZombie || way == kOrphanEnds;
    if (fork_or_die() != 0) continue;
    if (orphan && fork_or_die() != 0) _exit(0);
    burn_user(ms);
    const pid_t to_kill = ends ? 0 : getpid();
    if (write(burnt[1], &to_kill, sizeof to_kill) != sizeof to_kill || ends) _exit(0);
    sleep_for_ever();
  }
  for (int way = 0; way < kWays; ++way) {
    pid_t pid;
    if (read(burnt[0], &pid, sizeof pid) != sizeof pid) die("read");
    if (pid != 0) kill(pid, SIGKILL);
  }
  return 0;
}

// ---- memory ----

static void touch(char* at, long bytes) {
  for (long i = 0; i < bytes; i += kPage) at[i] = 1;
}

static char* map(long bytes, int flags, int fd) {
  char* at = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (at == MAP_FAILED) die("mmap");
  return at;
}

static void fill(int fd, long bytes) {
  static char block[64 * 1024];
  memset(block, 'x', sizeof block);
  for (; bytes > 0; bytes -= (long)sizeof block)
    if (write(fd, block, sizeof block) != sizeof block) die("write");
}

// The name goes at once: what a test holds must not outlive it.
static int nameless(const char* path) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) die(path);
  unlink(path);
  return fd;
}

static void read_through(const char* path, long bytes) {
  static char block[64 * 1024];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(path);
  for (ssize_t n; bytes > 0 && (n = read(fd, block, sizeof block)) > 0;) bytes -= n;
  if (bytes > 0) die("the file is too short");
}

// hold KIND MIB [READY]: that much memory of that kind, each page touched.
static int do_hold(char** arg) {
  const char* kind = arg[0];
  const long bytes = number(arg, 1) * kMiB;
  if (strcmp(kind, "anonymous") == 0) {
    touch(map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1), bytes);
  } else if (strcmp(kind, "anonymous-shared") == 0) {
    touch(map(bytes, MAP_SHARED | MAP_ANONYMOUS, -1), bytes);
  } else if (strcmp(kind, "tmp") == 0) {
    fill(nameless("/tmp/cost-probe"), bytes);
  } else if (strcmp(kind, "posix") == 0) {
    int fd = nameless("/dev/shm/cost-probe");
    if (ftruncate(fd, bytes)) die("ftruncate");
    touch(map(bytes, MAP_SHARED, fd), bytes);
  } else if (strcmp(kind, "sysv") == 0) {
    int id = shmget(IPC_PRIVATE, (size_t)bytes, IPC_CREAT | 0600);
    if (id < 0) die("shmget");
    char* at = shmat(id, NULL, 0);
    if (at == (void*)-1) die("shmat");
    shmctl(id, IPC_RMID, NULL);
    touch(at, bytes);
  } else if (strcmp(kind, "memfd") == 0) {
    fill(memfd_create("cost-probe", MFD_CLOEXEC), bytes);
  } else if (strcmp(kind, "written") == 0) {
    int fd = nameless("written");
    fill(fd, bytes);
    if (fsync(fd)) die("fsync");
  } else if (strcmp(kind, "read") == 0) {
    read_through("to-read", bytes);  // made by the test, and not in the cache
  } else {
    die(kind);
  }
  return done(arg[2]);
}

// spend MIB MS [READY]: anonymous memory, then what is left of MS of processor time in a child that is never waited for
static int do_spend(char** arg) {
  const long bytes = number(arg, 0) * kMiB;
  int burnt[2];
  char byte;
  touch(map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1), bytes);
  if (pipe(burnt)) die("pipe");
  const long left = number(arg, 1) - (long)cpu_ms();  // what the memory took of it depends on the machine
  if (fork_or_die() == 0) {
    burn_user(left);
    _exit(write(burnt[1], "x", 1) != 1);
  }
  if (read(burnt[0], &byte, 1) != 1) die("read");
  return done(arg[2]);
}

// climb MIB MS: anonymous memory, then as much time as a child needs to burn MS, then memory without end
static int do_climb(char** arg) {
  do_spend((char*[]){arg[0], arg[1], NULL});
  for (;;) touch(map(kMiB, MAP_PRIVATE | MAP_ANONYMOUS, -1), kMiB);
  return 0;
}

// ---- processes ----

static void* rest(void* nothing) {
  sleep_for_ever();
  return nothing;
}

// tasks PROCESSES THREADS [READY]: that many beside the main one
static int do_tasks(char** arg) {
  for (long i = number(arg, 0); i > 0; --i)
    if (fork_or_die() == 0) sleep_for_ever();
  pthread_attr_t small;
  pthread_t id;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 * 1024);
  for (long i = number(arg, 1); i > 0; --i)
    if (pthread_create(&id, &small, rest, NULL)) die("pthread_create");
  return done(arg[2]);
}

// ---- files ----

static char* block_of_1_mib(void) {
  void* block = NULL;
  if (posix_memalign(&block, kPage, kMiB)) die("posix_memalign");
  memset(block, 'd', kMiB);
  return block;
}

// disk READ WRITE: that many MiB read from "to-read" and written to a new file, past the cache
static int do_disk(char** arg) {
  char* block = block_of_1_mib();
  int in = open("to-read", O_RDONLY | O_DIRECT | O_CLOEXEC);
  if (in < 0) die("to-read");
  for (long i = number(arg, 0); i > 0; --i)
    if (read(in, block, kMiB) != kMiB) die("read");
  int out = open("written", O_WRONLY | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
  if (out < 0) die("written");
  for (long i = number(arg, 1); i > 0; --i)
    if (write(out, block, kMiB) != kMiB) die("write");
  if (fdatasync(out)) die("fdatasync");
  return 0;
}

static const struct {
  const char* name;
  int (*run)(char** arg);
} actions[] = {{"user", do_user},   {"system", do_system}, {"lost", do_lost},   {"hold", do_hold},
               {"spend", do_spend}, {"climb", do_climb},   {"tasks", do_tasks}, {"disk", do_disk}};

int main(int argc, char** argv) {
  for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof *actions; ++i)
    if (strcmp(argv[1], actions[i].name) == 0) return actions[i].run(argv + 2);
  fprintf(stderr, "cost_probe: no such action\n");
  return 2;
}
