#include "core/plugin/elf_check.h"

#include <elf.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "helios/plugin_abi.h"

namespace helios::plugin {
namespace {

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#elif defined(__riscv)
constexpr unsigned kMachine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr unsigned kMachine = EM_PPC64;
#elif defined(__s390x__)
constexpr unsigned kMachine = EM_S390;
#else
#error "add this processor's EM_ number"
#endif
constexpr int kClass = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
constexpr int kData = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
constexpr std::uint64_t kMaxNotesBytes = 1 << 16;  // real ones are below 200 bytes

struct ElfEnd {
  void operator()(Elf* e) const noexcept { elf_end(e); }
};
using ElfPtr = std::unique_ptr<Elf, ElfEnd>;

const char* const kRebuild = "rebuild it against the helios package that helios-run comes from";
const char* const kCopyAgain = "copy or install it again";

std::string machine_name(unsigned machine) {
  switch (machine) {
    case EM_386:
      return "32-bit x86";
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_ARM:
      return "32-bit arm";
    case EM_RISCV:
      return "riscv";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390x";
    default:
      return "machine number " + std::to_string(machine);
  }
}

/// begin + length lies inside the file, whatever the two numbers are.
bool inside(const TrustedFile& file, std::uint64_t begin, std::uint64_t length) {
  return begin <= file.size_bytes && length <= file.size_bytes - begin;
}

tl::unexpected<Error> truncated(const TrustedFile& file, const std::string& what) {
  return refuse(file.path,
                "a truncated file: its " + what + " lies beyond its " + std::to_string(file.size_bytes) + " bytes",
                "a whole shared object", kCopyAgain);
}

Status check_ident(const TrustedFile& file) {
  std::array<unsigned char, EI_NIDENT> ident{};
  const ssize_t n = ::pread(file.fd.get(), ident.data(), ident.size(), 0);
  if (n < 0) return fail_errno(ErrorCode::plugin_rejected, "read " + file.path, errno);
  if (n == 0) return refuse(file.path, "an empty file", "a shared object", kCopyAgain);
  if (n < static_cast<ssize_t>(SELFMAG) || std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0) {
    return refuse(file.path, "a file that is not ELF", "a shared object made with helios_add_runner", "remove it");
  }
  if (n < static_cast<ssize_t>(ident.size())) return truncated(file, "ELF header");
  if (ident[EI_CLASS] != kClass) {
    return refuse(file.path, ident[EI_CLASS] == ELFCLASS32 ? "a 32-bit file" : "a file of another word size",
                  kClass == ELFCLASS64 ? "a 64-bit one" : "a 32-bit one", "build it for this host");
  }
  if (ident[EI_DATA] != kData)
    return refuse(file.path, "the other byte order", "this host's", "build it for this host");
  return {};
}

Status check_header(const TrustedFile& file, const GElf_Ehdr& header) {
  if (header.e_machine != kMachine) {
    return refuse(file.path, "code for " + machine_name(header.e_machine), machine_name(kMachine),
                  "build it for this host");
  }
  if (header.e_type != ET_DYN) {
    return refuse(file.path, "an ELF file of type " + std::to_string(header.e_type), "a shared object (type 3)",
                  "build it with helios_add_runner");
  }
  const std::uint64_t sections = std::uint64_t{header.e_shentsize} * header.e_shnum;
  if (header.e_shoff != 0 && !inside(file, header.e_shoff, sections)) return truncated(file, "section table");
  if (!inside(file, header.e_phoff, std::uint64_t{header.e_phentsize} * header.e_phnum)) {
    return truncated(file, "segment table");
  }
  return {};
}

/// What one Helios note says.
struct Note {
  std::uint32_t type;
  std::uint32_t generation;
  std::string kind;
};

std::optional<Note> read_note(const Elf_Data& data, const GElf_Nhdr& header, std::size_t name_at, std::size_t desc_at) {
  constexpr std::string_view owner(HELIOS_NOTE_OWNER, sizeof(HELIOS_NOTE_OWNER));  // with its NUL
  const char* const bytes = static_cast<const char*>(data.d_buf);
  if (std::string_view(bytes + name_at, header.n_namesz) != owner) return std::nullopt;
  if (header.n_descsz < sizeof(std::uint32_t)) return std::nullopt;
  Note note{header.n_type, 0, {}};
  std::memcpy(&note.generation, bytes + desc_at, sizeof note.generation);
  const std::string_view rest(bytes + desc_at + sizeof note.generation, header.n_descsz - sizeof note.generation);
  note.kind = std::string(rest.substr(0, rest.find('\0')));
  return note;
}

/// The first Helios note of a PT_NOTE segment that lies inside the file.
std::optional<Note> find_note(Elf* elf, const GElf_Phdr& segment) {
  const Elf_Type layout = segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
  Elf_Data* const data =
      elf_getdata_rawchunk(elf, static_cast<std::int64_t>(segment.p_offset), segment.p_filesz, layout);
  if (data == nullptr) return std::nullopt;
  GElf_Nhdr header{};
  std::size_t at = 0;
  std::size_t name_at = 0;
  std::size_t desc_at = 0;
  while ((at = gelf_getnote(data, at, &header, &name_at, &desc_at)) > 0) {
    if (auto note = read_note(*data, header, name_at, desc_at)) return note;
  }
  return std::nullopt;
}

/// Checks every segment; the result is the Helios note, if there is one.
Result<std::optional<Note>> read_segments(const TrustedFile& file, Elf* elf) {
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return truncated(file, "segment table");
  std::optional<Note> note;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr segment{};
    if (gelf_getphdr(elf, static_cast<int>(i), &segment) == nullptr) return truncated(file, "segment table");
    if (!inside(file, segment.p_offset, segment.p_filesz)) return truncated(file, "segment " + std::to_string(i));
    const bool has_notes = segment.p_type == PT_NOTE && segment.p_filesz <= kMaxNotesBytes;
    if (has_notes && !note) note = find_note(elf, segment);
  }
  return note;
}

std::string describe(const Note& note) {
  if (note.type == HELIOS_NOTE_RUNNER) return "a runner";
  return "a Helios module of kind \"" + note.kind + "\"";
}

Status check_note(const TrustedFile& file, const std::optional<Note>& note, const NoteWanted& wanted) {
  const bool runner = wanted.type == HELIOS_NOTE_RUNNER;
  const std::string expected = runner ? "a helios runner" : "a Helios module of kind \"" + wanted.kind + "\"";
  if (!note) {
    return refuse(file.path, "a shared object without a Helios note", expected,
                  runner ? "build it with helios_add_runner and HELIOS_RUNNER_PLUGIN" : "remove it");
  }
  if (note->type != wanted.type || (!runner && note->kind != wanted.kind)) {
    return refuse(file.path, describe(*note), expected, "remove it from the plugin folder");
  }
  if (note->generation != HELIOS_ABI_GENERATION) {
    return refuse(file.path, describe(*note) + " for ABI generation " + std::to_string(note->generation),
                  "generation " + std::to_string(HELIOS_ABI_GENERATION), kRebuild);
  }
  return {};
}

}  // namespace

Status check_elf(const TrustedFile& file, const NoteWanted& wanted) {
  if (auto good = check_ident(file); !good) return good;
  elf_version(EV_CURRENT);
  const ElfPtr elf(elf_begin(file.fd.get(), ELF_C_READ, nullptr));  // READ, not MMAP: a shrinking file is no SIGBUS
  GElf_Ehdr header{};
  if (!elf || gelf_getehdr(elf.get(), &header) == nullptr) return truncated(file, "ELF header");
  if (auto good = check_header(file, header); !good) return good;
  const auto note = read_segments(file, elf.get());
  if (!note) return fail(note.error());
  return check_note(file, *note, wanted);
}

}  // namespace helios::plugin
