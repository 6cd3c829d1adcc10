// Any bytes as a policy file: read or refused in one line that begins with the file's name.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/policy/policy_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = helios::policy::read_policy_file(text, "fuzz.json");
  if (!file) {
    const std::string& message = file.error().message;
    if (message.rfind("fuzz.json:", 0) != 0 || message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  for (const auto& entry : file->mounts) {
    if (entry.mount.target.empty() || entry.mount.target.front() != '/') std::abort();
  }
  if (file->seccomp_json && text.find(*file->seccomp_json) == std::string_view::npos) std::abort();
  return 0;
}
