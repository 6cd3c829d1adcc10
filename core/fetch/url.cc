#include "core/fetch/url.h"

#include <algorithm>
#include <cstddef>

namespace helios::fetch {
namespace {

constexpr std::size_t kMaxShown = 300;

// The C locale's classes, whatever locale the program runs in.
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string printable(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (out.size() >= kMaxShown) return out + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

/// "host", "host:80", "[::1]", "[::1]:80"; anything else may be a part of a password that held a '/'.
bool is_plain_host(std::string_view host) {
  const bool bracketed = host.starts_with('[');
  const std::size_t name_end = bracketed ? host.find(']') : host.find(':');
  if (bracketed && name_end == std::string_view::npos) return false;
  const std::string_view name = host.substr(bracketed ? 1 : 0, bracketed ? name_end - 1 : name_end);
  std::string_view rest = name_end == std::string_view::npos ? "" : host.substr(name_end + (bracketed ? 1 : 0));
  const auto of_name = [&](char c) {
    return is_alpha(c) || is_digit(c) || c == '.' || c == '-' || c == '_' || (bracketed && (c == ':' || c == '%'));
  };
  if (name.empty() || !std::all_of(name.begin(), name.end(), of_name)) return false;
  if (rest.empty()) return true;
  if (!rest.starts_with(':')) return false;
  rest.remove_prefix(1);
  return !rest.empty() && std::all_of(rest.begin(), rest.end(), is_digit);
}

}  // namespace

std::optional<std::string> url_scheme(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == 0 || end == std::string_view::npos || !is_alpha(text.front())) return std::nullopt;
  std::string scheme;
  for (const char c : text.substr(0, end)) {
    if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return std::nullopt;
    scheme += to_lower(c);
  }
  return scheme;
}

std::string shown_url(std::string_view url) {
  const std::optional<std::string> scheme = url_scheme(url);
  if (!scheme) return "(not a URL)";
  std::string_view rest = url.substr(scheme->size() + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  rest.remove_prefix(authority.size());
  const std::size_t at = authority.rfind('@');
  const std::string_view host = at == std::string_view::npos ? authority : authority.substr(at + 1);
  const bool needs_host = *scheme != "file";  // a redirect may name file:///etc/passwd
  if (!is_plain_host(host) && (needs_host || !host.empty())) return *scheme + "://(unreadable host)";
  const std::size_t secret = rest.find_first_of("?#");
  std::string shown = *scheme + "://" + printable(std::string(host) + std::string(rest.substr(0, secret)));
  if (secret != std::string_view::npos && rest[secret] == '?') shown += "?...";
  return shown;
}

}  // namespace helios::fetch
