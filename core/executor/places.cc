#include "core/executor/places.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <vector>

#include "core/sys/path.h"

namespace helios {
namespace {

struct SystemDirectory {
  std::string_view path;
  bool beneath;  // everything beneath it too
  std::string_view why;
};

// What a command could do with it that outlives the run. Trees first; then folders whose subfolders are fine.
constexpr std::array<SystemDirectory, 24> kSystemDirectories{{
    {"/etc", true, "it holds the system's configuration"},
    {"/usr", true, "it holds the system's programs"},
    {"/bin", true, "it holds the system's programs"},
    {"/sbin", true, "it holds the system's programs"},
    {"/lib", true, "it holds the system's libraries"},
    {"/lib32", true, "it holds the system's libraries"},
    {"/lib64", true, "it holds the system's libraries"},
    {"/libx32", true, "it holds the system's libraries"},
    {"/boot", true, "it holds the kernel"},
    {"/proc", true, "it is the kernel's"},
    {"/sys", true, "it is the kernel's"},
    {"/", false, "it is the whole file system"},
    {"/dev", false, "it holds the devices"},
    {"/run", false, "it holds the sockets of running services"},
    {"/run/user", false, "it holds the sockets of running sessions"},
    {"/var", false, "it holds the state of the system's services"},
    {"/var/lib", false, "it holds the state of the system's services"},
    {"/var/log", false, "it holds the system's logs"},
    {"/var/spool", false, "it holds the system's queues"},
    {"/var/tmp", false, "it is shared with every user"},
    {"/tmp", false, "it is shared with every user"},
    {"/dev/shm", false, "it is shared with every user"},
    {"/home", false, "it holds everybody's files"},
    {"/root", false, "it is root's home, whose start-up files would run as root"},
}};

std::string join(std::string_view base, std::string_view path) {
  if (!path.empty() && path.front() == '/') return std::string(path);
  return std::string(base) + "/" + std::string(path);
}

std::string quoted(std::string_view path) { return std::string(1, '\'').append(path).append(1, '\''); }

Result<std::string> resolve(const std::string& path, std::string_view what) {
  char real[PATH_MAX];
  if (::realpath(path.c_str(), real) == nullptr) {
    return fail_errno(ErrorCode::invalid_argument, std::string(what) + " " + quoted(path), errno);
  }
  return std::string(real);
}

Status require_directory(const std::string& path, std::string_view what) {
  struct stat st {};
  const std::string named = std::string(what) + " " + quoted(path);
  if (::lstat(path.c_str(), &st) != 0) return fail_errno(ErrorCode::invalid_argument, named, errno);
  if (S_ISLNK(st.st_mode)) {
    return fail(ErrorCode::invalid_argument, named + " is a symbolic link", "name the directory it leads to");
  }
  if (!S_ISDIR(st.st_mode)) return fail(ErrorCode::invalid_argument, named + " is not a directory");
  return {};
}

// Root may write everywhere; the command, which runs as somebody else on the owner's behalf, may not.
bool owner_can_write(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && (st.st_mode & S_IWUSR) != 0;
}

Status require_writable(const std::string& workspace) {
  if (::faccessat(AT_FDCWD, workspace.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return fail_errno(ErrorCode::invalid_argument, "workspace " + quoted(workspace) + " is not writable", errno,
                      "name a directory of yours with --workspace");
  }
  if (::geteuid() == 0 && !owner_can_write(workspace)) {
    return fail(ErrorCode::invalid_argument, "workspace " + quoted(workspace) + " is not writable for its owner",
                "chmod u+w it, or name another with --workspace");
  }
  return {};
}

// By what it is, not by its name: a home may lie behind a link.
bool is_same_file(const std::string& a, const std::string& b) {
  struct stat one {
  }, other{};
  return !a.empty() && !b.empty() && ::stat(a.c_str(), &one) == 0 && ::stat(b.c_str(), &other) == 0 &&
         one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

std::string_view why_no_workspace(const std::string& path, const std::string& home) {
  if (const auto why = why_system_directory(path); !why.empty()) return why;
  if ((path.starts_with("/home/") && path.rfind('/') == 5) || is_same_file(path, home))
    return "it is a home, whose start-up files would run as its owner";
  return {};
}

Result<std::string> resolve_workspace(const PlaceRequest& asked) {
  const std::string given = !asked.workspace.empty()  ? join(asked.cwd, asked.workspace)
                            : !asked.spec_dir.empty() ? join(asked.cwd, asked.spec_dir)
                                                      : asked.cwd;
  std::string path = given;
  while (path.size() > 1 && path.back() == '/') path.pop_back();  // "link/" would name what the link leads to
  // Only a link that was named is refused: the spec's folder is where its path leads.
  if (!asked.workspace.empty()) {
    if (auto ok = require_directory(path, "workspace"); !ok) return fail(ok.error());
  }
  auto real = asked.workspace.empty() ? Result<std::string>(path) : resolve_source(path, "workspace");
  if (real) real = resolve(*real, "workspace");
  if (!real) return real;
  if (auto ok = require_directory(*real, "workspace"); !ok) return fail(ok.error());
  if (const auto why = why_no_workspace(*real, asked.home); !why.empty()) {
    return fail(ErrorCode::invalid_argument, "workspace " + quoted(*real) + " is refused: " + std::string(why),
                "name a directory for this job with --workspace");
  }
  if (auto ok = require_writable(*real); !ok) return fail(ok.error());
  return real;
}

Result<std::string> resolve_workdir(const PlaceRequest& asked, const std::string& workspace) {
  if (!asked.workdir.empty()) {
    auto real = resolve(join(asked.cwd, asked.workdir), "--workdir");
    if (!real) return real;
    if (auto ok = require_directory(*real, "--workdir"); !ok) return fail(ok.error());
    if (!sys::lies_within(*real, workspace)) {
      return fail(ErrorCode::invalid_argument,
                  "--workdir " + quoted(*real) + " lies outside the workspace " + quoted(workspace),
                  "name a directory inside it, or a larger --workspace");
    }
    return real;
  }
  if (asked.spec_dir.empty()) return workspace;
  auto real = resolve(join(asked.cwd, asked.spec_dir), "the spec's folder");
  if (!real) return real;
  return sys::lies_within(*real, workspace) ? *real : workspace;
}

Result<std::string> resolve_output(const PlaceRequest& asked, const Places& places) {
  if (asked.output_file.empty()) return std::string();
  if (asked.output_file.find('\0') != std::string::npos)
    return fail(ErrorCode::invalid_spec, "outputFile holds a NUL byte");
  std::string path = normalise(join(places.workdir, asked.output_file));
  if (sys::lies_within(path, places.workspace) && path != places.workspace) return path;
  const bool up = asked.output_file.starts_with("../");
  return fail(ErrorCode::invalid_spec,
              "outputFile " + quoted(asked.output_file) + " lies outside the workspace " + quoted(places.workspace),
              up ? "if the job is to write there, run it with --workspace .. (or the folder that holds both)"
                 : "if the job is to write there, name a larger --workspace");
}

}  // namespace

std::string normalise(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) out.append("/").append(part);
  if (out.empty()) out.push_back('/');
  return out;
}

std::string_view why_system_directory(std::string_view path) {
  if (path.starts_with("/usr/local/")) return {};  // the site's own
  for (const SystemDirectory& d : kSystemDirectories) {
    if (path == d.path || (d.beneath && sys::lies_within(path, d.path))) return d.why;
  }
  return {};
}

Result<std::string> resolve_source(const std::string& path, std::string_view what) {
  constexpr int kMaxLinks = 40;  // as many as the kernel follows
  std::string real, rest = path;
  for (int links = 0; !rest.empty();) {
    const std::size_t slash = rest.find('/');
    const std::string name = rest.substr(0, slash);
    rest.erase(0, slash == std::string::npos ? rest.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      real.erase(real.empty() ? 0 : real.rfind('/'));
      continue;
    }
    const std::string next = real + "/" + name;
    char to[PATH_MAX];
    const ssize_t n = ::readlink(next.c_str(), to, sizeof to);
    if (n < 0) {  // no link, or nothing: whoever opens it tells
      real = next;
      continue;
    }
    if (why_system_directory(real.empty() ? "/" : real).empty()) {
      char whole[PATH_MAX];
      return fail(
          ErrorCode::invalid_argument,
          std::string(what) + " " + quoted(path) + ": '" + next + "' is a symbolic link, which a command may have made",
          ::realpath(path.c_str(), whole) != nullptr ? "if it is yours, name what it leads to: " + std::string(whole)
                                                     : "name what it leads to");
    }
    if (++links > kMaxLinks || n == sizeof to)
      return fail_errno(ErrorCode::io, std::string(what) + " " + quoted(path), ELOOP);
    if (to[0] == '/') real.clear();
    rest = std::string(to, static_cast<std::size_t>(n)) + "/" + rest;
  }
  return real.empty() ? "/" : real;
}

Result<Places> resolve_places(const PlaceRequest& asked) {
  Places places;
  auto workspace = resolve_workspace(asked);
  if (!workspace) return fail(workspace.error());
  places.workspace = *std::move(workspace);
  auto workdir = resolve_workdir(asked, places.workspace);
  if (!workdir) return fail(workdir.error());
  places.workdir = *std::move(workdir);
  auto output = resolve_output(asked, places);
  if (!output) return fail(output.error());
  places.output_file = *std::move(output);
  return places;
}

}  // namespace helios
