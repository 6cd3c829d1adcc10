// The chunk of the contract suite: `chunk_probe ACTION ARG…` does one small thing and says what it saw.
// Static, so that it runs in any root file system. A file named by an action is the event a test waits for.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static void die(const char* doing) {
  fprintf(stderr, "chunk_probe: %s: %s\n", doing, strerror(errno));
  exit(99);
}

static void put(int fd, const char* bytes, size_t n) {
  while (n > 0) {
    ssize_t done = write(fd, bytes, n);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) die("write");
    bytes += done;
    n -= (size_t)done;
  }
}

static void say(const char* text) { put(1, text, strlen(text)); }

static void touch(const char* path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) die(path);
  close(fd);
}

static void nap_ms(long ms) {
  struct timespec t = {ms / 1000, (ms % 1000) * 1000000};
  while (nanosleep(&t, &t) < 0 && errno == EINTR) {
  }
}

static void sleep_for_ever(void) {
  for (;;) pause();
}

static long cpu_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void burn_ms(long ms) {
  long end = cpu_ms() + ms;
  while (cpu_ms() < end) {
  }
}

static pid_t fork_or_die(void) {
  pid_t pid = fork();
  if (pid < 0) die("fork");
  return pid;
}

static long number(char** arg, int i, long otherwise) { return arg[i] ? strtol(arg[i], NULL, 10) : otherwise; }

// ---- status and output ----

static int do_exit(char** arg) { return (int)number(arg, 0, 0); }

static int do_both(char** arg) {
  (void)arg;
  put(1, "out", 3);
  put(2, "err", 3);
  return 0;
}

// One byte at a time, so that every character is split over reads.
static int do_utf8_split(char** arg) {
  (void)arg;
  const char* text = "h\xc3\xa9llo \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x8e\xac\n";
  for (const char* c = text; *c; ++c) {
    put(1, c, 1);
    nap_ms(2);
  }
  return 0;
}

static int do_invalid_utf8(char** arg) {
  (void)arg;
  put(1, "\xff\xfeok\xc3", 5);
  return 0;
}

static void put_many(int fd, char c, long n) {
  static char block[65536];
  memset(block, c, sizeof block);
  for (; n > 0; n -= (long)sizeof block) put(fd, block, n < (long)sizeof block ? (size_t)n : sizeof block);
}

// bytes N [FD]
static int do_bytes(char** arg) {
  put_many((int)number(arg, 1, 1), 'x', number(arg, 0, 0));
  return 0;
}

// head-tail N: "HEAD", N bytes, "TAIL"
static int do_head_tail(char** arg) {
  say("HEAD");
  put_many(1, '.', number(arg, 0, 0));
  say("TAIL");
  return 0;
}

static int do_flood(char** arg) {
  (void)arg;
  for (;;) put_many(1, 'y', 1 << 20);
  return 0;
}

// ---- signals and time ----

static void on_term(int sig) {
  say(sig == SIGINT ? "got INT\n" : "got TERM\n");
  _exit(7);
}

// term-trap FILE: creates FILE, waits for SIGTERM (or SIGINT), says so and exits 7.
static int do_term_trap(char** arg) {
  signal(SIGTERM, on_term);
  signal(SIGINT, on_term);
  if (arg[0]) touch(arg[0]);
  sleep_for_ever();
  return 0;
}

static const char* noticed_file;
static void on_ignored_term(int sig) {
  (void)sig;
  touch(noticed_file);
}

// term-ignore FILE NOTICED: creates FILE, creates NOTICED at each SIGTERM, and stays.
static int do_term_ignore(char** arg) {
  noticed_file = arg[0] && arg[1] ? arg[1] : "noticed";
  signal(SIGTERM, on_ignored_term);
  signal(SIGINT, on_ignored_term);
  say("before\n");
  if (arg[0]) touch(arg[0]);
  sleep_for_ever();
  return 0;
}

static int do_sleep(char** arg) {
  if (arg[1]) touch(arg[1]);
  nap_ms(number(arg, 0, 0));
  return 0;
}

// tree FILE: a child and a grandchild in a session of its own, all asleep; FILE says that they are there.
static int do_tree(char** arg) {
  if (fork_or_die() == 0) {
    if (fork_or_die() == 0) {
      setsid();
      signal(SIGTERM, SIG_IGN);
      touch(arg[0]);
    }
    sleep_for_ever();
  }
  sleep_for_ever();
  return 0;
}

static int do_kill_self(char** arg) {
  say("before\n");
  kill(getpid(), (int)number(arg, 0, SIGKILL));
  return 0;
}

static int do_abort(char** arg) {
  (void)arg;
  abort();
}

// Prints every SECONDS/10; never idle. chatter MS
static int do_chatter(char** arg) {
  for (long left = number(arg, 0, 1000); left > 0; left -= 50) {
    say(".");
    nap_ms(50);
  }
  return 0;
}

// ---- what the command finds itself in ----

