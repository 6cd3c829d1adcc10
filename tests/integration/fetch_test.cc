// What core/fetch and helios-fetch-http.so do with servers that answer well, badly, too much, too slowly or elsewhere.
// Everything is on loopback; what needs a public address has one inside of a network namespace of its own.
#include "core/fetch/fetch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/integration/loopback_server.h"

namespace helios::fetch {
namespace {

using namespace std::chrono_literals;
using test::Connection;
using test::LoopbackServer;
using Clock = std::chrono::steady_clock;

const std::string kModules = HELIOS_BINARY_DIR "/plugins";

/// As a caller who allows loopback, with bounds that a test can reach.
FetchOptions loopback_options() {
  FetchOptions options;
  options.module_dirs = {kModules};
  options.allow_private = true;
  options.timeout = 10s;
  options.max_bytes = 100000;
  return options;
}

/// The error's whole text, or "fetched: …".
std::string failure(const std::string& url, const FetchOptions& options = loopback_options()) {
  const Result<std::string> got = fetch_url(url, options);
  if (got) return "fetched: " + got->substr(0, 100);
  EXPECT_EQ(got.error().code, ErrorCode::fetch_failed);
  EXPECT_EQ(got.error().message.find('\n'), std::string::npos) << "not one line";
  EXPECT_TRUE(got.error().message.starts_with("cannot fetch ")) << got.error().message;
  return got.error().message + (got.error().remedy.empty() ? "" : " | " + got.error().remedy);
}

class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/helios-fetch-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

#define EXPECT_FAILS(text) EXPECT_EQ((text).find("cannot fetch "), 0U)
#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)
#define EXPECT_LACKS(text, part) EXPECT_EQ((text).find(part), std::string::npos) << (text)

// ---- content ----

TEST(FetchUrl, GivesTheContentAsItIs) {
  const std::string bytes("{\"a\": 1}\0\xff\r\n", 12);
  LoopbackServer server([&](Connection& c) { c.send_body(bytes); });
  const auto got = fetch_url(server.url("/spec.json"), loopback_options());
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, bytes);
}

TEST(FetchUrl, AsksForNoCompressionAndSendsOnlyWhatItMust) {
  LoopbackServer server([](Connection& c) { c.send_body("x"); });
  ASSERT_TRUE(fetch_url(server.url("/spec.json?sign=1"), loopback_options()));
  const std::string request = server.requests().at(0);
  EXPECT_TRUE(request.starts_with("GET /spec.json?sign=1 HTTP/1.1\r\n")) << request;
  for (const char* header : {"Accept-Encoding", "Authorization", "Cookie", "Referer"}) EXPECT_LACKS(request, header);
}

TEST(FetchUrl, RefusesCompressedContent) {
  LoopbackServer server(
      [](Connection& c) { c.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"); });
  EXPECT_HAS(failure(server.url("/")), "compressed");
}

TEST(FetchUrl, FollowsARedirectAndJoinsRelativeOnes) {
  LoopbackServer server(
      [](Connection& c) { c.path() == "/b/spec.json" ? c.send_body("there") : c.redirect("b/spec.json"); });
  const auto got = fetch_url(server.url("/a"), loopback_options());
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, "there");
}

TEST(FetchUrl, LooksAtNoProxyVariable) {
  LoopbackServer server([](Connection& c) { c.send_body("direct"); });
  for (const char* name : {"http_proxy", "ALL_PROXY", "all_proxy"}) ::setenv(name, "http://127.0.0.1:1", 1);
  const auto got = fetch_url(server.url("/"), loopback_options());
  for (const char* name : {"http_proxy", "ALL_PROXY", "all_proxy"}) ::unsetenv(name);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, "direct");
}

// ---- status ----

TEST(FetchUrl, TellsAStatusThatIsNot200) {
  for (const char* status : {"404 Not Found", "500 Internal Server Error", "401 Unauthorized", "206 Partial Content"}) {
    LoopbackServer server(
        [&](Connection& c) { c.send("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 3\r\n\r\nbad"); });
    EXPECT_HAS(failure(server.url("/spec.json")), "/spec.json: HTTP status " + std::string(status, 3));
  }
}

TEST(FetchUrl, TellsAStatusWithoutContent) {
  for (const char* status : {"204 No Content", "304 Not Modified", "302 Found"}) {
    LoopbackServer server(
        [&](Connection& c) { c.send("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 0\r\n\r\n"); });
    EXPECT_HAS(failure(server.url("/")), "HTTP status " + std::string(status, 3));
  }
}

TEST(FetchUrl, DoesNotReadTheEndlessPageOfAnError) {
  LoopbackServer server([](Connection& c) {
    c.send("HTTP/1.1 404 Not Found\r\n\r\n");
    c.wait_until_gone();
  });
  const auto begin = Clock::now();
  EXPECT_HAS(failure(server.url("/")), "HTTP status 404");
  EXPECT_LT(Clock::now() - begin, 5s);
}

// ---- size ----

TEST(FetchUrl, AllowsExactlyTheBound) {
  const std::string body(100000, 'x');
  LoopbackServer server([&](Connection& c) {
    if (c.path() == "/plain") c.send_body(body);
    if (c.path() == "/chunked")
      c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + body + "\r\n0\r\n\r\n");
    if (c.path() == "/until-close") c.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body);
  });
  for (const char* path : {"/plain", "/chunked", "/until-close"}) {
    const auto got = fetch_url(server.url(path), loopback_options());
    ASSERT_TRUE(got) << path << ": " << got.error().message;
    EXPECT_EQ(*got, body) << path;
  }
}

