#include "plugins/isolated/learning.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "core/supervise/supervisor.h"
#include "core/sys/file.h"
#include "plugins/isolated/denials.h"
#include "plugins/isolated/seccomp_program.h"

namespace helios::isolated {
namespace {

constexpr std::size_t kMaxUses = 20'000;  // a hostile command could name paths without end
constexpr std::size_t kMaxCalls = 1024;   // or numbers that no call has
constexpr std::size_t kMaxLinks = 40;     // in one path, as the kernel has it
constexpr std::int64_t kMeasureEveryNs = 20'000'000;
constexpr std::size_t kPage = 4096;

/// Calls with paths: name, then pairs of (descriptor or -1, path), what happens to the file, and open's flags.
struct PathCall {
  std::string_view name;
  const char* kind;
  int folder, path;
  int folder2{-1}, path2{-1};
  int flags{-1};
};
constexpr std::array kPathCalls{
    PathCall{"open", "read", -1, 0, -1, -1, 1},
    PathCall{"openat", "read", 0, 1, -1, -1, 2},
    PathCall{"creat", "written", -1, 0},
    PathCall{"truncate", "written", -1, 0},
    PathCall{"mkdir", "written", -1, 0},
    PathCall{"mkdirat", "written", 0, 1},
    PathCall{"rmdir", "written", -1, 0},
    PathCall{"unlink", "written", -1, 0},
    PathCall{"unlinkat", "written", 0, 1},
    PathCall{"rename", "written", -1, 0, -1, 1},
    PathCall{"renameat", "written", 0, 1, 2, 3},
    PathCall{"renameat2", "written", 0, 1, 2, 3},
    PathCall{"link", "written", -1, 1},
    PathCall{"linkat", "written", 2, 3},
    PathCall{"symlink", "written", -1, 1},
    PathCall{"symlinkat", "written", 1, 2},
    PathCall{"chmod", "written", -1, 0},
    PathCall{"fchmodat", "written", 0, 1},
    PathCall{"chown", "written", -1, 0},
    PathCall{"fchownat", "written", 0, 1},
    PathCall{"utimensat", "written", 0, 1},
    PathCall{"stat", "looked-at", -1, 0},
    PathCall{"lstat", "looked-at", -1, 0},
    PathCall{"newfstatat", "looked-at", 0, 1},
    PathCall{"statx", "looked-at", 0, 1},
    PathCall{"statfs", "looked-at", -1, 0},
    PathCall{"access", "looked-at", -1, 0},
    PathCall{"faccessat", "looked-at", 0, 1},
    PathCall{"faccessat2", "looked-at", 0, 1},
    PathCall{"readlink", "looked-at", -1, 0},
    PathCall{"readlinkat", "looked-at", 0, 1},
    PathCall{"chdir", "looked-at", -1, 0},
    PathCall{"inotify_add_watch", "looked-at", -1, 1},
};

struct Family {
  std::uint32_t number;
  const char* name;
};
constexpr std::array kFamilies{Family{AF_UNIX, "AF_UNIX"}, Family{AF_INET, "AF_INET"}, Family{AF_INET6, "AF_INET6"},
                               Family{AF_NETLINK, "AF_NETLINK"}};

std::string family_name(std::uint32_t number) {
  for (const Family& f : kFamilies) {
    if (f.number == number) return f.name;
  }
  return "family " + std::to_string(number);
}

std::string proc(std::uint32_t pid, const std::string& what) { return "/proc/" + std::to_string(pid) + "/" + what; }

std::string link_text(const std::string& path) {
  std::array<char, PATH_MAX> text{};
  const ssize_t n = ::readlink(path.c_str(), text.data(), text.size());
  return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : std::string();
}

/// A string of the caller's, page by page: the next page may not be there. errno tells why it is empty.
std::string read_text(std::uint32_t pid, std::uint64_t address) {
  std::string text;
  errno = 0;
  while (text.size() < PATH_MAX) {
    std::array<char, kPage> page{};
    const std::size_t size = kPage - (address + text.size()) % kPage;
    iovec local{page.data(), size};
    iovec remote{reinterpret_cast<void*>(address + text.size()), size};
    const ssize_t n = ::process_vm_readv(static_cast<pid_t>(pid), &local, 1, &remote, 1, 0);
    if (n <= 0) return {};
    const std::size_t got = ::strnlen(page.data(), static_cast<std::size_t>(n));
    text.append(page.data(), got);
    if (got < static_cast<std::size_t>(n)) return text;
  }
  return {};
}

/// "/a/./b/../c" without looking at any file: links have been followed by then.
std::vector<std::string> components(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at && path.compare(at, end - at, ".") != 0) parts.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string path;
  for (const std::string& part : parts) path += "/" + part;
  return path.empty() ? "/" : path;
}

int open_beneath(int root, const std::string& path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

/// Its content is the process's own or the kernel's: every sandbox has them, and looking would follow our own.
bool is_kernels(const std::string& path) {
  return path == "/proc" || path.rfind("/proc/", 0) == 0 || path.rfind("/dev/", 0) == 0;
}

std::uint64_t used_bytes(const sys::UniqueFd& folder) {
  struct statfs fs {};
  if (!folder || ::fstatfs(folder.get(), &fs) != 0) return 0;
  return (fs.f_blocks - fs.f_bfree) * static_cast<std::uint64_t>(fs.f_bsize);
}

}  // namespace

void Learner::add(const std::string& kind, const std::string& name, const std::string& detail) {
  const auto known = uses_.find({kind, name});
  if (known != uses_.end()) {
    ++known->second.count;
  } else if (uses_.size() < kMaxUses) {
    uses_.emplace(std::pair{kind, name}, Use{kind, name, detail, 1});
  } else {
    ++dropped_;
  }
}

Learner::Call& Learner::call_of(const seccomp_data& data) {
  const std::uint64_t key = std::uint64_t{data.arch} << 32 | static_cast<std::uint32_t>(data.nr);
  const auto known = calls_.find(key);
  if (known != calls_.end()) return known->second;
  if (calls_.size() >= kMaxCalls) return others_;
  Call call;
  call.use = {"syscall", syscall_name(data.nr, data.arch), arguments_of(data), 0};
  if (call.use.name == "socket" || call.use.name == "socketpair") call.special = Call::Special::socket;
  if (call.use.name == "personality") call.special = Call::Special::personality;
  for (const PathCall& c : kPathCalls) {
    if (c.name != call.use.name) continue;
    call.paths.push_back({c.folder, c.path, c.flags, c.kind});
    if (c.path2 >= 0) call.paths.push_back({c.folder2, c.path2, -1, c.kind});
  }
  return calls_.emplace(key, std::move(call)).first->second;
}

void Learner::record(const seccomp_notif& notification, int listener) {
  const seccomp_data& data = notification.data;
  Call& call = call_of(data);
  ++call.use.count;
  if (call.special == Call::Special::socket) {
    const auto family = static_cast<std::uint32_t>(data.args[0]);
    add("socket", std::to_string(family), family_name(family));
  } else if (call.special == Call::Special::personality) {
    add("personality", std::to_string(static_cast<std::uint32_t>(data.args[0])));
  }
  for (const PathArgument& argument : call.paths) record_path(argument, notification, listener);
  if (const std::int64_t now = supervise::now_ns(); now - measured_ns_ > kMeasureEveryNs) {
    measured_ns_ = now;
    measure();
  }
}

/// The sandbox has one root for all its processes.
bool Learner::open_root(std::uint32_t pid) {
  if (root_) return true;
  root_ = sys::UniqueFd(::open(proc(pid, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root_) {
    if (unseen_.empty()) unseen_ = std::string("open the command's root: ") + std::strerror(errno);
    return false;
  }
  tmp_ = sys::UniqueFd(open_beneath(root_.get(), "/tmp", O_DIRECTORY));
  shm_ = sys::UniqueFd(open_beneath(root_.get(), "/dev/shm", O_DIRECTORY));
  return true;
}

void Learner::record_path(const PathArgument& argument, const seccomp_notif& n, int listener) {
  const seccomp_data& data = n.data;
  const auto at = [&](int index) { return data.args[static_cast<std::size_t>(index)]; };
  std::string path = read_text(n.pid, at(argument.path));
  if (path.empty()) {
    if (errno == EPERM && unseen_.empty()) unseen_ = "read the command's memory: Operation not permitted";
    return;  // "" names the descriptor itself
  }
  std::string kind = argument.kind;
  if (argument.flags >= 0) {
    const std::uint64_t flags = at(argument.flags);
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0) kind = "written";
    if ((flags & O_PATH) != 0) kind = "looked-at";
  }
  if (path.front() != '/') {
    const bool from_cwd = argument.folder < 0 || static_cast<int>(at(argument.folder)) == AT_FDCWD;
    const std::string folder = link_text(
        proc(n.pid, from_cwd ? "cwd" : "fd/" + std::to_string(static_cast<std::uint32_t>(at(argument.folder)))));
    if (folder.empty() || folder.front() != '/') return;
    path.insert(0, folder + "/");
  }
  // Its number could be another process's by now; then what was read is another's, too.
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) != 0) return;
  const bool first = !root_;
  if (!open_root(n.pid)) return;
  if (first && ::ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) != 0) return finish();
  if (path == "/etc/ld.so.cache") record_program(n.pid);
  walk(path, kind);
}

