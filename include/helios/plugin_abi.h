/// What crosses the boundary between helios-run and a plugin: plain C and nothing else, so that each side may carry
/// its own C++ runtime and come from its own compiler. Authors of runners want helios/plugin.h instead.
///
/// Rules. Every struct that may grow starts with its `size` as the maker saw it; fields are only ever appended, and a
/// reader uses what both sides know. An appended field must be one that the other side may ignore: whatever changes the
/// meaning of a run moves HELIOS_ABI_GENERATION, and with it the symbol's suffix and the note. Texts are pointer and
/// length, need not end in NUL, and live as long as the call. No function throws; callbacks are called on the thread of
/// the call they belong to.
#ifndef HELIOS_PLUGIN_ABI_H
#define HELIOS_PLUGIN_ABI_H

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#define HELIOS_NOEXCEPT noexcept
extern "C" {
#else
#include <stddef.h>
#include <stdint.h>
#define HELIOS_NOEXCEPT
#endif

/// The generation of everything in this file; also stands in the ELF note that is read before a plugin is loaded.
#define HELIOS_ABI_GENERATION 1
#define HELIOS_RUNNER_SYMBOL "helios_runner_plugin_v1"

/// Bits of HeliosRunnerPlugin::flags.
enum {
  HELIOS_STARTS_NOTHING = 1u << 0,        ///< only plans; the host prints the plan and never calls run (dry-run)
  HELIOS_INHERITS_ENVIRONMENT = 1u << 1,  ///< passes the caller's whole environment to the command (shell)
  HELIOS_CONFINES_NOTHING = 1u << 2  ///< the command sees the host as its user does (shell): the host refuses a run for
                                     ///< which a network, a root or mounts of its own were asked by name
};

// ---- shapes that never change ---------------------------------------------------------------------------------------

typedef struct HeliosText {
  const char* data;
  size_t size;
} HeliosText;

typedef struct HeliosRoom {
  char* data;
  size_t size;
} HeliosRoom;

typedef struct HeliosTexts {
  const HeliosText* items;
  size_t count;
} HeliosTexts;

typedef struct HeliosVariable {
  HeliosText name;
  HeliosText value;
} HeliosVariable;

typedef struct HeliosVariables {
  const HeliosVariable* items;
  size_t count;
} HeliosVariables;

/// `values[i]` counts when bit i of `present` is set; i is a helios::Limit. A reader that meets a present limit it does
/// not know must fail: it cannot hold it.
typedef struct HeliosLimits {
  uint64_t present;
  const uint64_t* values;
  size_t count;
} HeliosLimits;

// ---- the request (mirrors helios::ExecutionRequest) -----------------------------------------------------------------

typedef struct HeliosMount {
  uint32_t size;
  uint32_t kind;      ///< helios::MountKind
  uint32_t optional;  ///< 0 or 1
  HeliosText source;
  HeliosText target;
  uint64_t size_bytes;
} HeliosMount;

/// Pointers, so that HeliosMount may grow.
typedef struct HeliosMounts {
  const HeliosMount* const* items;
  size_t count;
} HeliosMounts;

typedef struct HeliosProfile {
  uint32_t size;
  uint32_t network;                 ///< helios::Network
  uint32_t nested_user_namespaces;  ///< 0 or 1
  HeliosText policy_name;
  HeliosText policy_sha256;
  HeliosTexts env_allow;
  HeliosVariables env_set;
  HeliosMounts mounts;
  uint64_t tmp_bytes;
  uint64_t shm_bytes;
  HeliosText rootfs;
  HeliosText seccomp_json;
  HeliosText seccomp_sha256;
  HeliosTexts filter_dirs;
} HeliosProfile;

typedef struct HeliosRequest {
  uint32_t size;
  uint32_t attempt;
  uint32_t workspace_ids;  ///< helios::WorkspaceIds
  HeliosText job_id;
  uint64_t chunk_id;
  HeliosTexts argv;
  HeliosVariables caller_env;
  HeliosVariables extra_env;
  HeliosText workspace;
  HeliosText workdir;
  HeliosText output_file;
  HeliosLimits limits;
  uint64_t grace_ms;
  uint64_t drain_ms;
  const HeliosProfile* profile;
  uint64_t uid_first;
  uint64_t uid_count;
  HeliosText cgroup_parent;
  HeliosTexts allow_degraded;
  HeliosText plan_for;
  HeliosText state_dir;
  HeliosText cache_dir;
  uint32_t learn;        ///< 0 or 1; a runner that does not know it tells no uses, and the host says so
  uint64_t timeline_ms;  ///< 0: none; a runner that does not know it tells no samples, and the host says so
} HeliosRequest;

// ---- what comes back (mirrors helios::Finding, PlanItem, Execution, Error) ------------------------------------------

typedef struct HeliosFinding {
  uint32_t size;
  uint32_t severity;  ///< helios::Severity
  HeliosText feature;
  HeliosText detail;
  HeliosText remedy;
} HeliosFinding;

typedef struct HeliosPlanItem {
  uint32_t size;
  HeliosText section;
  HeliosText key;
  HeliosText value;
} HeliosPlanItem;

typedef struct HeliosTermination {
  uint32_t size;
  uint32_t reason;  ///< helios::Reason
  int32_t exit_code;
  int32_t signal;
  int32_t cancel_signal;
  HeliosText detail;
} HeliosTermination;

typedef struct HeliosEvidence {
  uint32_t size;
  HeliosText source;
  HeliosText field;
  int64_t value;
} HeliosEvidence;

typedef struct HeliosFigure {
  uint32_t size;
  uint32_t figure;  ///< helios::Figure; one the host does not know is dropped
  double value;
  HeliosText source;
} HeliosFigure;

typedef struct HeliosReceipt {
  uint32_t size;
  uint32_t limit;          ///< helios::Limit; one the host does not know is dropped
  uint32_t has_effective;  ///< 0: not held
  uint64_t requested;
  uint64_t effective;
  HeliosText by;
} HeliosReceipt;

typedef struct HeliosDenial {
  uint32_t size;
  HeliosText syscall;
  int64_t number;
  uint64_t count;
  HeliosText error;
  HeliosText args;
  HeliosText process;
} HeliosDenial;

typedef struct HeliosSurvivor {
  uint32_t size;
  int64_t pid;
  HeliosText name;
} HeliosSurvivor;

typedef struct HeliosUse {
  uint32_t size;
  HeliosText kind;
  HeliosText name;
  HeliosText detail;
  uint64_t count;
} HeliosUse;

typedef struct HeliosLastProcess {
  uint32_t size;
  int64_t pid;
  int64_t parent;
  HeliosText command;
  uint64_t memory_bytes;
  HeliosText state;
  HeliosText wait_channel;
} HeliosLastProcess;

typedef struct HeliosError {
  uint32_t size;
  uint32_t code;  ///< helios::ErrorCode; one that is not known counts as `internal`
  int32_t sys_errno;
  HeliosText message;
  HeliosText remedy;
} HeliosError;

/// Where a plugin puts what it found out. Any callback may be null: then nobody wants to know. The order of calls of
/// one kind is kept. `error` is called at most once, by a call that then returns non-zero.
typedef struct HeliosSink {
  uint32_t size;
  void* context;
  void (*finding)(void* context, const HeliosFinding*) HELIOS_NOEXCEPT;
  void (*plan_item)(void* context, const HeliosPlanItem*) HELIOS_NOEXCEPT;
  void (*termination)(void* context, const HeliosTermination*) HELIOS_NOEXCEPT;  ///< exactly once in a run
  void (*evidence)(void* context, const HeliosEvidence*) HELIOS_NOEXCEPT;
  void (*figure)(void* context, const HeliosFigure*) HELIOS_NOEXCEPT;
  void (*receipt)(void* context, const HeliosReceipt*) HELIOS_NOEXCEPT;
  void (*isolation)(void* context, HeliosText layer) HELIOS_NOEXCEPT;
  void (*denial)(void* context, const HeliosDenial*) HELIOS_NOEXCEPT;
  void (*survivor)(void* context, const HeliosSurvivor*) HELIOS_NOEXCEPT;
  void (*survivor_count)(void* context, uint64_t count) HELIOS_NOEXCEPT;
  void (*note)(void* context, HeliosText) HELIOS_NOEXCEPT;
  void (*cgroup)(void* context, HeliosText) HELIOS_NOEXCEPT;
  void (*error)(void* context, const HeliosError*) HELIOS_NOEXCEPT;
  void (*used)(void* context, const HeliosUse*) HELIOS_NOEXCEPT;
  void (*last_process)(void* context, const HeliosLastProcess*) HELIOS_NOEXCEPT;
} HeliosSink;

/// What the host offers while a call lasts (mirrors helios::Host).
typedef struct HeliosHost {
  uint32_t size;
  int32_t cancel_fd;  ///< readable when the run is to be cancelled, one signal number a byte; -1: cannot be
  void* context;
  void (*output)(void* context, uint32_t stream, HeliosText bytes) HELIOS_NOEXCEPT;  ///< helios::Stream
  void (*log)(void* context, uint32_t level, HeliosText message) HELIOS_NOEXCEPT;    ///< helios::LogLevel
  int (*plan_with)(void* context, HeliosText runner, const HeliosRequest*, const HeliosSink*) HELIOS_NOEXCEPT;
  HeliosRoom (*room)(void* context, uint32_t stream) HELIOS_NOEXCEPT;  ///< helios::Host::room; may be missing
} HeliosHost;

// ---- what a plugin exports ------------------------------------------------------------------------------------------

/// Each function returns 0, or another number after it told the sink its error. [any thread; may overlap]
typedef struct HeliosRunnerPlugin {
  uint32_t size;
  uint32_t abi;           ///< HELIOS_ABI_GENERATION as the plugin saw it
  const char* build_tag;  ///< compiler and library; for the report, decides nothing
  const char* name;       ///< [a-z0-9-], 1 to 32 characters, the same as in helios-runner-NAME.so
  const char* version;
  const char* summary;
  uint64_t flags;
  int (*probe)(const HeliosHost*, const HeliosSink*) HELIOS_NOEXCEPT;
  int (*plan)(const HeliosRequest*, const HeliosHost*, const HeliosSink*) HELIOS_NOEXCEPT;
  int (*run)(const HeliosRequest*, const HeliosHost*,
             const HeliosSink*) HELIOS_NOEXCEPT;  ///< plans, then runs that plan
} HeliosRunnerPlugin;

/// Visibility stands on this first declaration on purpose: g++ ignores it on a later definition.
#define HELIOS_EXPORT __attribute__((visibility("default")))
extern HELIOS_EXPORT const HeliosRunnerPlugin helios_runner_plugin_v1;

#ifdef __cplusplus
}
#endif

