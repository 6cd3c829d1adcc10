#include "plugins/fetch_http/transfer.h"

#include <curl/curl.h>
#include <strings.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>

#include "core/fetch/address.h"
#include "core/fetch/fetch.h"
#include "core/fetch/url.h"

namespace helios::fetch {
namespace {

/// All header lines of all answers together. Real ones need a few KiB.
constexpr std::uint64_t kMaxHeaderBytes = 1 << 20;

constexpr long kOk = 200;

/// What libcurl's callbacks see and leave behind. Lives as long as the transfer.
struct Transfer {
  CURL* curl{nullptr};
  const HeliosFetchRequest& request;
  const HeliosFetchSink& sink;
  std::uint64_t content_bytes{0};
  std::uint64_t header_bytes{0};
  bool has_location{false};  ///< in the answer under way
  std::string refused;       ///< "127.0.0.1, a loopback address": an address that was not connected to
  std::string cause;         ///< why a callback ended the transfer
};

long status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

bool starts_with_ignoring_case(std::string_view line, std::string_view start) {
  return line.size() >= start.size() && ::strncasecmp(line.data(), start.data(), start.size()) == 0;
}

/// CURLOPT_OPENSOCKETFUNCTION: sees the very address that is connected to, of every hop and every attempt, so that
/// neither a redirect nor a name that resolves differently the second time leads elsewhere.
curl_socket_t open_socket(void* context, curlsocktype purpose, curl_sockaddr* address) noexcept {
  auto& transfer = *static_cast<Transfer*>(context);
  try {
    if (transfer.request.allow_private == 0) {
      if (const auto why = refused_address(&address->addr, address->addrlen)) {
        transfer.refused = address_text(&address->addr, address->addrlen) + ", " + std::string(*why);
        return CURL_SOCKET_BAD;
      }
    }
    if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  } catch (...) {
    return CURL_SOCKET_BAD;
  }
}

/// One header line. An answer whose status already decides is not waited for to its end.
size_t take_header(char* data, size_t, size_t length, void* context) noexcept {
  auto& transfer = *static_cast<Transfer*>(context);
  try {
    const std::string_view line(data, length);
    transfer.header_bytes += length;
    if (transfer.header_bytes > kMaxHeaderBytes) {
      transfer.cause = "more than " + std::to_string(kMaxHeaderBytes) + " bytes of headers";
      return 0;
    }
    const long status = status_of(transfer.curl);
    if (line.starts_with("HTTP/")) transfer.has_location = false;
    if (starts_with_ignoring_case(line, "location:")) transfer.has_location = true;
    const bool is_redirect = status >= 300 && status < 400 && transfer.has_location;
    const bool end_of_headers = line == "\r\n" || line == "\n";
    if (end_of_headers && status >= 200 && status != kOk && !is_redirect) return 0;
    if (status == kOk && starts_with_ignoring_case(line, "content-encoding:") &&
        line.find("identity") == std::string_view::npos) {
      transfer.cause = "the answer is compressed (Content-Encoding) although none was asked for";
      return 0;
    }
    return length;
  } catch (...) {
    return 0;
  }
}

std::string too_large(const Transfer& transfer) {
  return "larger than the limit of " + std::to_string(transfer.request.max_bytes) + " bytes";
}

/// Content. Chunked answers announce no length, so it is counted here as well.
size_t take_content(char* data, size_t, size_t length, void* context) noexcept {
  auto& transfer = *static_cast<Transfer*>(context);
  try {
    if (status_of(transfer.curl) != kOk) return 0;
    transfer.content_bytes += length;
    if (transfer.content_bytes > transfer.request.max_bytes) {
      transfer.cause = too_large(transfer);
      return 0;
    }
    if (transfer.sink.bytes(transfer.sink.context, data, length) == 0) return length;
    transfer.cause = "the content could not be kept";
    return 0;
  } catch (...) {
    return 0;
  }
}

/// Also sees the bodies of redirects, which libcurl swallows without calling take_content.
int watch_progress(void* context, curl_off_t, curl_off_t downloaded, curl_off_t, curl_off_t) noexcept {
  auto& transfer = *static_cast<Transfer*>(context);
  if (static_cast<std::uint64_t>(downloaded) <= transfer.request.max_bytes) return 0;
  try {
    if (transfer.cause.empty()) transfer.cause = too_large(transfer);
  } catch (...) {
  }
  return 1;
}

bool starts_with_https(const char* url) { return url_scheme(url) == "https"; }

/// Each option that bounds or protects something; false if libcurl does not know one of them: then nothing is fetched.
bool configure(Transfer& transfer) {
  CURL* curl = transfer.curl;
  const HeliosFetchRequest& request = transfer.request;
  bool ok = true;
  const auto set = [&](CURLoption option, auto value) { ok = curl_easy_setopt(curl, option, value) == CURLE_OK && ok; };
  set(CURLOPT_URL, request.url);
  set(CURLOPT_USERAGENT, "helios-run/" HELIOS_VERSION);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, starts_with_https(request.url) ? "https" : "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, static_cast<long>(request.max_redirects));
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_PROXY, "");  // the environment's too: a proxy would connect where we must not
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // a name server that does not answer must not hold us beyond the time-out
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_ms));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request.max_bytes));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (*request.ca_file != '\0') {
    set(CURLOPT_CAINFO, request.ca_file);
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_OPENSOCKETDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, take_header);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, take_content);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_XFERINFOFUNCTION, watch_progress);
  set(CURLOPT_XFERINFODATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  return ok;
}

