// Who made a group: helios-<pid>-<start time>-<pid namespace>-<n>. Start time is in clock ticks since boot, so a
// recycled pid is told apart; cgroups do not survive a boot, so no boot id is needed. A pid means nothing in another
// pid namespace, which a container that shares our cgroupfs has: such groups are left alone.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <mutex>

#include "core/cgroup/cgroup.h"
#include "core/sys/file.h"

namespace helios::cgroup {
namespace {

constexpr std::string_view kPrefix = "helios-";

std::uint64_t pid_namespace() {
  struct stat st {};
  return ::stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

// Field 22 of /proc/PID/stat; the second one, the name, may hold blanks and parentheses. 0: not to be had.
std::uint64_t start_time(pid_t pid) {
  const auto text = sys::read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  const auto name_end = text ? text->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return 0;
  std::size_t at = name_end + 1;
  for (int field = 2; field < 21 && at != std::string::npos; ++field) at = text->find(' ', at + 1);
  if (at == std::string::npos) return 0;
  std::uint64_t value = 0;
  std::from_chars(text->data() + at + 1, text->data() + text->size(), value);
  return value;
}

struct Owner {
  std::uint64_t pid{0}, start{0}, pid_namespace{0}, number{0};
};

std::optional<Owner> parse_token(std::string_view token) {
  if (token.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  token.remove_prefix(kPrefix.size());
  Owner owner;
  for (auto* field : {&owner.pid, &owner.start, &owner.pid_namespace, &owner.number}) {
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), *field);
    if (error != std::errc{}) return std::nullopt;
    token.remove_prefix(static_cast<std::size_t>(end - token.data()));
    if (field == &owner.number) break;
    if (token.empty() || token.front() != '-') return std::nullopt;
    token.remove_prefix(1);
  }
  if (!token.empty() || owner.pid == 0 || owner.pid > 0x7fffffff || owner.start == 0) return std::nullopt;
  return owner;
}

}  // namespace

std::string owner_token() {
  static std::mutex mutex;
  static pid_t pid = 0;
  static std::string prefix;
  static std::uint64_t count = 0;
  const std::lock_guard lock(mutex);
  if (pid != ::getpid()) {  // the first call, or the first one after a fork
    pid = ::getpid();
    prefix = std::string(kPrefix) + std::to_string(pid) + '-' + std::to_string(start_time(pid)) + '-' +
             std::to_string(pid_namespace()) + '-';
  }
  return prefix + std::to_string(count++);
}

std::optional<pid_t> dead_owner(std::string_view token) {
  const auto owner = parse_token(token);
  if (!owner || owner->pid_namespace != pid_namespace()) return std::nullopt;
  const auto pid = static_cast<pid_t>(owner->pid);
  if (::kill(pid, 0) != 0 && errno == ESRCH) return pid;
  const auto start = start_time(pid);
  if (start == 0 || start == owner->start) return std::nullopt;  // unreadable (hidepid): taken for alive
  return pid;
}

}  // namespace helios::cgroup
