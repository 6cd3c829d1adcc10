#include <gtest/gtest.h>

#include "core/fetch/url.h"

namespace helios::fetch {
namespace {

TEST(UrlScheme, IsLowerCase) { EXPECT_EQ(url_scheme("HTTPS://Host/X"), "https"); }

TEST(UrlScheme, KnowsSchemesItCannotFetch) {
  EXPECT_EQ(url_scheme("file:///etc/passwd"), "file");
  EXPECT_EQ(url_scheme("s3://bucket/key"), "s3");
}

TEST(UrlScheme, TakesPathsForPaths) {
  for (const char* path : {"", "-", "spec.json", "/a/b.json", "./http://x", "dir/http://x", "a:b", "://x", "1a://x",
                           "a b://x", "http:/x", "ä://x"}) {
    EXPECT_EQ(url_scheme(path), std::nullopt) << path;
  }
}

TEST(ShownUrl, HidesUserAndPassword) {
  EXPECT_EQ(shown_url("https://user:secret@host.example/a/b.json"), "https://host.example/a/b.json");
  EXPECT_EQ(shown_url("https://secret@host/"), "https://host/");
  EXPECT_EQ(shown_url("https://user:se@cret@host:8080/"), "https://host:8080/");
}

TEST(ShownUrl, HidesQueryAndFragment) {
  EXPECT_EQ(shown_url("https://h/s.json?X-Amz-Signature=secret"), "https://h/s.json?...");
  EXPECT_EQ(shown_url("https://h/s.json#secret"), "https://h/s.json");
  EXPECT_EQ(shown_url("https://h?secret"), "https://h?...");
}

TEST(ShownUrl, HidesAHostThatMayBePartOfAPassword) {
  for (const char* url :
       {"http://user:se/cret@host/", "http://user:se?cret@host/", "http://user:secret#@host", "http://us er:x",
        "http:///user:secret@host/", "http://", "http://[::1/secret", "http://host:/", "http://\\u:secret@h"}) {
    const std::string shown = shown_url(url);
    EXPECT_EQ(shown.find("cret"), std::string::npos) << url << " -> " << shown;
  }
  EXPECT_EQ(shown_url("http://user:se/cret@host/"), "http://(unreadable host)");
}

TEST(ShownUrl, KeepsAnIpv6HostAndAPort) {
  EXPECT_EQ(shown_url("http://[2001:db8::1]:8080/x"), "http://[2001:db8::1]:8080/x");
  EXPECT_EQ(shown_url("http://u:p@[::1]/x"), "http://[::1]/x");
}

TEST(ShownUrl, IsOneShortPrintableLine) {
  EXPECT_EQ(shown_url("http://h/a\nb\x1b[31m\xc3\xa4"), "http://h/a%0Ab%1B[31m%C3%A4");
  EXPECT_LT(shown_url("http://h/" + std::string(100000, 'x')).size(), 400U);
  EXPECT_LT(shown_url("http://" + std::string(100000, 'h')).size(), 400U);
}

TEST(ShownUrl, ShowsWhereAFileUrlLeads) { EXPECT_EQ(shown_url("file:///etc/passwd"), "file:///etc/passwd"); }

TEST(ShownUrl, ShowsNothingOfWhatIsNoUrl) { EXPECT_EQ(shown_url("user:secret@host"), "(not a URL)"); }

}  // namespace
}  // namespace helios::fetch
