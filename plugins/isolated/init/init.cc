/// helios-init: process 1 of an isolated run.
///
/// Executed by descriptor, straight out of clone3, with every namespace new, an empty environment and a few ambient
/// capabilities. It builds the sandbox from the plan, gives up every privilege, starts the command as process 2,
/// reaps, forwards signals, passes the raw wait status on, and ends the namespace as soon as its socket to the runner
/// closes, whatever killed the runner. `main` below is the order of events.
///
/// No C library, no allocation, no floating point: system calls and one read-only block of memory.

#include <asm/stat.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "core/freestanding/memory.h"
#include "core/freestanding/syscalls.h"
#include "plugins/isolated/init/protocol.h"

namespace helios::isolated {
namespace {

using raw::call;

// Constants that the kernel's user headers keep to themselves or that collide with the C library's.
constexpr long kSigChld = 17, kSigKill = 9;
constexpr int kAfInet = 2, kSockDgram = 2, kSolSocket = 1, kScmRights = 1, kMsgNoSignal = 0x4000, kMsgDontWait = 0x40,
              kMsgCtrunc = 8, kMsgTrunc = 0x20, kMsgCmsgCloexec = 0x40000000;
constexpr unsigned long kSiocgifflags = 0x8913, kSiocsifflags = 0x8914;
constexpr int kEintr = 4, kEagain = 11, kEexist = 17, kEnoent = 2, kEnotdir = 20, kEinval = 22, kEacces = 13,
              kEbusy = 16, kEchild = 10, kEnoexec = 8, kEstale = 116, kEnodev = 19, kEtimedout = 110, kEproto = 71,
              kE2big = 7, kEbadmsg = 74, kEloop = 40, kEnametoolong = 36;
constexpr int kONofollow = 0400000, kOPath = 010000000, kOCloexec = 02000000, kONonblock = 04000;
constexpr int kOWronly = 1, kOCreat = 0100, kOExcl = 0200;
constexpr unsigned kSealedMmapProtRead = 1, kMapPrivate = 2, kMapAnonymous = 0x20;
constexpr int kMntDetach = 2;
constexpr int kScratchBytes = 256 * 1024;

struct Iovec {
  void* base;
  unsigned long length;
};
struct Msghdr {
  void* name;
  std::uint32_t name_size;
  Iovec* iov;
  unsigned long iov_count;
  void* control;
  unsigned long control_size;
  std::uint32_t flags;
};
struct ControlMessage {
  unsigned long length;
  int level;
  int type;
  int fd;
  int pad;
};
constexpr unsigned long kControlHeader = sizeof(ControlMessage) - 2 * sizeof(int);

const unsigned char* plan_base = nullptr;
const InitPlan* plan = nullptr;

template <class T>
const T* at(std::uint32_t offset) {
  return reinterpret_cast<const T*>(plan_base + offset);
}
const char* text(std::uint32_t offset) { return at<char>(offset); }

std::int64_t clock_ns(int clock) {
  struct {
    std::int64_t s, ns;
  } t{};
  call(__NR_clock_gettime, clock, &t);
  return t.s * 1000000000 + t.ns;
}
std::int64_t now_ns() { return clock_ns(1 /* CLOCK_MONOTONIC */); }
std::int64_t cpu_ns() { return clock_ns(2 /* CLOCK_PROCESS_CPUTIME_ID */); }

/// CPU time at which we came under the run's accounting.
std::int64_t cpu_when_joined = 0;

[[noreturn]] void quit(int code) {
  for (;;) call(__NR_exit_group, code);
}

void send(const InitReport& report, int fd = -1) {
  Iovec iov{const_cast<InitReport*>(&report), sizeof report};
  ControlMessage control{sizeof(ControlMessage) - sizeof(int), kSolSocket, kScmRights, fd, 0};
  Msghdr message{nullptr, 0, &iov, 1, nullptr, 0, 0};
  if (fd >= 0) {
    message.control = &control;
    message.control_size = sizeof control;
  }
  constexpr int kEnomem = 12, kTries = 100;  // memory may be short for a moment, and this must be heard
  for (int i = 0; i < kTries; ++i) {
    const long r = call(__NR_sendmsg, kControlFd, &message, kMsgNoSignal);
    if (r != -kEintr && r != -kEnomem) return;
  }
}

[[noreturn]] void fail(Stage stage, long error, std::uint32_t index = 0) {
  InitReport report{};
  report.kind = ReportKind::failed;
  report.stage = stage;
  report.error = static_cast<std::int32_t>(error < 0 ? -error : error);
  report.index = index;
  report.time_ns = now_ns();
  send(report);
  quit(125);
}

/// The one way a step reports: a negative result ends everything.
long must(Stage stage, long result, std::uint32_t index = 0) {
  if (result < 0) fail(stage, result, index);
  return result;
}

// ---------------------------------------------------------------------------------------------------- the steps

void read_plan() {
  struct stat st;
  memset(&st, 0, sizeof st);
  must(Stage::read_plan, call(__NR_fstat, kPlanFd, &st));
  const long p = must(Stage::read_plan, call(__NR_mmap, 0, st.st_size, kSealedMmapProtRead, kMapPrivate, kPlanFd, 0));
  plan_base = reinterpret_cast<const unsigned char*>(p);
  plan = reinterpret_cast<const InitPlan*>(p);
  if (plan->magic != kPlanMagic || static_cast<long>(plan->size) > st.st_size) fail(Stage::read_plan, kEproto);
}

/// Signals as a fresh program has them: whatever the runner's caller ignored or blocked does not get through.
void reset_signals() {
  struct {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
  } action{};
  constexpr long kSigStop = 19;
  for (long s = 1; s <= 64; ++s) {
    if (s != kSigKill && s != kSigStop) must(Stage::signals, call(__NR_rt_sigaction, s, &action, 0, 8));
  }
  const unsigned long all = ~0UL;
  must(Stage::signals, call(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, 0, 8));
}

/// The runner's next order, which must be `expected`; the descriptors with it go to `fds`. Returns how many. The end of
/// file, or another order, means that the runner is gone or gave up.
std::uint32_t hear(Stage stage, std::uint8_t expected, std::int32_t* fds, std::uint32_t room) {
  Order order{};
  Iovec iov{&order, sizeof order};
  alignas(8) unsigned char control[kControlHeader + kMaxFdsPerMessage * sizeof(int)];
  Msghdr message{nullptr, 0, &iov, 1, control, sizeof control, 0};
  long n;
  while ((n = call(__NR_recvmsg, kControlFd, &message, kMsgCmsgCloexec)) == -kEintr) {
  }
  must(stage, n);
  if (n != sizeof order || order.what != expected) quit(125);
  // All of them or nothing: without its groups the command would run unlimited.
  const auto* rights = reinterpret_cast<const ControlMessage*>(control);
  const unsigned long bytes = message.control_size == 0 ? 0 : rights->length - kControlHeader;
  const bool whole = (message.flags & (kMsgCtrunc | kMsgTrunc)) == 0 && bytes == order.count * sizeof(int);
  if (!whole || order.count > room) fail(stage, kEbadmsg);
  memcpy(fds, control + kControlHeader, bytes);
  return order.count;
}

void wait_for_ids() { hear(Stage::wait_for_ids, kGo, nullptr, 0); }

/// By us and not by clone3: it is the dearest of the namespaces, and meanwhile the runner goes on. Loopback up.
void make_network() {
  if ((plan->flags & kNewNetwork) == 0) return;
  must(Stage::network, call(__NR_unshare, CLONE_NEWNET));
  const long s = must(Stage::loopback, call(__NR_socket, kAfInet, kSockDgram | kOCloexec, 0));
  struct {
    char name[16];
    short flags;
    char pad[22];
  } request{};
  request.name[0] = 'l';
  request.name[1] = 'o';
  must(Stage::loopback, call(__NR_ioctl, s, kSiocgifflags, &request));
  request.flags = static_cast<short>(request.flags | 1 /* IFF_UP */);
  must(Stage::loopback, call(__NR_ioctl, s, kSiocsifflags, &request));
  call(__NR_close, s);
}

/// Late, so that our own set-up does not count as the command's; while the capabilities for the namespace are there.
/// From `kStart` on the limits are in force, and nothing of the runner's is missing any more.
void join_groups() {
  std::int32_t tasks[kMaxTaskFds];
  const std::uint32_t count = hear(Stage::wait_for_start, kStart, tasks, kMaxTaskFds);
  // "0" moves the writing thread itself: no global lock, no RCU grace period (6.5 ms for a pid written by the parent).
  for (std::uint32_t i = 0; i < count; ++i) must(Stage::join_groups, call(__NR_write, tasks[i], "0", 1), i);
  // After joining, so that the namespace's root is the run's own group and its path shows nothing above.
  if ((plan->flags & kCpuCountedLate) != 0) cpu_when_joined = cpu_ns();
  must(Stage::cgroup_namespace, call(__NR_unshare, CLONE_NEWCGROUP));
}

/// Before the mounts, so that what is created in the new file systems has mapped owners. No id 0 is mapped: the
/// capabilities survive the change, and go with drop_capabilities().
void become_unprivileged() {
  if ((plan->flags & kDropGroups) != 0) must(Stage::groups, call(__NR_setgroups, 0, 0));
  must(Stage::gid, call(__NR_setresgid, plan->gid, plan->gid, plan->gid));
  must(Stage::uid, call(__NR_setresuid, plan->uid, plan->uid, plan->uid));
  // Nobody inside may trace process 1 or open its /proc files.
  must(Stage::uid, call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
  // A second fence; the socket's end of file is the first.
  must(Stage::uid, call(__NR_prctl, PR_SET_PDEATHSIG, kSigKill, 0, 0, 0));
  call(__NR_umask, plan->umask);
}

long configure(long fs, const char* key, const char* value) {
  return call(__NR_fsconfig, fs, 1 /* FSCONFIG_SET_STRING */, key, value, 0);
}

char* put_number(char* end, std::uint64_t value, unsigned base) {
  *--end = '\0';
  do {
    *--end = static_cast<char>('0' + value % base);
    value /= base;
  } while (value != 0);
  return end;
}

/// A detached mount of `type`. Size and mode are for tmpfs (0: not set).
long make_mount(const char* type, std::uint64_t size, std::uint32_t mode, std::uint64_t attributes,
                std::uint64_t inodes = 0) {
  const long fs = call(__NR_fsopen, type, 1 /* FSOPEN_CLOEXEC */);
  if (fs < 0) return fs;
  char buffer[32];
  long r = 0;
  if (size != 0) r = configure(fs, "size", put_number(buffer + sizeof buffer, size, 10));
  if (r >= 0 && inodes != 0) r = configure(fs, "nr_inodes", put_number(buffer + sizeof buffer, inodes, 10));
  if (r >= 0 && mode != 0) r = configure(fs, "mode", put_number(buffer + sizeof buffer, mode, 8));
  if (r >= 0) r = call(__NR_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, 0, 0, 0);
  if (r >= 0) r = call(__NR_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, attributes);
  call(__NR_close, fs);
  return r;
}

std::uint64_t attributes_of(std::uint32_t flags) {
  std::uint64_t a = 0;
  if ((flags & kReadOnly) != 0) a |= MOUNT_ATTR_RDONLY;
  if ((flags & kNoExec) != 0) a |= MOUNT_ATTR_NOEXEC;
  if ((flags & kNoDev) != 0) a |= MOUNT_ATTR_NODEV;
  if ((flags & kNoSuid) != 0) a |= MOUNT_ATTR_NOSUID;
  return a;
}

long set_attributes(long fd, const char* path, unsigned at_flags, std::uint64_t attributes) {
  mount_attr attr{};
  attr.attr_set = attributes;
  attr.propagation = 1UL << 18;  // MS_PRIVATE: a tree cloned from a shared mount would hand our mounts to the host
  return call(__NR_mount_setattr, fd, path, at_flags, &attr, sizeof attr);
}

long root_fd = -1;  // the new root, while it is being built

/// mkdir -p of the parents of a target (relative to the new root). Rarely needed: steps come parents first, so each
/// tries without, and comes here when told ENOENT.
long make_parents(const char* target) {
  char path[4096];
  for (unsigned i = 0; target[i] != '\0'; ++i) {
    if (i >= sizeof path - 1) return -kEnametoolong;
    if (target[i] == '/') {
      path[i] = '\0';
      const long r = call(__NR_mkdirat, root_fd, path, 0755);
      if (r < 0 && r != -kEexist) {
        // read-only below a mount is fine as long as the directory is there
        struct stat st;
        if (call(__NR_newfstatat, root_fd, path, &st, 0x100 /* AT_SYMLINK_NOFOLLOW */) < 0) return r;
      }
    }
    path[i] = target[i];
  }
  return 0;
}

/// The file's mode; 0: there is none. Any other trouble is an error: what cannot be looked at must not stay unmasked.
long mode_of(const char* target) {
  struct stat st;
  const long r = call(__NR_newfstatat, root_fd, target, &st, 0x100 /* AT_SYMLINK_NOFOLLOW */);
  if (r == -kEnoent || r == -kEnotdir) return 0;
  return r < 0 ? r : static_cast<long>(st.st_mode);
}
bool is_directory(long mode) { return (mode & 0170000) == 0040000; }

/// `create` is tried once more with its parents made, if it was they that were missing.
template <class Create>
long with_parents(const char* target, Create create) {
  const long r = create();
  if (r != -kEnoent) return r;
  const long parents = make_parents(target);
  return parents < 0 ? parents : create();
}

long make_directory(const char* target, std::uint32_t mode) {
  return with_parents(target, [=] { return call(__NR_mkdirat, root_fd, target, mode); });
}

constexpr int kNewFile = kOCreat | kOExcl;

/// `creating`: kNewFile, or 0 for a file that is there (a setting of the kernel's).
long open_for_writing(const char* target, int creating, std::uint32_t mode) {
  return with_parents(
      target, [=] { return call(__NR_openat, root_fd, target, kOWronly | creating | kOCloexec | kONofollow, mode); });
}

/// ELOOP: `path` is a link, or one is on the way.
long open_without_links(long dir, const char* path, std::uint64_t resolve) {
  struct {
    std::uint64_t flags, mode, resolve;
  } how{kOPath | kOCloexec, 0, RESOLVE_NO_SYMLINKS | resolve};
  return call(437 /* openat2 */, dir, path, &how, sizeof how);
}

/// The target of a step in the workspace.
long open_target(const MountStep& s) {
  char workspace[4096];
  if (s.no_links_from >= sizeof workspace) return -kEnametoolong;
  memcpy(workspace, text(s.target), s.no_links_from);
  workspace[s.no_links_from] = '\0';
  const long dir = call(__NR_openat, root_fd, workspace, kOPath | kOCloexec, 0);
  if (dir < 0) return dir;
  const long fd = open_without_links(dir, text(s.target) + s.no_links_from + 1, RESOLVE_BENEATH);
  call(__NR_close, dir);
  return fd;
}

/// A place to mount on. One that is there already will do, below a read-only mount too.
long make_target(const MountStep& s) {
  const char* target = text(s.target);
  const bool file = (s.flags & kTargetIsFile) != 0;
  if (s.no_links_from != 0) {
    const long there = open_target(s);
    if (there >= 0) call(__NR_close, there);
    if (there == -kEloop) return there;
  }
  const long r = file ? open_for_writing(target, kNewFile, 0755) : make_directory(target, 0755);
  if (r >= 0) {
    if (file) call(__NR_close, r);
    return 0;
  }
  const long mode = mode_of(target);
  return mode > 0 ? 0 : r;
}

long place(long mount_fd, const char* target) {
  const long r = call(__NR_move_mount, mount_fd, "", root_fd, target, MOVE_MOUNT_F_EMPTY_PATH);
  call(__NR_close, mount_fd);
  return r;
}

/// The same at the target of a step; in the workspace links are not followed.
long place(long mount_fd, const MountStep& s) {
  if (s.no_links_from == 0) return place(mount_fd, text(s.target));
  long r = open_target(s);
  if (r >= 0) {
    const long at = r;
    r = call(__NR_move_mount, mount_fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    call(__NR_close, at);
  }
  call(__NR_close, mount_fd);
  return r;
}

long open_tree(long dir, const char* path, unsigned at_flags) {
  return call(__NR_open_tree, dir, path, OPEN_TREE_CLONE | static_cast<unsigned>(kOCloexec) | at_flags);
}

constexpr unsigned kAtRecursive = 0x8000, kAtEmptyPath = 0x1000;

long attach(const MountStep& s, long tree) {
  if (tree < 0) return tree;
  long r = set_attributes(tree, "", kAtEmptyPath | kAtRecursive, attributes_of(s.flags));
  if (r >= 0) r = make_target(s);
  return r < 0 ? r : place(tree, s);
}

long write_file(const MountStep& s, int creating) {
  const long fd = open_for_writing(text(s.target), creating, s.mode);
  if (fd < 0) return fd;
  const long r = call(__NR_write, fd, text(s.text), s.text_size);
  call(__NR_close, fd);
  return r;
}

constexpr std::uint64_t kHarmless = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// Shows `source` (relative to the new root), unchangeable, at `target`.
long show_read_only(const char* source, const char* target) {
  const long tree = open_tree(root_fd, source, kAtRecursive);
  if (tree < 0) return tree;
  const long r = set_attributes(tree, "", kAtEmptyPath | kAtRecursive, kHarmless);
  return r < 0 ? r : place(tree, target);
}

/// Over a file: the sandbox's own /dev/null. Over a directory: an empty one.
long mask(const char* target, const char* empty) {
  const long mode = mode_of(target);
  if (mode <= 0) return mode;
  if (!is_directory(mode)) {
    const long null = open_tree(root_fd, "dev/null", 0);
    return null < 0 ? null : place(null, target);
  }
  if (*empty != '\0') return show_read_only(empty, target);  // a file system more costs 0.1 ms to make and to end
  const long m = make_mount("tmpfs", 0, 0555, kHarmless, 1);
  return m < 0 ? m : place(m, target);
}

long make_read_only(const char* target) {
  const long mode = mode_of(target);
  return mode <= 0 ? mode : show_read_only(target, target);
}

long apply(const MountStep& s, long tree) {
  const char* target = text(s.target);
  long r = 0;
  switch (s.op) {
    case MountOp::directory:
      r = make_directory(target, s.mode);
      return r == -kEexist ? 0 : r;
    case MountOp::symlink:
      r = with_parents(target, [&] { return call(__NR_symlinkat, text(s.text), root_fd, target); });
      return r == -kEexist ? 0 : r;
    case MountOp::file:
      return write_file(s, kNewFile);
    case MountOp::setting:
      return write_file(s, 0);
    case MountOp::attach:
      return attach(s, tree);
    case MountOp::proc:
      r = make_target(s);
      return r < 0 ? r : place(tree, s);
    case MountOp::tmpfs:
    case MountOp::devpts: {
      if ((r = make_target(s)) < 0) return r;
      const bool tmpfs = s.op == MountOp::tmpfs;
      const long m = make_mount(tmpfs ? "tmpfs" : "devpts", tmpfs ? s.size : 0, tmpfs ? s.mode : 0,
                                attributes_of(s.flags), tmpfs ? s.files : 0);
      return m < 0 ? m : place(m, s);
    }
    case MountOp::mask:
      return mask(target, text(s.source));
    case MountOp::read_only:
      return make_read_only(target);
  }
  return -kEinval;
}

/// Mounts the root under construction over the old one and makes it the working directory. Absolute paths lead to the
/// old one until pivot_root.
void enter_new_root() {
  must(Stage::new_root, call(__NR_move_mount, root_fd, "", -100, "/", MOVE_MOUNT_F_EMPTY_PATH));
  must(Stage::new_root, call(__NR_fchdir, root_fd));
}

/// Folders of an image belong to ids that are not mapped here, and nobody could make a mount point in them. So the
/// parents of mount points are made in the upper layer first: there they are ours, and what the image has in them shows
/// through. Not beyond a link of the image, which a folder would hide.
long lay_out_parents(const char* lower, const char* target) {
  char made[4096] = "upper/", found[4096];
  constexpr unsigned kMade = 6;
  unsigned below = 0;
  for (; lower[below] != '\0'; ++below) {
    if (below >= sizeof found - 2) return -kEnametoolong;
    found[below] = lower[below];
  }
  found[below++] = '/';
  for (unsigned i = 0; target[i] != '\0'; ++i) {
    if (kMade + i >= sizeof made - 1 || below + i >= sizeof found - 1) return -kEnametoolong;
    if (target[i] == '/') {
      made[kMade + i] = found[below + i] = '\0';
      struct stat st;
      const long there = call(__NR_newfstatat, -100, found, &st, 0x100 /* AT_SYMLINK_NOFOLLOW */);
      if (there >= 0 && (st.st_mode & 0170000) == 0120000) return 0;
      const long r = call(__NR_mkdirat, root_fd, made, 0755);
      if (r < 0 && r != -kEexist) return r;
    }
    made[kMade + i] = found[below + i] = target[i];
  }
  return 0;
}

/// `lower` under an upper layer that lives, and dies, with the sandbox. The working directory is the tmpfs for it.
long overlay_on(const char* lower) {
  long r = call(__NR_mkdirat, root_fd, "upper", 0755);
  if (r >= 0) r = call(__NR_mkdirat, root_fd, "work", 0700);
  const auto* steps = at<MountStep>(plan->mounts);
  for (std::uint32_t i = 0; r >= 0 && i < plan->mount_count; ++i) r = lay_out_parents(lower, text(steps[i].target));
  if (r < 0) return r;
  const long fs = call(__NR_fsopen, "overlay", 1 /* FSOPEN_CLOEXEC */);
  if (fs < 0) return fs;
  r = configure(fs, "lowerdir", lower);
  if (r >= 0) r = configure(fs, "upperdir", "upper");
  if (r >= 0) r = configure(fs, "workdir", "work");
  if (r >= 0) r = call(__NR_fsconfig, fs, 0 /* FSCONFIG_SET_FLAG */, "userxattr", 0, 0);
  if (r >= 0) r = call(__NR_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, 0, 0, 0);
  if (r >= 0) r = call(__NR_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  call(__NR_close, fs);
  return r;
}

/// The trees that are to be attached, one per step (-ENOENT: optional and missing): sent by the runner, or opened here.
/// Their links were resolved when the run was planned: one that is there now is somebody's who waited for it.
void gather_trees(const MountStep* steps, long* trees) {
  std::int32_t sent[kMaxFdsPerMessage];
  std::uint32_t count = 0, next = 0;
  for (std::uint32_t i = 0; i < plan->mount_count; ++i) {
    trees[i] = -kEnoent;
    if (steps[i].op != MountOp::attach) continue;
    if ((steps[i].flags & kSent) != 0) {
      if (next == count) {
        next = 0;
        count = hear(Stage::receive_trees, kTrees, sent, kMaxFdsPerMessage);
        if (count == 0) fail(Stage::receive_trees, kEproto, i);
      }
      trees[i] = sent[next++];
      continue;
    }
    const long source = open_without_links(-100 /* AT_FDCWD */, text(steps[i].source), 0);
    trees[i] = source < 0 ? source : open_tree(source, "", kAtEmptyPath | kAtRecursive);
    if (source >= 0) call(__NR_close, source);
    const bool missing = trees[i] == -kEnoent || trees[i] == -kEnotdir;
    if (trees[i] < 0 && !(missing && (steps[i].flags & kOptional) != 0)) fail(Stage::mounts, trees[i], i);
  }
}

/// The new root is mounted over the old one, made the only one, and then filled: a link that a chunk or an image left
/// on the way to a mount point leads into the sandbox, wherever it points.
void build_root() {
  const auto* steps = at<MountStep>(plan->mounts);
  long trees[kMaxMounts];
  if (plan->mount_count > kMaxMounts) fail(Stage::mounts, kE2big);
  // What takes the old root, first: sources, all of them, and a /proc, which the kernel only gives to who sees one.
  gather_trees(steps, trees);
  for (std::uint32_t i = 0; i < plan->mount_count; ++i) {
    if (steps[i].op == MountOp::proc)
      trees[i] = must(Stage::mounts, make_mount("proc", 0, 0, attributes_of(steps[i].flags)), i);
  }
  // Private first: nothing that is mounted from here on may reach the host, nor the host's mounts us.
  must(Stage::new_root, call(__NR_mount, 0, "/", 0, (1UL << 18) | (1UL << 14) /* MS_PRIVATE | MS_REC */, 0));
  root_fd = must(Stage::new_root, make_mount("tmpfs", 1 << 20, 0755, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  enter_new_root();
  if (plan->rootfs != 0) {
    root_fd = must(Stage::rootfs_overlay, overlay_on(text(plan->rootfs)));
    enter_new_root();
  }
  must(Stage::pivot_root, call(__NR_pivot_root, ".", "."));
  must(Stage::pivot_root, call(__NR_umount2, ".", kMntDetach));
  must(Stage::pivot_root, call(__NR_chdir, "/"));

  for (std::uint32_t i = 0; i < plan->mount_count; ++i) {
    if (steps[i].op == MountOp::attach && trees[i] < 0) continue;  // optional and missing
    must(Stage::mounts, apply(steps[i], trees[i]), i);
  }
  must(Stage::read_only_root, set_attributes(-100, "/", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  for (std::uint32_t i = 0; i < plan->mount_count; ++i) {
    if ((steps[i].flags & kFinishReadOnly) == 0) continue;
    must(Stage::read_only_root, set_attributes(root_fd, text(steps[i].target), 0, MOUNT_ATTR_RDONLY), i);
  }
  must(Stage::working_directory, call(__NR_chdir, text(plan->workdir)));
}

/// All five sets empty, and nothing that could fill them again.
void drop_capabilities() {
  for (std::uint32_t c = 0; c < 64; ++c) {
    const long r = call(__NR_prctl, PR_CAPBSET_DROP, c, 0, 0, 0);
    if (r == -kEinval && c > 31) break;  // the kernel's last one was before
    must(Stage::capabilities, r, c);
  }
  must(Stage::capabilities, call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  must(Stage::capabilities, call(__NR_capset, &header, data));
  must(Stage::no_new_privs, call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/// The second fence: also binds process 1, which needs no file from here on.
void restrict_files() {
  if ((plan->flags & kLandlock) == 0) return;
  struct {
    std::uint64_t fs, net, scope;
  } attr{plan->landlock_fs, plan->landlock_net, plan->landlock_scope};
  const unsigned long size = plan->landlock_scope != 0 ? 24 : plan->landlock_net != 0 ? 16 : 8;
  const long ruleset = must(Stage::landlock, call(444 /* landlock_create_ruleset */, &attr, size, 0));
  const auto* rules = at<LandlockRule>(plan->landlock_rules);
  for (std::uint32_t i = 0; i < plan->landlock_rule_count; ++i) {
    const long path = call(__NR_openat, -100, text(rules[i].path), kOPath | kOCloexec, 0);
    if (path == -kEnoent) continue;
    must(Stage::landlock, path, i);
    struct __attribute__((packed)) {
      std::uint64_t access;
      std::int32_t fd;
    } rule{rules[i].access, static_cast<std::int32_t>(path)};
    must(Stage::landlock, call(445 /* landlock_add_rule */, ruleset, 1 /* PATH_BENEATH */, &rule, 0), i);
    call(__NR_close, path);
  }
  must(Stage::landlock, call(446 /* landlock_restrict_self */, ruleset, 0));
  call(__NR_close, ruleset);
}

// ---------------------------------------------------------------------------------------------------- the command

/// Shared with the command's child until it execs (it lives in our memory, on a stack of its own).
struct Launch {
  const char** argv;
  const char** envp;
  const char** shell_argv;  // room for argc + 2
  char* path;               // room for one path
  volatile Stage stage;
  volatile long error;
  volatile std::uint32_t index;
  volatile long listener;
  volatile bool notifying;
};

[[noreturn]] void give_up(Launch& l, Stage stage, long error, std::uint32_t index = 0) {
  l.stage = stage;
  l.index = index;
  l.error = -error;
  quit(127);
}

/// As execvp: a text file without "#!" runs under /bin/sh.
long execute(Launch& l, const char* path) {
  const long r = call(__NR_execve, path, l.argv, l.envp);
  if (r != -kEnoexec) return r;
  l.shell_argv[0] = "/bin/sh";
  l.shell_argv[1] = path;
  for (std::uint32_t i = 1; i <= plan->argc; ++i) l.shell_argv[i + 1] = l.argv[i];
  return call(__NR_execve, "/bin/sh", l.shell_argv, l.envp);
}

bool keeps_looking(long r) {
  return r == -kEnoent || r == -kEnotdir || r == -kEstale || r == -kEnodev || r == -kEtimedout || r == -kEacces;
}

[[noreturn]] void execute_found(Launch& l) {
  const char* file = l.argv[0];
  bool has_slash = file[0] == '\0';
  for (const char* c = file; *c != '\0'; ++c) has_slash |= *c == '/';
  if (has_slash) give_up(l, Stage::exec, execute(l, file));
  long result = -kEnoent;
  const unsigned long name = raw::length(file);
  const char* dir = text(plan->path);
  for (;;) {
    unsigned long n = 0;
    while (dir[n] != '\0' && dir[n] != ':') ++n;
    if (n + name + 2 < 4096) {
      memcpy(l.path, dir, n);
      l.path[n] = '/';
      memcpy(l.path + n + (n > 0), file, name + 1);
      const long r = execute(l, l.path);
      if (!keeps_looking(r)) give_up(l, Stage::exec, r);
      if (r == -kEacces) result = r;
    }
    if (dir[n] == '\0') give_up(l, Stage::exec, result);
    dir += n + 1;
  }
}

void install_filter(Launch& l) {
  struct {
    unsigned short len;
    const sock_filter* filter;
  } program{};
  program = {static_cast<unsigned short>(plan->notify_len), at<sock_filter>(plan->notify_filter)};
  constexpr unsigned long kNewListener = 8, kWaitKillable = 32;  // the latter: Linux 5.19
  long r = call(__NR_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, kNewListener | kWaitKillable, &program);
  if (r == -kEinval) r = call(__NR_seccomp, 1, kNewListener, &program);
  if (r >= 0) {
    l.listener = r;
    l.notifying = true;
    return;
  }
  if (r != -kEbusy) give_up(l, Stage::seccomp, r);  // EBUSY: somebody outside already listens
  program = {static_cast<unsigned short>(plan->filter_len), at<sock_filter>(plan->filter)};
  r = call(__NR_seccomp, 1, 0, &program);
  if (r < 0) give_up(l, Stage::seccomp, r);
}

/// [the command's process, in our memory] Order: everything the filter could forbid comes before it.
void command(void* arg) {
  auto& l = *static_cast<Launch*>(arg);
  const long session = call(__NR_setsid);
  if (session < 0) give_up(l, Stage::session, session);
  const auto* limits = at<RlimitStep>(plan->rlimits);
  for (std::uint32_t i = 0; i < plan->rlimit_count; ++i) {
    const std::uint64_t value[2] = {limits[i].soft, limits[i].hard};
    const long r = call(__NR_prlimit64, 0, limits[i].resource, value, 0);
    if (r < 0) give_up(l, Stage::rlimits, r, i);
  }
  const unsigned long none = 0;
  const long unblocked = call(__NR_rt_sigprocmask, 2, &none, 0, 8);
  if (unblocked < 0) give_up(l, Stage::signals, unblocked);
  if (plan->filter_len != 0) install_filter(l);
  execute_found(l);
}

const char** pointers(std::uint32_t offsets, std::uint32_t count, const char**& scratch) {
  const char** list = scratch;
  const auto* o = at<std::uint32_t>(offsets);
  for (std::uint32_t i = 0; i < count; ++i) list[i] = text(o[i]);
  list[count] = nullptr;
  scratch += count + 1;
  return list;
}

/// Starts the command and tells the runner. Returns its pid; a command that could not be executed is told as such.
long start_command() {
  const unsigned long lists = (2UL * plan->argc + plan->envc + 8) * sizeof(char*);
  const unsigned long bytes = (lists + kScratchBytes + 8191) & ~4095UL;
  const long area = must(Stage::clone_command, call(__NR_mmap, 0, bytes, 3, kMapPrivate | kMapAnonymous, -1, 0));
  const auto** scratch = reinterpret_cast<const char**>(area);
  Launch l{};
  l.listener = -1;
  l.argv = pointers(plan->argv, plan->argc, scratch);
  l.envp = pointers(plan->envp, plan->envc, scratch);
  l.shell_argv = scratch;
  l.path = reinterpret_cast<char*>(area + static_cast<long>(lists));
  const long stack_top = area + static_cast<long>(bytes);

  InitReport report{};
  report.kind = ReportKind::started;
  report.setup_cpu_ns = cpu_ns() - cpu_when_joined;
  report.time_ns = now_ns();
  const long pid = raw::clone_call(__NR_clone, CLONE_VM | CLONE_VFORK | CLONE_FILES | kSigChld, stack_top, command, &l);
  if (pid < 0) fail(Stage::clone_command, pid);
  if (l.error != 0) fail(l.stage, l.error, l.index);
  report.notifying = l.notifying ? 1 : 0;
  report.landlocked = (plan->flags & kLandlock) != 0 ? 1 : 0;
  send(report, static_cast<int>(l.listener));
  if (l.listener >= 0) call(__NR_close, l.listener);
  return pid;
}

/// Reaps everything that has ended. True when the command was among it (its raw status in `status`).
bool reap(long command_pid, int& status) {
  bool ended = false;
  for (;;) {
    int s = 0;
    const long pid = call(__NR_wait4, -1, &s, 1 | 0x40000000 /* WNOHANG | __WALL */, 0);
    if (pid <= 0) return ended;
    if (pid == command_pid) {
      status = s;
      ended = true;
    }
  }
}

bool others_left() {
  int s = 0;
  return call(__NR_wait4, -1, &s, 1 | 0x40000000, 0) != -kEchild;
}

/// Before the command: from its start on nothing may fail that the runner could not be told.
long watch_children() {
  const unsigned long chld = 1UL << (kSigChld - 1);
  return must(Stage::signals, call(__NR_signalfd4, -1, &chld, 8, kOCloexec | kONonblock));
}

[[noreturn]] void look_after(long command_pid, long signals) {
  for (int fd = 0; fd < 3; ++fd) call(__NR_close, fd);  // or the runner would never see the pipes' end
  bool ended = false;
  for (;;) {
    int status = 0;
    if (reap(command_pid, status)) {
      ended = true;
      InitReport report{};
      report.kind = ReportKind::exited;
      report.status = status;
      report.others = others_left() ? 1 : 0;
      report.time_ns = now_ns();
      send(report);
      if (report.others == 0) quit(0);  // the last one: the namespace goes with us
    }
    pollfd fds[2] = {{kControlFd, POLLIN, 0}, {static_cast<int>(signals), POLLIN, 0}};
    const long ready = call(__NR_ppoll, fds, 2, 0, 0, 8);
    if (ready < 0 && ready != -kEintr) {  // whatever it is, keep looking after the run, without burning its CPU
      struct {
        long s, ns;
      } nap{0, 5000000};
      call(__NR_nanosleep, &nap, 0);
      fds[0].revents = POLLIN;
    }
    if (fds[1].revents != 0) {
      char drop[128];
      call(__NR_read, signals, drop, sizeof drop);
    }
    if (fds[0].revents == 0) continue;
    std::uint8_t byte = 0;
    const long n = call(__NR_recvfrom, kControlFd, &byte, 1, kMsgDontWait, 0, 0);
    if (n == -kEintr || n == -kEagain) continue;
    if (n <= 0) quit(0);
    if (byte <= 64 && !ended && call(__NR_kill, -command_pid, byte) < 0) call(__NR_kill, command_pid, byte);
  }
}

}  // namespace

extern "C" [[noreturn]] __attribute__((used)) void helios_init_main() {
  must(Stage::descriptors, call(__NR_fcntl, kControlFd, 2 /* F_SETFD */, 1 /* FD_CLOEXEC */));
  reset_signals();
  read_plan();
  make_network();
  wait_for_ids();
  become_unprivileged();
  must(Stage::hostname, call(__NR_sethostname, text(plan->hostname), raw::length(text(plan->hostname))));
  build_root();   // while the capabilities are there
  join_groups();  // when the runner says start: the limits are in force
  drop_capabilities();
  restrict_files();
  // The uid's lock stays with us, so that a dead runner's uid is not given to another run before we are gone.
  must(Stage::descriptors, call(__NR_fcntl, kLockFd, 2 /* F_SETFD */, 1 /* FD_CLOEXEC */));
  call(__NR_close, kPlanFd);
  must(Stage::descriptors, call(__NR_close_range, kFirstFreeFd, ~0U, 0));
  const long signals = watch_children();
  look_after(start_command(), signals);
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  and $-16, %rsp\n"
    "  call helios_init_main\n"
    "  hlt\n");

}  // namespace helios::isolated
