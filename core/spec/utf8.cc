#include "core/spec/utf8.h"

#include <cstdint>
#include <cstring>

namespace helios::spec {
namespace {

/// What the bytes after a lead byte must look like: how many, and the range of the first of them.
struct Lead {
  unsigned more{0};
  unsigned char low{0x80};
  unsigned char high{0xBF};
};

constexpr Lead lead_of(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};  // no overlong forms
  if (byte == 0xED) return {2, 0x80, 0x9F};  // no surrogates
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};  // no overlong forms
  if (byte == 0xF4) return {3, 0x80, 0x8F};  // nothing above U+10FFFF
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  return {};
}

/// Appends whole characters and replacements; returns how many bytes at the end may still become a character.
std::size_t sanitize_into(std::string_view text, std::string& out) {
  while (!text.empty()) {
    if (const std::size_t plain = ascii_prefix(text); plain > 0) {
      out.append(text.substr(0, plain));
      text.remove_prefix(plain);
      continue;
    }
    const Utf8Step step = utf8_step(text);
    if (step.unfinished) return text.size();
    out.append(step.valid ? text.substr(0, step.length) : kReplacement);
    text.remove_prefix(step.length);
  }
  return 0;
}

}  // namespace

Utf8Step utf8_step(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {1, true, false};
  const Lead lead = lead_of(byte(0));
  if (lead.more == 0) return {1, false, false};
  for (std::size_t i = 1; i <= lead.more; ++i) {
    if (i == text.size()) return {i, false, true};
    const bool fits = i == 1 ? byte(i) >= lead.low && byte(i) <= lead.high : (byte(i) & 0xC0) == 0x80;
    if (!fits) return {i, false, false};
  }
  return {lead.more + std::size_t{1}, true, false};
}

std::size_t ascii_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
  for (std::uint64_t word = 0; i + sizeof(word) <= text.size(); i += sizeof(word)) {
    std::memcpy(&word, text.data() + i, sizeof(word));
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
  return i;
}

bool is_utf8(std::string_view text) noexcept {
  for (;;) {
    text.remove_prefix(ascii_prefix(text));
    if (text.empty()) return true;
    const Utf8Step step = utf8_step(text);
    if (!step.valid) return false;
    text.remove_prefix(step.length);
  }
}

std::string sanitize_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (sanitize_into(text, out) > 0) out += kReplacement;
  return out;
}

std::size_t unfinished_utf8_suffix(std::string_view text) noexcept {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    return byte >= 0x80 && utf8_step(text.substr(text.size() - back)).unfinished ? back : 0;
  }
  return 0;
}

void Utf8Sanitizer::append(std::string_view piece, std::string& out) {
  // Only the few bytes around the seam are copied: what was held back takes from the piece what it still needs.
  while (!held_.empty() && !piece.empty()) {
    held_ += piece.front();
    piece.remove_prefix(1);
    held_.erase(0, held_.size() - sanitize_into(held_, out));
  }
  const std::size_t unfinished = sanitize_into(piece, out);
  held_.append(piece.substr(piece.size() - unfinished));
}

void Utf8Sanitizer::finish(std::string& out) {
  if (!held_.empty()) out += kReplacement;
  held_.clear();
}

}  // namespace helios::spec
