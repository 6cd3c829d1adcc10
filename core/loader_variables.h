/// Variables on which the C library and its loader act before a program does anything.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace helios {

/// glibc's own list of what it drops for setuid programs (sysdeps/generic/unsecvars.h), less TMPDIR and TZDIR, which
/// steer programs and not the loader. Beside these: everything that begins with LD_.
inline constexpr std::array<std::string_view, 13> kLoaderVariables{
    "GCONV_PATH", "GETCONF_DIR",      "GLIBC_TUNABLES", "HOSTALIASES",     "LOCALDOMAIN",
    "LOCPATH",    "MALLOC_TRACE",     "MALLOC_CHECK_",  "MALLOC_PERTURB_", "NIS_PATH",
    "NLSPATH",    "RESOLV_HOST_CONF", "RES_OPTIONS"};

[[nodiscard]] constexpr bool steers_the_loader(std::string_view name) {
  return name.starts_with("LD_") ||
         std::find(kLoaderVariables.begin(), kLoaderVariables.end(), name) != kLoaderVariables.end();
}

}  // namespace helios
