// helios-run gc: what runs left that were killed with no chance to clear up. Every run does the same for its groups.

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>

#include "apps/helios-run/commands/command.h"
#include "apps/helios-run/stdio.h"
#include "apps/helios-run/text.h"
#include "apps/helios-run/wiring.h"
#include "core/cgroup/cgroup.h"
#include "core/executor/result_file.h"
#include "core/spec/worker_result_json.h"
#include "core/sys/file.h"
#include "plugins/isolated/handed_over.h"

namespace helios::app {
namespace {

/// One thing of a dead run.
struct Remnant {
  std::string kind;  ///< "cgroup", "workspace", "result-draft"
  std::string path;
  std::string_view owner_kind;  ///< "pid", "uid"
  std::uint64_t owner{0};
  std::string why;
  bool removed{false};
};

/// The pid in ".NAME.PID.tmp", the name under which a result file is written until it is whole (core/executor). It
/// keeps what is being made here this moment; whether a run elsewhere is alive only the lock tells.
std::optional<pid_t> draft_owner(std::string_view name) {
  constexpr std::string_view kSuffix = ".tmp";
  if (!name.starts_with('.') || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  const std::size_t dot = name.rfind('.');
  if (dot == 0 || dot == std::string_view::npos) return std::nullopt;
  const std::string_view digits = name.substr(dot + 1);
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (error != std::errc{} || end != digits.data() + digits.size() || pid <= 1) return std::nullopt;
  return pid;
}

bool is_gone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

/// A draft is empty or holds a result; anything else by such a name is somebody else's.
bool looks_like_a_draft(int file) {
  constexpr std::string_view kStart = R"({"exitCode":)";
  char start[kStart.size()];
  const ssize_t n = ::pread(file, start, sizeof start, 0);
  return n == 0 || (n == static_cast<ssize_t>(sizeof start) && std::string_view(start, sizeof start) == kStart);
}

Status find_drafts(const std::string& folder, bool remove, std::vector<Remnant>& found) {
  auto fd = sys::open_file(folder, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(fd.error());
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd->release()), ::closedir);
  if (!dir) return fail_errno(ErrorCode::io, "read the folder " + folder, errno);
  while (const dirent* entry = ::readdir(dir.get())) {
    const auto pid = draft_owner(entry->d_name);
    if (!pid || !is_gone(*pid)) continue;
    const auto claimed = claim_draft(::dirfd(dir.get()), entry->d_name);
    if (!claimed || !looks_like_a_draft(claimed.get())) continue;
    Remnant r{"result-draft", folder + "/" + entry->d_name, "pid", static_cast<std::uint64_t>(*pid), "owner is gone"};
    if (remove) {
      r.removed = ::unlinkat(::dirfd(dir.get()), entry->d_name, 0) == 0 || errno == ENOENT;
      if (!r.removed) r.why += std::string(", but ") + std::strerror(errno);
    }
    found.push_back(std::move(r));
  }
  return {};
}

Status find_groups(const Settings& s, bool remove, std::vector<Remnant>& found) {
  cgroup::PlacementOptions options;
  options.cgroup_parent = s.run.cgroup_parent;
  const auto place = cgroup::Placement::find(options);
  if (!place) return {};  // where no groups can be made, none were left; doctor tells why
  auto stale = cgroup::sweep(*place, remove);
  if (!stale) return fail(stale.error());
  for (auto& g : *stale)
    found.push_back({"cgroup", g.path, "pid", static_cast<std::uint64_t>(g.pid), g.reason, g.removed});
  return {};
}

/// Workspaces that --workspace-ids=chown has handed to a run that was killed. Only root hands over.
Status find_workspaces(bool remove, std::vector<Remnant>& found) {
  if (::geteuid() != 0) return {};
  auto around = surroundings_of_process();
  if (!around) return fail(around.error());
  if (::access(around->state_dir.c_str(), F_OK) != 0) return {};  // nothing was ever handed over
  auto left = isolated::left_over(around->state_dir, remove ? isolated::Undo::give_back : isolated::Undo::list);
  if (!left) return fail(left.error());
  for (auto& l : *left) found.push_back({"workspace", l.workspace, "uid", l.uid, l.why, l.given_back});
  return {};
}

std::string as_json(const std::vector<Remnant>& found, bool listed_only) {
  std::string items;
  for (const Remnant& r : found) {
    items += (items.empty() ? "" : ",") + (R"({"kind":)" + json_string(r.kind)) + R"(,"path":)" + json_string(r.path) +
             ",\"" + std::string(r.owner_kind) + "\":" + std::to_string(r.owner) + R"(,"reason":)" +
             json_string(r.why) + R"(,"removed":)" + (r.removed ? "true}" : "false}");
  }
  return std::string(R"({"dryRun":)") + (listed_only ? "true" : "false") + R"(,"found":[)" + items + "]}\n";
}

std::string as_text(const std::vector<Remnant>& found, bool listed_only) {
  std::string text;
  for (const Remnant& r : found) {
    const char* verb = r.removed ? "removed  " : listed_only ? "stale    " : "KEPT     ";
    text += verb + r.kind + " " + one_line(r.path) + " of " + std::string(r.owner_kind) + " " +
            std::to_string(r.owner) + (r.removed || listed_only ? "" : ": " + one_line(r.why)) + "\n";
  }
  return text.empty() ? "nothing was left behind\n" : text;
}

}  // namespace

Result<int> collect_garbage(Invocation& in, Log&) {
  const Settings& s = in.settings;
  const bool remove = !s.dry_run;
  std::vector<Remnant> found;
  if (auto ok = find_groups(s, remove, found); !ok) return fail(ok.error());
  for (const std::string& folder : in.arguments) {
    if (auto ok = find_drafts(folder, remove, found); !ok) return fail(ok.error());
  }
  if (auto ok = find_workspaces(remove, found); !ok) return fail(ok.error());
  const bool json = output_format(s) == OutputFormat::json;
  if (auto ok = write_stdout(json ? as_json(found, !remove) : as_text(found, !remove)); !ok) return fail(ok.error());
  const bool all = std::all_of(found.begin(), found.end(), [](const Remnant& r) { return r.removed; });
  return !remove || all ? 0 : 1;
}

}  // namespace helios::app