// stdin: what fd 0 is, and how many bytes it gives before its end.
static int do_stdin(char** arg) {
  (void)arg;
  char name[256] = {0}, buffer[256];
  if (readlink("/proc/self/fd/0", name, sizeof name - 1) < 0) die("readlink");
  long bytes = 0;
  for (ssize_t n; (n = read(0, buffer, sizeof buffer)) > 0;) bytes += n;
  printf("%s %ld\n", name, bytes);
  return 0;
}

static int do_env(char** arg) {
  (void)arg;
  for (char** e = environ; *e; ++e) printf("%s\n", *e);
  return 0;
}

static int do_argv(char** arg) {
  for (; *arg; ++arg) printf("[%s]\n", *arg);
  return 0;
}

static void print_status_lines(void) {
  static const char* wanted[] = {"SigBlk:", "SigIgn:", "CapInh:", "CapPrm:",     "CapEff:",  "CapBnd:",
                                 "CapAmb:", "Uid:",    "Gid:",    "NoNewPrivs:", "Seccomp:", "Groups:"};
  char line[4096];
  FILE* f = fopen("/proc/self/status", "re");
  if (!f) die("/proc/self/status");
  while (fgets(line, sizeof line, f))
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i)
      if (strncmp(line, wanted[i], strlen(wanted[i])) == 0) fputs(line, stdout);
  fclose(f);
}

static void print_fds(void) {
  printf("fds:");
  for (int fd = 0; fd < 4096; ++fd)
    if (fcntl(fd, F_GETFD) >= 0) printf(" %d", fd);
  printf("\n");
}

static void print_limit(const char* name, int which) {
  struct rlimit l;
  getrlimit(which, &l);
  printf("%s: %lld %lld\n", name, (long long)l.rlim_cur, (long long)l.rlim_max);
}

// state: one "key: value" a line.
static int do_state(char** arg) {
  (void)arg;
  print_fds();
  mode_t mask = umask(0);
  char cwd[4096];
  printf("umask: %04o\n", (unsigned)mask);
  printf("cwd: %s\n", getcwd(cwd, sizeof cwd) ? cwd : "?");
  printf("pid: %d\nppid: %d\nsid: %d\npgrp: %d\n", getpid(), getppid(), getsid(0), getpgrp());
  print_limit("core", RLIMIT_CORE);
  print_limit("nofile", RLIMIT_NOFILE);
  print_limit("fsize", RLIMIT_FSIZE);
  print_limit("rtprio", RLIMIT_RTPRIO);
  print_limit("nice", RLIMIT_NICE);
  print_status_lines();
  return 0;
}

// ---- memory ----

static void touch_mib(long mib) {
  for (; mib > 0; --mib) {
    char* p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) die("mmap");
    for (long i = 0; i < 1 << 20; i += 4096) p[i] = 1;
  }
}

static int do_alloc(char** arg) {
  touch_mib(number(arg, 0, 1));
  say("done\n");
  return 0;
}

// hold KIND MIB: so much memory that is not plain: files in memory, shared pages, many processes, what waits in pipes.
static int do_hold(char** arg) {
  if (!arg[0] || !arg[1]) return 2;
  const char* kind = arg[0];
  long mib = number(arg, 1, 1);
  static char chunk[1 << 16];
  memset(chunk, 1, sizeof chunk);
  if (strcmp(kind, "memfd") == 0) {
    int fd = memfd_create("held", MFD_CLOEXEC);
    for (long i = 0; i < mib * 16; ++i)
      if (write(fd, chunk, sizeof chunk) < 0) die("memfd");
  } else if (strcmp(kind, "shared") == 0) {
    char* p = mmap(NULL, (size_t)mib << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) die("mmap");
    for (long i = 0; i < mib << 20; i += 4096) p[i] = 1;
  } else if (strcmp(kind, "processes") == 0) {
    for (int i = 0; i < 16; ++i) {
      if (fork() != 0) continue;
      touch_mib(mib / 16);
      pause();
    }
    pause();
  } else if (strcmp(kind, "pipes") == 0) {
    for (long i = 0; i < mib; ++i) {
      int end[2];
      if (pipe2(end, O_CLOEXEC | O_NONBLOCK) != 0) die("pipe2");
      fcntl(end[1], F_SETPIPE_SZ, 1 << 20);
      while (write(end[1], chunk, sizeof chunk) > 0) {
      }
    }
  } else {
    return 2;
  }
  return 0;
}

// A grandchild allocates until it is killed; the main process waits for the middle one and exits 0.
static int do_alloc_grandchild(char** arg) {
  pid_t middle = fork_or_die();
  if (middle == 0) {
    if (fork_or_die() == 0) {
      touch_mib(number(arg, 0, 10240));
      _exit(0);
    }
    wait(NULL);
    _exit(0);
  }
  waitpid(middle, NULL, 0);
  say("main is fine\n");
  return 0;
}

// ---- processes ----

// Forks sleeping children until fork is refused. fork-until-refused STATUS
static int do_fork_until_refused(char** arg) {
  int made = 0;
  for (;;) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) sleep_for_ever();
    ++made;
    if (made > 20000) return 98;
  }
  printf("made %d: %s\n", made, strerror(errno));
  return (int)number(arg, 0, 1);
}

