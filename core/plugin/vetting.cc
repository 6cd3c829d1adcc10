#include "core/plugin/vetting.h"

#include <sys/stat.h>

#include <optional>

#include "core/digest/sha256.h"
#include "core/plugin/elf_check.h"
#include "core/sys/file.h"
#include "helios/plugin_abi.h"

namespace helios::plugin {
namespace {

constexpr std::size_t kMaxListBytes = 1 << 20;
constexpr std::size_t kHashLength = 64;

struct Listed {
  std::string hash;
  std::string name;
};

/// "HASH  NAME" or "HASH *NAME", as sha256sum writes it.
std::optional<Listed> parse_line(std::string_view line) {
  if (line.size() < kHashLength + 3 || line[kHashLength] != ' ') return std::nullopt;
  if (line[kHashLength + 1] != ' ' && line[kHashLength + 1] != '*') return std::nullopt;
  const auto hash = line.substr(0, kHashLength);
  if (hash.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  return Listed{std::string(hash), std::string(line.substr(kHashLength + 2))};
}

/// The hash that `list` gives for the file called `name`; nothing if it is not in it.
Result<std::optional<std::string>> find_hash(const TrustedFile& list, std::string_view name) {
  const auto text = sys::read_fd(list.fd.get(), kMaxListBytes);
  if (!text) return fail(text.error().while_doing("read " + list.path));
  std::optional<std::string> found;
  std::size_t number = 0;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const auto listed = parse_line(line);
    if (!listed) {
      return refuse(list.path + ":" + std::to_string(number), "a line of another form",
                    "HASH  NAME, as sha256sum writes it",
                    "write it anew: sha256sum helios-*.so > " + std::string(kHashListName));
    }
    if (listed->name == name) found = listed->hash;
  }
  return found;
}

Status check_hash(const TrustedFile& file, const std::string& name, const std::string& list_path) {
  const auto list = open_trusted_file(list_path);
  if (!list) return fail(list.error().while_doing("check the hash of " + file.path));
  const auto wanted = find_hash(*list, name);
  if (!wanted) return fail(wanted.error());
  if (!*wanted) {
    return refuse(file.path, "no line for " + name + " in " + list->path, "one with its sha256",
                  "if you trust the file, add the line that sha256sum prints for it");
  }
  const auto actual = digest::sha256_of_fd(file.fd.get());
  if (!actual) return fail(actual.error().while_doing("check the hash of " + file.path));
  if (*actual == **wanted) return {};
  return refuse(file.path, "sha256 " + *actual, **wanted + " (" + list->path + ")", "install it again");
}

Result<TrustedFile> vet(const std::string& path, const NoteWanted& note, const std::string& hash_list) {
  auto file = open_trusted_file(path);
  if (!file) return file;
  if (auto good = check_elf(*file, note); !good) return fail(good.error());
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  const std::string name = path.substr(folder.size());
  const std::string beside = folder + std::string(kHashListName);
  struct stat st {};
  const bool has_list = ::lstat(beside.c_str(), &st) == 0 || errno != ENOENT;
  for (const std::string& list : {has_list ? beside : std::string(), hash_list}) {
    if (list.empty()) continue;
    if (::lseek(file->fd.get(), 0, SEEK_SET) < 0) return fail_errno(ErrorCode::io, "rewind " + path, errno);
    if (auto good = check_hash(*file, name, list); !good) return fail(good.error());
  }
  return file;
}

}  // namespace

Result<TrustedFile> vet_runner(const std::string& path, const std::string& hash_list) {
  return vet(path, NoteWanted{HELIOS_NOTE_RUNNER, {}}, hash_list);
}

Result<TrustedFile> vet_module(const std::string& path, std::string_view kind, const std::string& hash_list) {
  return vet(path, NoteWanted{HELIOS_NOTE_MODULE, std::string(kind)}, hash_list);
}

}  // namespace helios::plugin