// ---- the ELF notes: read before any of a file's code runs, and not lost to strip
// --------------------------------------

#define HELIOS_STRINGIFY_(x) #x
#define HELIOS_STRINGIFY(x) HELIOS_STRINGIFY_(x)
#define HELIOS_NOTE_OWNER "Helios"
#define HELIOS_NOTE_RUNNER 1  ///< descriptor: the generation (4 bytes)
#define HELIOS_NOTE_MODULE 2  ///< descriptor: the generation (4 bytes), then the kind, NUL-terminated

/// Once per runner plugin; HELIOS_RUNNER_PLUGIN does it.
#define HELIOS_RUNNER_NOTE()                                                                             \
  __asm__(".pushsection .note.helios,\"a\",%note\n.balign 4\n.long 7, 4, 1\n.asciz \"" HELIOS_NOTE_OWNER \
          "\"\n"                                                                                         \
          ".balign 4\n.long " HELIOS_STRINGIFY(HELIOS_ABI_GENERATION) "\n.popsection\n")

/// Once per module of another kind, e.g. HELIOS_MODULE_NOTE("fetch");
#define HELIOS_MODULE_NOTE(kind)                                                                                     \
  __asm__(".pushsection .note.helios,\"a\",%note\n.balign 4\n.long 7, 7772f - 7771f, 2\n.asciz \"" HELIOS_NOTE_OWNER \
          "\"\n"                                                                                                     \
          ".balign 4\n7771: .long " HELIOS_STRINGIFY(HELIOS_ABI_GENERATION) "\n.asciz \"" kind                       \
                                                                            "\"\n7772: .balign 4\n"                  \
                                                                            ".popsection\n")

#endif