TEST(FetchUrl, RefusesOneByteMore) {
  const std::string body(100001, 'x');
  LoopbackServer server([&](Connection& c) {
    if (c.path() == "/plain") c.send_body(body);
    if (c.path() == "/chunked")
      c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n" + body + "\r\n0\r\n\r\n");
    if (c.path() == "/until-close") c.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body);
  });
  for (const char* path : {"/plain", "/chunked", "/until-close"}) {
    EXPECT_HAS(failure(server.url(path)), "larger than the limit of 100000 bytes") << path;
  }
}

TEST(FetchUrl, EndsAnEndlessBody) {
  LoopbackServer server([](Connection& c) {
    const std::string block(65536, 'x');
    c.send("HTTP/1.1 200 OK\r\n\r\n");
    while (c.send(block)) continue;
  });
  EXPECT_HAS(failure(server.url("/")), "larger than the limit of 100000 bytes");
}

TEST(FetchUrl, EndsTheEndlessBodyOfARedirect) {
  LoopbackServer server([](Connection& c) {
    const std::string block(65536, 'x');
    c.send("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (c.send("10000\r\n" + block + "\r\n")) continue;
  });
  const auto begin = Clock::now();
  EXPECT_FAILS(failure(server.url("/")));
  EXPECT_LT(Clock::now() - begin, 5s) << "only the time-out ended it";
}

TEST(FetchUrl, EndsEndlessHeaders) {
  LoopbackServer server([](Connection& c) {
    c.send("HTTP/1.1 200 OK\r\n");
    const std::string line = "X-Filler: " + std::string(8000, 'x') + "\r\n";
    while (c.send(line)) continue;
  });
  const auto begin = Clock::now();
  EXPECT_FAILS(failure(server.url("/")));
  EXPECT_LT(Clock::now() - begin, 5s) << "only the time-out ended it";
}

TEST(FetchUrl, RefusesContentThatEndsEarly) {
  LoopbackServer server([](Connection& c) { c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"); });
  EXPECT_HAS(failure(server.url("/")), "the connection ended after 4 bytes");
}

TEST(FetchUrl, RefusesBoundsThatMakeNoSense) {
  FetchOptions none = loopback_options();
  none.timeout = 0ms;
  FetchOptions huge = loopback_options();
  huge.max_bytes = kMaxBytes + 1;
  for (const FetchOptions& options : {none, huge}) {
    const auto got = fetch_url("http://127.0.0.1:1/", options);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::invalid_argument);
  }
}

// ---- time ----

/// The time-out of the options is 600 ms; the error must come soon after it and name the option.
void expect_time_out(const LoopbackServer& server) {
  FetchOptions options = loopback_options();
  options.timeout = 600ms;
  const auto begin = Clock::now();
  const std::string text = failure(server.url("/"), options);
  EXPECT_HAS(text, "not complete within 0.6 s");
  EXPECT_HAS(text, "raise --fetch-timeout");
  EXPECT_GE(Clock::now() - begin, 550ms);
  EXPECT_LT(Clock::now() - begin, 5s);
}

TEST(FetchUrl, EndsSilence) {
  expect_time_out(LoopbackServer([](Connection& c) { c.wait_until_gone(); }));
}

TEST(FetchUrl, EndsSlowHeaders) {
  expect_time_out(LoopbackServer([](Connection& c) {
    c.send("HTTP/1.1 200 OK\r\n");
    while (!c.gone_within(20ms) && c.send("X: y\r\n")) continue;
  }));
}

TEST(FetchUrl, EndsASlowDrip) {
  expect_time_out(LoopbackServer([](Connection& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
    while (!c.gone_within(20ms) && c.send("x")) continue;
  }));
}

TEST(FetchUrl, EndsSlowRedirectsTogether) {
  expect_time_out(LoopbackServer([](Connection& c) {
    if (!c.gone_within(200ms)) c.redirect("/again");
  }));
}

// ---- where it leads ----

TEST(FetchUrl, EndsARedirectLoop) {
  LoopbackServer server([](Connection& c) { c.redirect("/again"); });
  EXPECT_HAS(failure(server.url("/")), "more than 5 redirects");
  EXPECT_EQ(server.requests().size(), 6U);
}

TEST(FetchUrl, CountsRedirectsExactly) {
  LoopbackServer server([](Connection& c) { c.path() == "/xxxxx" ? c.send_body("five") : c.redirect(c.path() + "x"); });
  const auto got = fetch_url(server.url("/"), loopback_options());
  ASSERT_TRUE(got) << got.error().message;
  FetchOptions options = loopback_options();
  options.max_redirects = 4;
  EXPECT_HAS(failure(server.url("/"), options), "more than 4 redirects");
  options.max_redirects = 0;
  EXPECT_HAS(failure(server.url("/"), options), "more than 0 redirects");
}

TEST(FetchUrl, FollowsNoRedirectToAnotherProtocol) {
  for (const char* target : {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "dict://127.0.0.1/x",
                             "scp://127.0.0.1/x", "FILE:///etc/passwd"}) {
    LoopbackServer server([&](Connection& c) { c.redirect(target); });
    const std::string text = failure(server.url("/"));
    EXPECT_HAS(text, "only http and https are fetched");
    EXPECT_HAS(text, "redirected to ");
  }
}

TEST(FetchUrl, HasNoModuleForOtherProtocols) {
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"}) {
    EXPECT_HAS(failure(url), "only http and https come with helios-run") << url;
  }
}

TEST(FetchUrl, RefusesLoopbackUnlessAllowed) {
  LoopbackServer server([](Connection& c) { c.send_body("secret"); });
  FetchOptions options = loopback_options();
  options.allow_private = false;
  const std::string text = failure(server.url("/"), options);
  EXPECT_HAS(text, "it leads to 127.0.0.1, a loopback address");
  EXPECT_HAS(text, "--allow-private-urls");
  for (const char* host : {"localhost", "127.1", "2130706433", "0x7f.1", "0", "[::ffff:127.0.0.1]", "[::1]", "[::]"}) {
    EXPECT_HAS(failure(server.url("/", host), options), "it leads to ") << host;
  }
  EXPECT_TRUE(server.requests().empty());
  EXPECT_TRUE(fetch_url(server.url("/"), loopback_options())) << "the control";
}

TEST(FetchUrl, RefusesPrivateAddressesWithoutTryingThem) {
  FetchOptions options = loopback_options();
  options.allow_private = false;
  for (const char* host : {"10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.169.254", "224.0.0.1",
                           "[fd00::1]", "[fe80::1]", "[ff02::1]", "[64:ff9b::a00:1]"}) {
    EXPECT_HAS(failure(std::string("http://") + host + "/", options), "--allow-private-urls") << host;
  }
}

TEST(FetchUrl, TellsARefusedConnection) {
  std::string closed;
  {
    closed = LoopbackServer([](Connection&) {}).url("/spec.json");
  }
  EXPECT_HAS(failure(closed), "/spec.json: cannot connect: Connection refused");
}

TEST(FetchUrl, TellsANameThatDoesNotResolve) {
  FetchOptions options = loopback_options();
  options.timeout = 3s;
  const std::string text = failure("http://no-such-host.invalid/spec.json", options);
  EXPECT_TRUE(text.find("cannot be resolved") != std::string::npos ||
              text.find("no connection within 3 s") != std::string::npos)
      << text;
}

TEST(FetchUrl, TellsAServerThatHangsUpOrSpeaksAnotherProtocol) {
  LoopbackServer silent([](Connection&) {});
  EXPECT_HAS(failure(silent.url("/")), "without an answer");
  LoopbackServer other([](Connection& c) { c.send("220 mail.example ESMTP\r\n"); });
  EXPECT_HAS(failure(other.url("/")), "does not speak HTTP");
}

TEST(FetchUrl, RefusesMalformedUrls) {
  for (const char* url :
       {"http://", "http:///x", "http://a b/", "http://[::1", "http://127.0.0.1:99999/", "https://x:y:z/"}) {
    EXPECT_FAILS(failure(url)) << url;
  }
  EXPECT_HAS(failure("spec.json"), "no scheme");
  EXPECT_HAS(failure(std::string("http://127.0.0.1/\0x", 19)), "NUL");
}

// ---- secrets ----

TEST(FetchUrl, SendsCredentialsButNeverShowsThem) {
  LoopbackServer server([](Connection& c) { c.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"); });
  const std::string host = server.url("/").substr(7);
  const std::string text = failure("http://user:hunter2@" + host + "spec.json?token=hunter3#hunter4");
  EXPECT_HAS(server.requests().at(0), "Authorization: Basic dXNlcjpodW50ZXIy\r\n");
  EXPECT_HAS(text, "HTTP status 403");
  EXPECT_LACKS(text, "hunter");
  EXPECT_LACKS(text, "user");
}

TEST(FetchUrl, HidesTheCredentialsOfARedirectToo) {
  for (const char* target :
       {"http://user:hunter2@127.0.0.1:1/x?hunter3", "http://user:hunter2@no-such-host.invalid/",
        "http://user:hun/ter@127.0.0.1:1/hunter2", "ftp://user:hunter2@127.0.0.1/", "http://user:hunter2@"}) {
    LoopbackServer server([&](Connection& c) { c.redirect(target); });
    EXPECT_LACKS(failure(server.url("/")), "hunter") << target;
  }
}

TEST(FetchUrl, DoesNotTakeCredentialsToAnotherHost) {
  LoopbackServer other([](Connection& c) { c.send_body("x"); });
  LoopbackServer server([&](Connection& c) { c.redirect(other.url("/")); });
  ASSERT_TRUE(fetch_url("http://user:hunter2@" + server.url("/").substr(7), loopback_options()));
  EXPECT_LACKS(other.requests().at(0), "Authorization");
}

// ---- TLS ----

/// `openssl s_server` with a certificate of its own for 127.0.0.1, serving the files of its folder.
class TlsServer {
 public:
  TlsServer() {
    const std::string make =
        "cd " + dir_.path() +
        " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem "
        "-out cert.pem -subj /CN=helios-test -addext subjectAltName=IP:127.0.0.1 2>/dev/null && printf tls-content "
        ">spec.json";
    EXPECT_EQ(std::system(make.c_str()), 0);
    int out[2];
    EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
    says_ = sys::UniqueFd(out[0]);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(out[1], 1);
      ::dup2(out[1], 2);
      if (::chdir(dir_.path().c_str()) == 0) {
        ::execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem",
                 "-WWW", nullptr);
      }
      ::_exit(127);
    }
    ::close(out[1]);
    std::string said;
    char c = 0;
    while (::read(says_.get(), &c, 1) == 1) {
      said += c;
      if (c == '\n' && said.find("ACCEPT 127.0.0.1:") != std::string::npos) break;
    }
    const std::size_t at = said.find("ACCEPT 127.0.0.1:");
    EXPECT_NE(at, std::string::npos) << "openssl s_server said: " << said;
    if (at != std::string::npos) port_ = std::to_string(std::atoi(said.c_str() + at + 17));
  }
  ~TlsServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  [[nodiscard]] std::string url(const std::string& host = "127.0.0.1") const {
    return "https://" + host + ":" + port_ + "/spec.json";
  }
  [[nodiscard]] std::string certificate() const { return dir_ / "cert.pem"; }

 private:
  TempDir dir_;
  pid_t pid_{-1};
  sys::UniqueFd says_;  // kept open: its last words must not kill it
  std::string port_;
};

TEST(FetchUrl, RefusesAnUnknownCertificate) {
  const TlsServer server;
  const std::string text = failure(server.url());
  EXPECT_HAS(text, "the server's certificate is not trusted");
  EXPECT_HAS(text, "--fetch-ca-file");
}

TEST(FetchUrl, AcceptsACertificateThatIsNamed) {
  const TlsServer server;
  FetchOptions options = loopback_options();
  options.ca_file = server.certificate();
  const auto got = fetch_url(server.url(), options);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, "tls-content");
  EXPECT_HAS(failure(server.url("localhost"), options), "certificate is not trusted") << "the name must match too";
}