/// The loader's first call: a program has just been executed.
void Learner::record_program(std::uint32_t pid) {
  if (const std::string file = link_text(proc(pid, "exe")); !file.empty()) add("program", file);
}

/// Follows `path` link by link inside the command's root, so that a folder only links lead through is seen as well.
void Learner::walk(const std::string& path, const std::string& kind) {
  if (const auto known = uses_.find({kind, path}); known != uses_.end()) {
    ++known->second.count;
    return;
  }
  if (uses_.size() >= kMaxUses) {
    ++dropped_;
    return;
  }
  std::vector<std::string> left = components(path);
  std::reverse(left.begin(), left.end());
  std::vector<std::string> done;
  std::size_t links = 0;
  bool missing = false;
  while (!left.empty() && !missing) {
    std::string part = std::move(left.back());
    left.pop_back();
    if (part == "..") {
      if (!done.empty()) done.pop_back();
      continue;
    }
    done.push_back(std::move(part));
    const std::string so_far = joined(done);
    if (is_kernels(so_far)) break;
    const sys::UniqueFd here(open_beneath(root_.get(), so_far, O_NOFOLLOW));
    if (!here) {
      missing = errno == ENOENT || errno == ENOTDIR;
      break;
    }
    std::array<char, PATH_MAX> text{};
    const ssize_t n = ::readlinkat(here.get(), "", text.data(), text.size());
    if (n <= 0) continue;
    if (++links > kMaxLinks) break;
    add("link", so_far, std::string(text.data(), static_cast<std::size_t>(n)));
    std::vector<std::string> more = components({text.data(), static_cast<std::size_t>(n)});
    if (text[0] == '/') {
      done.clear();
    } else {
      done.pop_back();
    }
    left.insert(left.end(), std::make_move_iterator(more.rbegin()), std::make_move_iterator(more.rend()));
  }
  const bool absent = missing && kind != "written";
  if (links == 0 || absent) {
    add(absent ? "missing" : kind, path);
    return;
  }
  add(kind, path);
  std::reverse(left.begin(), left.end());
  for (std::string& part : left) done.push_back(std::move(part));
  add(kind, joined(done));
}

void Learner::measure() {
  tmp_peak_ = std::max(tmp_peak_, used_bytes(tmp_));
  shm_peak_ = std::max(shm_peak_, used_bytes(shm_));
}

void Learner::finish() {
  measure();
  root_.reset();
  tmp_.reset();
  shm_.reset();
}

std::vector<Use> Learner::take() {
  std::vector<Use> uses;
  for (auto& entry : calls_) uses.push_back(std::move(entry.second.use));
  std::sort(uses.begin(), uses.end(), [](const Use& a, const Use& b) { return a.name < b.name; });
  for (auto& entry : uses_) uses.push_back(std::move(entry.second));
  uses.push_back({"peak", "tmp", "", tmp_peak_});
  uses.push_back({"peak", "shm", "", shm_peak_});
  if (!unseen_.empty()) uses.push_back({"unseen", "paths", unseen_, 1});
  if (others_.use.count != 0) uses.push_back({"unseen", "calls", "beyond the first 1024 kinds", others_.use.count});
  if (dropped_ != 0)
    uses.push_back({"unseen", "paths", std::to_string(dropped_) + " uses beyond the first 20000 paths", dropped_});
  return uses;
}

}  // namespace helios::isolated
