#include "core/fetch/fetch.h"

#include <new>
#include <utility>

#include "core/fetch/module.h"
#include "core/fetch/module_library.h"

namespace helios::fetch {
namespace {

/// What the sink's functions fill.
struct Received {
  std::string content;
  std::uint64_t max_bytes{0};
  std::string cause;
  std::string remedy;
};

int take_bytes(void* context, const char* data, std::size_t length) noexcept {
  auto& received = *static_cast<Received*>(context);
  if (length > received.max_bytes - received.content.size()) {
    received.cause = "more than " + std::to_string(received.max_bytes) + " bytes";
    return 1;
  }
  try {
    received.content.append(data, length);
    return 0;
  } catch (const std::bad_alloc&) {
    received.cause = "no memory left for its content";
    return 1;
  }
}

/// The first cause stays: the module's "receiver gave up" is a consequence of it.
void take_error(void* context, const char* cause, const char* remedy) noexcept {
  auto& received = *static_cast<Received*>(context);
  if (!received.cause.empty()) return;
  received.cause = cause;
  received.remedy = remedy;
}

Status check(const FetchOptions& options) {
  if (options.timeout.count() <= 0) return fail(ErrorCode::invalid_argument, "fetch: the time-out must be positive");
  if (options.max_bytes > kMaxBytes) {
    return fail(ErrorCode::invalid_argument, "fetch: at most " + std::to_string(kMaxBytes) + " bytes can be fetched");
  }
  return {};
}

/// https is the http module's too.
std::string module_name(const std::string& scheme) { return scheme == "https" ? "http" : scheme; }

HeliosFetchRequest request_for(const std::string& url, const FetchOptions& options) {
  const auto total_ms = static_cast<std::uint64_t>(options.timeout.count());
  const auto connect_ms = static_cast<std::uint64_t>(kConnectTimeout.count());
  HeliosFetchRequest request{};
  request.size = sizeof request;
  request.allow_private = options.allow_private ? 1 : 0;
  request.url = url.c_str();
  request.ca_file = options.ca_file.c_str();
  request.timeout_ms = total_ms;
  request.connect_ms = total_ms < connect_ms ? total_ms : connect_ms;
  request.max_bytes = options.max_bytes;
  request.max_redirects = options.max_redirects;
  return request;
}

}  // namespace

Result<std::string> fetch_url(const std::string& url, const FetchOptions& options) {
  const std::string doing = "cannot fetch " + shown_url(url);
  if (const Status valid = check(options); !valid) return fail(valid.error());
  const std::optional<std::string> scheme = url_scheme(url);
  if (!scheme) return fail(ErrorCode::fetch_failed, doing + ": it has no scheme such as https://");
  // The module gets a C string: what follows a NUL would be cut off unnoticed.
  if (url.find('\0') != std::string::npos) return fail(ErrorCode::fetch_failed, doing + ": it holds a NUL byte");

  const Result<const HeliosFetchModule*> module = load_fetch_module(module_name(*scheme), options.module_dirs);
  if (!module) return fail(module.error().while_doing(doing));

  Received received;
  received.max_bytes = options.max_bytes;
  const HeliosFetchSink sink{sizeof(HeliosFetchSink), &received, take_bytes, take_error};
  const HeliosFetchRequest request = request_for(url, options);
  if ((*module)->fetch(&request, &sink) == 0 && received.cause.empty()) return std::move(received.content);
  if (received.cause.empty()) received.cause = "the fetch module gave no reason";
  return fail(ErrorCode::fetch_failed, doing + ": " + received.cause, received.remedy);
}

}  // namespace helios::fetch