std::string seconds(std::uint64_t ms) {
  char text[40];
  std::snprintf(text, sizeof text, "%.15g s", static_cast<double>(ms) / 1000);
  return text;
}

Failure timed_out(const Transfer& transfer) {
  // As libcurl tells it: after the TLS handshake, the request is on its way.
  curl_off_t ready_us = 0;
  curl_off_t total_us = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
  curl_easy_getinfo(transfer.curl, CURLINFO_TOTAL_TIME_T, &total_us);
  const bool whole = static_cast<std::uint64_t>(total_us) / 1000 + 1 >= transfer.request.timeout_ms;
  const std::string raise = "raise " + std::string(kTimeoutFlag);
  if (ready_us == 0) {
    const std::uint64_t limit = whole ? transfer.request.timeout_ms : transfer.request.connect_ms;
    return {"no connection within " + seconds(limit), whole ? raise : ""};
  }
  return {"not complete within " + seconds(transfer.request.timeout_ms) + " (" +
              std::to_string(transfer.content_bytes) + " bytes came)",
          raise};
}

Failure not_connected(const Transfer& transfer) {
  if (!transfer.refused.empty()) {
    return {"it leads to " + transfer.refused, "allow such addresses with " + std::string(kAllowPrivateFlag)};
  }
  long error = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_OS_ERRNO, &error);
  return {"cannot connect" + (error == 0 ? "" : ": " + std::string(std::strerror(static_cast<int>(error)))), ""};
}

std::string scheme_left(const Transfer& transfer) {
  const char* effective = nullptr;
  curl_easy_getinfo(transfer.curl, CURLINFO_EFFECTIVE_URL, &effective);
  return effective == nullptr ? "" : url_scheme(effective).value_or("");
}

Failure wrong_protocol(const Transfer& transfer) {
  const std::string scheme = scheme_left(transfer);
  if (scheme == "http" && starts_with_https(transfer.request.url)) {
    return {"a redirect from https to plain http is not followed", ""};
  }
  if (scheme == "http" || scheme == "https") return {"the server does not speak HTTP", ""};
  return {"only http and https are fetched" + (scheme.empty() ? "" : ", not " + scheme.substr(0, 32)), ""};
}

/// The cause in our words where we know it; libcurl's own words never hold the URL's secrets in the cases left over.
Failure explain(CURLcode code, const Transfer& transfer, const char* details) {
  const long status = status_of(transfer.curl);
  if (!transfer.cause.empty()) return {transfer.cause, ""};
  switch (code) {
    case CURLE_TOO_MANY_REDIRECTS:
      return {"more than " + std::to_string(transfer.request.max_redirects) + " redirects", ""};
    case CURLE_UNSUPPORTED_PROTOCOL:
      return wrong_protocol(transfer);
    case CURLE_URL_MALFORMAT:
      return {"the URL is malformed", ""};
    case CURLE_COULDNT_RESOLVE_HOST:
      return {"the host's name cannot be resolved", ""};
    case CURLE_COULDNT_CONNECT:
      return not_connected(transfer);
    case CURLE_OPERATION_TIMEDOUT:
      return timed_out(transfer);
    case CURLE_FILESIZE_EXCEEDED:
      if (status == kOk) return {too_large(transfer), ""};
      break;
    case CURLE_PARTIAL_FILE:
      return {"the connection ended after " + std::to_string(transfer.content_bytes) + " bytes, before the content did",
              ""};
    case CURLE_GOT_NOTHING:
      return {"the server closed the connection without an answer", ""};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {"the server's certificate is not trusted (" + std::string(details) + ")",
              "name its authority's certificate with " + std::string(kCaFileFlag)};
    case CURLE_SSL_CACERT_BADFILE:
      return {"the certificates to trust cannot be read", "check " + std::string(kCaFileFlag)};
    default:
      break;
  }
  if (status >= 200 && status != kOk) return {"HTTP status " + std::to_string(status), ""};
  return {curl_easy_strerror(code), ""};
}

/// ", redirected to …" when the transfer ended elsewhere than it began.
std::string way(CURL* curl) {
  long hops = 0;
  const char* effective = nullptr;
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_COUNT, &hops);
  curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &effective);
  return hops == 0 || effective == nullptr ? "" : "redirected to " + shown_url(effective) + ": ";
}

bool initialised() {
  static std::once_flag once;
  static CURLcode code = CURLE_FAILED_INIT;
  std::call_once(once, [] { code = curl_global_init(CURL_GLOBAL_DEFAULT); });
  return code == CURLE_OK;
}

}  // namespace

bool download(const HeliosFetchRequest& request, const HeliosFetchSink& sink, Failure& failure) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(initialised() ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (curl == nullptr) {
    failure.cause = "libcurl cannot be initialised";
    return false;
  }
  Transfer transfer{curl.get(), request, sink, 0, 0, false, {}, {}};
  char details[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, details);
  if (!configure(transfer)) {
    failure.cause = "this libcurl lacks an option that bounds the transfer";
    return false;
  }
  CURLcode code = curl_easy_perform(curl.get());
  // 3xx without a Location, or a 204, ends well for libcurl.
  if (code == CURLE_OK && status_of(curl.get()) == kOk) return true;
  failure = explain(code, transfer, details);
  failure.cause = way(curl.get()) + failure.cause;
  return false;
}

}  // namespace helios::fetch