// Every process forks for ever.
static int do_fork_bomb(char** arg) {
  (void)arg;
  for (;;)
    if (fork() < 0) nap_ms(1);
  return 0;
}

// A daemon in a session of its own writes FILE and goes on after the main process has ended.
static int do_daemon(char** arg) {
  const char* file = arg[0] ? arg[0] : "daemon";
  if (fork_or_die() == 0) {
    setsid();
    if (fork_or_die() == 0) {
      int null = open("/dev/null", O_RDWR | O_CLOEXEC);
      for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
      signal(SIGHUP, SIG_IGN);
      signal(SIGTERM, SIG_IGN);
      touch(file);
      sleep_for_ever();
    }
    _exit(0);
  }
  while (access(file, F_OK) != 0) nap_ms(1);
  say("main ends\n");
  return 0;
}

// A background child keeps both streams open for a minute.
static int do_holder(char** arg) {
  (void)arg;
  if (fork_or_die() == 0) {
    nap_ms(60000);
    _exit(0);
  }
  say("early\n");
  return 0;
}

// ---- processor ----

static int do_burn(char** arg) {
  burn_ms(number(arg, 0, 100));
  return 0;
}

static int do_burn_for_ever(char** arg) {
  (void)arg;
  for (;;) {
  }
  return 0;
}

// Children burn 40 ms each, are killed and never waited for; the main process itself hardly uses any.
static int do_burn_by_killed_children(char** arg) {
  (void)arg;
  signal(SIGCHLD, SIG_IGN);
  for (;;) {
    pid_t pid = fork_or_die();
    if (pid == 0)
      for (;;) {
      }
    nap_ms(40);
    kill(pid, SIGKILL);
  }
  return 0;
}

// ---- files ----

// exists PATH: 0 if it does, 1 if not.
static int do_exists(char** arg) { return arg[0] && access(arg[0], F_OK) == 0 ? 0 : 1; }

// place KIND PATH [TARGET]
static int do_place(char** arg) {
  if (!arg[0] || !arg[1]) return 2;
  const char *kind = arg[0], *path = arg[1];
  unlink(path);
  int bad = 0;
  if (strcmp(kind, "file") == 0) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) die(path);
    put(fd, "frames", 6);
    close(fd);
  } else if (strcmp(kind, "symlink") == 0) {
    bad = symlink(arg[2] ? arg[2] : "/etc/hostname", path);
  } else if (strcmp(kind, "hardlink") == 0) {
    bad = link(arg[2], path);
  } else if (strcmp(kind, "fifo") == 0) {
    bad = mkfifo(path, 0666);
  } else if (strcmp(kind, "directory") == 0) {
    bad = mkdir(path, 0755);
  } else {
    return 2;
  }
  if (bad) die(path);
  return 0;
}

// grow-file N: a file larger than a file size limit
static int do_grow_file(char** arg) {
  int fd = open("grown", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) die("grown");
  put_many(fd, 'z', number(arg, 0, 0));
  return 0;
}

// loopback: a server and its client on 127.0.0.1, both in this process
static int do_loopback(char** arg) {
  (void)arg;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof to;
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server < 0 || bind(server, (struct sockaddr*)&to, size) || listen(server, 1)) die("listen");
  if (getsockname(server, (struct sockaddr*)&to, &size)) die("getsockname");
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (client < 0 || connect(client, (struct sockaddr*)&to, size)) die("connect");
  return accept(server, NULL, NULL) < 0;
}

static const struct {
  const char* name;
  int (*run)(char** arg);
} actions[] = {
    {"exit", do_exit},
    {"both", do_both},
    {"utf8-split", do_utf8_split},
    {"invalid-utf8", do_invalid_utf8},
    {"bytes", do_bytes},
    {"head-tail", do_head_tail},
    {"flood", do_flood},
    {"term-trap", do_term_trap},
    {"term-ignore", do_term_ignore},
    {"sleep", do_sleep},
    {"tree", do_tree},
    {"kill-self", do_kill_self},
    {"abort", do_abort},
    {"chatter", do_chatter},
    {"stdin", do_stdin},
    {"env", do_env},
    {"argv", do_argv},
    {"state", do_state},
    {"alloc", do_alloc},
    {"hold", do_hold},
    {"alloc-grandchild", do_alloc_grandchild},
    {"fork-until-refused", do_fork_until_refused},
    {"fork-bomb", do_fork_bomb},
    {"daemon", do_daemon},
    {"holder", do_holder},
    {"burn", do_burn},
    {"burn-for-ever", do_burn_for_ever},
    {"burn-by-killed-children", do_burn_by_killed_children},
    {"exists", do_exists},
    {"place", do_place},
    {"grow-file", do_grow_file},
    {"loopback", do_loopback},
};

int main(int argc, char** argv) {
  for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof *actions; ++i)
    if (strcmp(argv[1], actions[i].name) == 0) {
      int status = actions[i].run(argv + 2);
      fflush(stdout);
      return status;
    }
  fprintf(stderr, "chunk_probe: no such action\n");
  return 2;
}
