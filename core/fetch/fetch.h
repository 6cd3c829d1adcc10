/// A URL's bytes. What speaks the protocol is a module (helios-fetch-http.so) that is loaded when the first URL is
/// fetched: a run that reads a file pays nothing for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/fetch/url.h"
#include "helios/error.h"

namespace helios::fetch {

/// The command line options that change the bounds below; errors name them.
inline constexpr std::string_view kAllowPrivateFlag = "--allow-private-urls";
inline constexpr std::string_view kTimeoutFlag = "--fetch-timeout";
inline constexpr std::string_view kCaFileFlag = "--fetch-ca-file";

/// No spec is larger, wherever it comes from (1 GiB).
inline constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
inline constexpr std::chrono::milliseconds kConnectTimeout{10000};

struct FetchOptions {
  std::vector<std::string> module_dirs;      ///< searched in order for helios-fetch-SCHEME.so
  bool allow_private{false};                 ///< loopback, private, link-local … addresses may be connected to
  std::chrono::milliseconds timeout{30000};  ///< for everything together; connecting gets at most kConnectTimeout of it
  std::uint64_t max_bytes{kMaxBytes};        ///< exactly that many are allowed
  unsigned max_redirects{5};
  std::string ca_file;  ///< PEM bundle to trust instead of the system's
};

/// The content behind `url`: http and https; GET, status 200, at most `max_redirects` redirects, each to http or https
/// (from https only to https) and, like the first address, connected to only if public or `allow_private`. TLS is
/// verified. No proxy, cookie, .netrc or compression. User name and password in the URL are sent to its own host only,
/// and never shown. Errors: fetch_failed (message: URL as `shown_url`, cause, bound; remedy: the option to change),
/// invalid_argument (options), plugin_rejected (the module's file). [any thread]
[[nodiscard]] Result<std::string> fetch_url(const std::string& url, const FetchOptions& options);

}  // namespace helios::fetch