TEST(FetchUrl, RefusesAMissingCertificateFile) {
  const TlsServer server;
  FetchOptions options = loopback_options();
  options.ca_file = "/nonexistent/ca.pem";
  EXPECT_HAS(failure(server.url(), options), "--fetch-ca-file");
}

TEST(FetchUrl, EndsATlsHandshakeThatNobodyAnswers) {
  LoopbackServer server([](Connection& c) { c.send_body("plain"); });
  FetchOptions options = loopback_options();
  options.timeout = 600ms;
  EXPECT_HAS(failure("https" + server.url("/").substr(4), options), "no connection within 0.6 s");
}

// ---- a public address ----

constexpr int kNoNamespace = 77;

/// Runs `body` in a child with a network namespace of its own whose loopback also has `address`.
int with_public_address(const char* address, const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ::_exit(kNoNamespace);
    const sys::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq lo{};
    std::strcpy(lo.ifr_name, "lo");
    lo.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
    if (::ioctl(fd.get(), SIOCSIFFLAGS, &lo) != 0) ::_exit(kNoNamespace);
    ifreq alias{};
    std::strcpy(alias.ifr_name, "lo:1");
    auto* at = reinterpret_cast<sockaddr_in*>(&alias.ifr_addr);
    at->sin_family = AF_INET;
    ::inet_pton(AF_INET, address, &at->sin_addr);
    if (::ioctl(fd.get(), SIOCSIFADDR, &alias) != 0) ::_exit(kNoNamespace);
    body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(FetchUrl, RefusesARedirectFromAPublicToAPrivateAddress) {
  const int status = with_public_address("9.9.9.9", [] {
    LoopbackServer inside([](Connection& c) { c.send_body("secret"); });
    LoopbackServer outside(
        [&](Connection& c) {
          if (c.path() == "/public") c.redirect("/final");
          if (c.path() == "/private") c.redirect(inside.url("/metadata"));
          if (c.path() == "/mapped") c.redirect(inside.url("/metadata", "[::ffff:127.0.0.1]"));
          if (c.path() == "/zero") c.redirect(inside.url("/metadata", "0.0.0.0"));
          if (c.path() == "/final") c.send_body("public");
        },
        "9.9.9.9");
    FetchOptions options = loopback_options();
    options.allow_private = false;
    const auto control = fetch_url(outside.url("/public", "9.9.9.9"), options);
    EXPECT_TRUE(control) << control.error().message;
    for (const char* path : {"/private", "/mapped", "/zero"}) {
      const std::string text = failure(outside.url(path, "9.9.9.9"), options);
      EXPECT_HAS(text, "redirected to ");
      EXPECT_HAS(text, "it leads to ");
      EXPECT_HAS(text, "--allow-private-urls");
    }
    EXPECT_TRUE(inside.requests().empty()) << "a request reached the private address";
  });
  if (status == kNoNamespace && std::getenv("HELIOS_TESTS_MUST_RUN") == nullptr) {
    GTEST_SKIP() << "no network namespace can be made here (unprivileged user namespaces are off?)";
  }
  EXPECT_EQ(status, 0);
}

// ---- the module's file ----

Error module_error(const std::vector<std::string>& dirs) {
  FetchOptions options = loopback_options();
  options.module_dirs = dirs;
  const auto got = fetch_url("http://127.0.0.1:1/", options);
  return got ? Error{} : got.error();
}

TEST(FetchModule, ThatIsMissingIsNamedWithTheFoldersSearched) {
  const TempDir dir;
  const Error error = module_error({dir.path(), "/nonexistent"});
  EXPECT_EQ(error.code, ErrorCode::fetch_failed);
  EXPECT_HAS(error.message, "helios-fetch-http.so");
  EXPECT_HAS(error.message, dir.path());
}

TEST(FetchModule, ThatOthersCouldHaveWrittenIsRefused) {
  const TempDir dir;
  const std::string file = dir / "helios-fetch-http.so";
  std::filesystem::copy_file(kModules + "/helios-fetch-http.so", file);
  ::chmod(file.c_str(), 0666);
  const Error error = module_error({dir.path(), kModules});
  EXPECT_EQ(error.code, ErrorCode::plugin_rejected) << "a refused first match must not fall through";
  EXPECT_HAS(error.message, file);
}

TEST(FetchModule, ThatIsTextOrTruncatedOrAFolderIsRefused) {
  const TempDir dir;
  const std::string file = dir / "helios-fetch-http.so";
  std::ofstream(file) << "not a library\n";
  EXPECT_EQ(module_error({dir.path()}).code, ErrorCode::plugin_rejected);
  std::filesystem::copy_file(kModules + "/helios-fetch-http.so", file,
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::resize_file(file, 9000);
  EXPECT_EQ(module_error({dir.path()}).code, ErrorCode::plugin_rejected);
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  EXPECT_EQ(module_error({dir.path()}).code, ErrorCode::plugin_rejected);
}

}  // namespace
}  // namespace helios::fetch
