#include "core/spec/json_scanner.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/spec/utf8.h"

namespace helios::spec {
namespace {

constexpr std::size_t kWindow = std::size_t{256} * 1024;
constexpr std::size_t kFewNames = 32;
constexpr std::string_view kEnd = "the end of the text";

bool is_white(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The first byte from `p` on that ends the plain ASCII part of a string: a quote, a backslash, a control character or
/// the start of a wide character. Eight bytes at a time: in each expression the lowest byte that has its high bit set
/// is the first that matches (a borrow can only spoil the bytes above a match).
const char* skip_plain(const char* p, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHigh = 0x8080808080808080U;
  if constexpr (std::endian::native == std::endian::little) {
    for (std::uint64_t word = 0; end - p >= 8; p += 8) {
      std::memcpy(&word, p, sizeof(word));
      const std::uint64_t quote = word ^ (kOnes * '"');
      const std::uint64_t backslash = word ^ (kOnes * '\\');
      const std::uint64_t stop =
          (word | ((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash)) &
          kHigh;
      if (stop != 0) return p + std::countr_zero(stop) / 8;
    }
  }
  while (p != end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) - 0x20U < 0x60U) ++p;
  return p;
}

const char* skip_digits(const char* p, const char* end) {
  while (p != end && is_digit(*p)) ++p;
  return p;
}

/// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool follows_grammar(std::string_view number) {
  const char* p = number.data();
  const char* const end = p + number.size();
  if (p != end && *p == '-') ++p;
  const char* const whole = p;
  p = skip_digits(p, end);
  if (p == whole || (*whole == '0' && p - whole > 1)) return false;
  if (p != end && *p == '.') {
    const char* const fraction = ++p;
    p = skip_digits(p, end);
    if (p == fraction) return false;
  }
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p != end && (*p == '+' || *p == '-')) ++p;
    const char* const exponent = p;
    p = skip_digits(p, end);
    if (p == exponent) return false;
  }
  return p == end;
}

/// Only a very long number or one with an exponent can be too large for a double.
bool is_finite(std::string_view number) {
  if (number.size() <= 300 && number.find_first_of("eE") == std::string_view::npos) return true;
  double value = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
  if (parsed.ec == std::errc{}) return true;
  return std::isfinite(std::strtod(std::string(number).c_str(), nullptr));  // too small is 0, too large is not finite
}

/// The four hexadecimal digits at `p`.
std::optional<unsigned> hex4(const char* p) {
  unsigned value = 0;
  const auto parsed = std::from_chars(p, p + 4, value, 16);
  if (parsed.ec != std::errc{} || parsed.ptr != p + 4) return std::nullopt;
  return value;
}

void append_utf8(std::string& out, unsigned code) {
  const auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) return put(0xC0 | (code >> 6)), put(0x80 | (code & 0x3F));
  if (code < 0x10000) return put(0xE0 | (code >> 12)), put(0x80 | ((code >> 6) & 0x3F)), put(0x80 | (code & 0x3F));
  put(0xF0 | (code >> 18)), put(0x80 | ((code >> 12) & 0x3F));
  put(0x80 | ((code >> 6) & 0x3F)), put(0x80 | (code & 0x3F));
}

char unescaped(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

/// Decodes the inside of a string that has been scanned, so every escape is known to be whole.
void decode(std::string_view raw, std::string& out) {
  out.clear();
  while (!raw.empty()) {
    const std::size_t plain = std::min(raw.find('\\'), raw.size());
    out.append(raw.substr(0, plain));
    raw.remove_prefix(plain);
    if (raw.empty()) return;
    if (raw[1] != 'u') {
      out += unescaped(raw[1]);
      raw.remove_prefix(2);
      continue;
    }
    unsigned code = hex4(raw.data() + 2).value_or(0);
    raw.remove_prefix(6);
    if (code >= 0xD800 && code <= 0xDBFF) {
      code = 0x10000 + ((code - 0xD800) << 10) + (hex4(raw.data() + 2).value_or(0xDC00) - 0xDC00);
      raw.remove_prefix(6);
    }
    append_utf8(out, code);
  }
}

}  // namespace

JsonScanner::JsonScanner(std::string_view text)
    : begin_(text.data()), token_(begin_), at_(begin_), end_(begin_ + text.size()) {}

JsonScanner::JsonScanner(Reader reader) : reader_(std::move(reader)), buffer_(kWindow) {
  begin_ = token_ = at_ = end_ = buffer_.data();
}

/// Gets more bytes after `end_`, forgetting those before `token_`. False when there are none. Moves all pointers.
bool JsonScanner::refill() {
  if (!reader_) return false;
  forgotten_.pass({begin_, static_cast<std::size_t>(token_ - begin_)});
  const auto kept = static_cast<std::size_t>(end_ - token_);
  const auto read = static_cast<std::size_t>(at_ - token_);
  std::memmove(buffer_.data(), token_, kept);
  if (kept > buffer_.size() / 2) buffer_.resize(2 * buffer_.size());
  const std::size_t more = reader_(buffer_.data() + kept, buffer_.size() - kept);
  begin_ = token_ = buffer_.data();
  located_at_ = nullptr;
  at_ = begin_ + read;
  end_ = begin_ + kept + more;
  if (more == 0) reader_ = nullptr;
  return more > 0;
}

/// Whether `bytes` bytes stand at `at_`, after reading on if need be.
bool JsonScanner::ensure(std::size_t bytes) {
  while (static_cast<std::size_t>(end_ - at_) < bytes) {
    if (!refill()) return false;
  }
  return true;
}

/// Goes to the first byte of the next token. False at the end of the text.
bool JsonScanner::next_token() {
  if (!ok()) return false;
  for (;;) {
    while (at_ != end_ && is_white(*at_)) ++at_;
    token_ = at_;
    if (at_ != end_) return true;
    if (!refill()) return false;
  }
}

bool JsonScanner::take(char c) {
  if (!next_token() || *at_ != c) return false;
  ++at_;
  return true;
}

JsonKind JsonScanner::peek() {
  if (!next_token()) return JsonKind::end;
  switch (*at_) {
    case '{':
      return JsonKind::object;
    case '[':
      return JsonKind::array;
    case '"':
      return JsonKind::string;
    case 't':
    case 'f':
      return JsonKind::boolean;
    case 'n':
      return JsonKind::null;
    default:
      return *at_ == '-' || is_digit(*at_) ? JsonKind::number : JsonKind::other;
  }
}

bool JsonScanner::enter_object(std::string_view expected) {
  return peek() == JsonKind::object ? enter(true) : reject(expected);
}

bool JsonScanner::enter_array(std::string_view expected) {
  return peek() == JsonKind::array ? enter(false) : reject(expected);
}

bool JsonScanner::enter(bool is_object) {
  if (frames_.size() == kMaxDepth) {
    return reject("at most " + std::to_string(kMaxDepth) + " levels of nesting", "one more");
  }
  ++at_;
  frames_.emplace_back();
  frames_.back().is_object = is_object;
  frames_.back().first = names_.size();
  return true;
}

/// Consumes the closing bracket. Always false: there is no next member.
bool JsonScanner::leave() {
  ++at_;
  const Frame& frame = frames_.back();
  if (frame.first < names_.size()) name_bytes_.resize(names_[frame.first].offset);
  names_.resize(frame.first, Name{});
  held_ -= frame.held;
  frames_.pop_back();
  return false;
}

bool JsonScanner::next_member(std::string_view& name) {
  if (!ok()) return false;
  frames_.back().inside = false;
  const bool first = frames_.back().count == 0;
  if (next_token() && *at_ == '}') return leave();
  if (!first && !take(',')) return reject("',' or '}'");
  if (peek() != JsonKind::string) return reject(first ? "a name in quotes or '}'" : "a name in quotes");
  if (!scan_string()) return false;
  if (raw_has_escapes_) decode(raw_, decoded_);
  if (!add_name(raw_has_escapes_ ? std::string_view(decoded_) : raw_)) return false;
  if (at_ != end_ && *at_ == ':') {
    ++at_;  // the usual case; the token stays the name, for whoever refuses it
  } else if (!take(':')) {
    return reject("':'");
  }
  name = last_name();
  return true;
}

bool JsonScanner::next_element() {
  if (!ok()) return false;
  frames_.back().inside = false;
  const bool first = frames_.back().count == 0;
  if (next_token() && *at_ == ']') return leave();
  if (!first && !take(',')) return reject("',' or ']'");
  frames_.back().inside = true;
  ++frames_.back().count;
  return true;
}

bool JsonScanner::add_name(std::string_view name) {
  Frame& frame = frames_.back();
  if (++frame.count > kMaxMembers) {
    return reject("at most " + std::to_string(kMaxMembers) + " names in one object", "one more");
  }
  frame.held += name.size();
  held_ += name.size();
  if (held_ > kMaxHeldNameBytes) {
    return reject("at most " + std::to_string(kMaxHeldNameBytes) + " bytes of names in open objects", "more");
  }
  const bool is_new = is_new_name(frame, name);
  names_.push_back({name_bytes_.size(), name.size()});
  name_bytes_ += name;
  frame.inside = true;
  return is_new || reject("each name once in an object", quote_for_message(name) + " again");
}

/// Few names are compared one by one. Many go into a tree (a hash table could be made slow by choosing names), and then
/// only the last one is kept in `names_`.
bool JsonScanner::is_new_name(Frame& frame, std::string_view name) {
  const auto text = [&](const Name& n) { return std::string_view(name_bytes_).substr(n.offset, n.size); };
  if (!frame.many && frame.count <= kFewNames) {
    return std::none_of(names_.begin() + static_cast<std::ptrdiff_t>(frame.first), names_.end(),
                        [&](const Name& n) { return n.size == name.size() && text(n) == name; });
  }
  if (!frame.many) frame.many = std::make_unique<std::set<std::string, std::less<>>>();
  for (std::size_t i = frame.first; i < names_.size(); ++i) frame.many->emplace(text(names_[i]));
  name_bytes_.resize(names_[frame.first].offset);
  names_.resize(frame.first, Name{});
  return frame.many->find(name) == frame.many->end();
}

std::string_view JsonScanner::last_name() const {
  return std::string_view(name_bytes_).substr(names_.back().offset, names_.back().size);
}

bool JsonScanner::read_string(std::string& out, std::string_view expected) {
  if (peek() != JsonKind::string) return reject(expected);
  if (!scan_string()) return false;
  if (raw_has_escapes_) {
    decode(raw_, out);
  } else {
    out.assign(raw_);
  }
  return true;
}

/// From the opening quote at `at_` to behind the closing one. Sets `raw_` to what is between them.
bool JsonScanner::scan_string() {
  ++at_;
  raw_has_escapes_ = false;
  for (;;) {
    at_ = skip_plain(at_, end_);
    if (static_cast<std::size_t>(at_ - token_) > kMaxStringBytes + 1) {
      return reject("a string of at most " + std::to_string(kMaxStringBytes) + " bytes", "a longer one");
    }
    if (at_ == end_) {
      if (!refill()) return fail_at(at_, "a closing quote", kEnd);
    } else if (*at_ == '"') {
      break;
    } else if (!(*at_ == '\\' ? scan_escape() : scan_wide_character())) {
      return false;
    }
  }
  raw_ = {token_ + 1, static_cast<std::size_t>(at_ - token_ - 1)};
  ++at_;
  return true;
}

bool JsonScanner::scan_escape() {
  raw_has_escapes_ = true;
  if (!ensure(2)) return fail_at(end_, "a closing quote", kEnd);
  if (at_[1] != 'u') {
    if (std::string_view("\"\\/bfnrt").find(at_[1]) == std::string_view::npos) {
      return fail_at(at_, "an escape sequence of JSON", quote_for_message({at_, 2}));
    }
    at_ += 2;
    return true;
  }
  const auto code = ensure(6) ? hex4(at_ + 2) : std::nullopt;
  if (!code) {
    const auto left = std::min<std::size_t>(static_cast<std::size_t>(end_ - at_), 6);
    return fail_at(at_, "four hexadecimal digits after \\u", quote_for_message({at_, left}));
  }
  const bool high = *code >= 0xD800 && *code <= 0xDBFF;
  const bool low = *code >= 0xDC00 && *code <= 0xDFFF;
  if (high) {
    const auto second = ensure(12) && at_[6] == '\\' && at_[7] == 'u' ? hex4(at_ + 8) : std::nullopt;
    if (second && *second >= 0xDC00 && *second <= 0xDFFF) {
      at_ += 12;
      return true;
    }
  }
  if (high || low) return fail_at(at_, "surrogates in pairs", "a lone " + std::string(at_, 6));
  at_ += 6;
  return true;
}

/// One character that is not ASCII; also where control characters are refused.
bool JsonScanner::scan_wide_character() {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(*at_);
  if (byte >= 0x80) {
    ensure(4);
    const Utf8Step step = utf8_step({at_, std::min<std::size_t>(static_cast<std::size_t>(end_ - at_), 4)});
    if (step.valid) {
      at_ += step.length;
      return true;
    }
  }
  const std::string found = std::string("byte 0x") + kDigits[byte >> 4] + kDigits[byte & 15];
  return fail_at(at_, byte >= 0x80 ? "valid UTF-8" : "control characters in strings as \\u escapes", found);
}

bool JsonScanner::read_number(std::string_view& out, std::string_view expected) {
  if (peek() != JsonKind::number) return reject(expected);
  for (;;) {
    while (at_ != end_ && (is_digit(*at_) || *at_ == '.' || *at_ == '-' || *at_ == '+' || *at_ == 'e' || *at_ == 'E')) {
      ++at_;
    }
    if (static_cast<std::size_t>(at_ - token_) > kMaxStringBytes) return reject("a number", "one that is too long");
    if (at_ != end_ || !refill()) break;
  }
  raw_ = {token_, static_cast<std::size_t>(at_ - token_)};
  if (!follows_grammar(raw_)) return reject("a number as JSON writes it");
  if (!is_finite(raw_)) return reject("a number that a double can hold");
  out = raw_;
  return true;
}

bool JsonScanner::scan_word(std::string_view word) {
  ensure(word.size());
  if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

bool JsonScanner::read_boolean(bool& out, std::string_view expected) {
  if (peek() != JsonKind::boolean) return reject(expected);
  out = *at_ == 't';
  return scan_word(out ? "true" : "false") || reject(expected);
}

bool JsonScanner::skip_value() {
  std::string_view text;
  bool flag = false;
  switch (peek()) {
    case JsonKind::object:
      if (!enter_object()) return false;
      while (next_member(text)) {
        if (!skip_value()) return false;
      }
      return ok();
    case JsonKind::array:
      if (!enter_array()) return false;
      while (next_element()) {
        if (!skip_value()) return false;
      }
      return ok();
    case JsonKind::string:
      return scan_string();
    case JsonKind::number:
      return read_number(text);
    case JsonKind::boolean:
      return read_boolean(flag, "a value");
    case JsonKind::null:
      return scan_word("null") || reject("a value");
    case JsonKind::other:
    case JsonKind::end:
      break;
  }
  return reject("a value");
}

bool JsonScanner::skip_value(std::string_view& raw) {
  static_cast<void>(peek());
  const char* const start = at_;
  if (!skip_value()) return false;
  raw = {start, static_cast<std::size_t>(at_ - start)};
  return true;
}

bool JsonScanner::finish() { return (!next_token() && ok()) || reject("nothing after the document's end"); }

bool JsonScanner::reject(std::string_view expected) { return ok() && reject(expected, describe_token()); }

bool JsonScanner::reject(std::string_view expected, std::string_view found) { return fail_at(token_, expected, found); }

bool JsonScanner::fail_at(const char* where, std::string_view expected, std::string_view found) {
  if (problem_) return false;
  PositionCounter counter = forgotten_;
  counter.pass({begin_, static_cast<std::size_t>(where - begin_)});
  problem_ = JsonProblem{counter.position(), pointer(), std::string(expected), std::string(found)};
  return false;
}

TextPosition JsonScanner::position() const {
  if (located_at_ == nullptr || token_ < located_at_) {
    located_ = forgotten_;
    located_at_ = begin_;
  }
  located_.pass({located_at_, static_cast<std::size_t>(token_ - located_at_)});
  located_at_ = token_;
  return located_.position();
}

std::string JsonScanner::pointer() const {
  std::string text;
  for (std::size_t i = 0; i < frames_.size() && frames_[i].inside; ++i) {
    const Frame& frame = frames_[i];
    if (!frame.is_object) {
      append_pointer_token(text, std::to_string(frame.count - 1));
      continue;
    }
    // The frame's last name stands before the next frame's first one.
    const Name& name = names_[(i + 1 < frames_.size() ? frames_[i + 1].first : names_.size()) - 1];
    append_pointer_token(text, std::string_view(name_bytes_).substr(name.offset, name.size));
  }
  return text;
}

/// The token at `token_` in words, as far as a message needs it.
std::string JsonScanner::describe_token() {
  constexpr std::size_t kSeen = 80;
  while (static_cast<std::size_t>(end_ - token_) < kSeen && refill()) {
  }
  const std::string_view text(token_, std::min(kSeen, static_cast<std::size_t>(end_ - token_)));
  if (text.empty()) return std::string(kEnd);
  const auto word = text.substr(0, text.find_first_of(" \t\r\n,:[]{}\"", 1));
  switch (text[0]) {
    case '{':
      return "an object";
    case '[':
      return "an array";
    case '"': {
      std::size_t close = 1;
      while (close < text.size() && text[close] != '"') close += text[close] == '\\' ? 2 : 1;
      return "string " + quote_for_message(text.substr(1, std::min(close, text.size()) - 1));
    }
    default:
      break;
  }
  if (text[0] == '-' || is_digit(text[0])) return "number " + escape_for_message(word, 40);
  if (text.substr(0, 3) == "\xEF\xBB\xBF") return "a byte order mark";
  if (is_letter(text[0])) return escape_for_message(word, 40);
  return '\'' + escape_for_message(text.substr(0, utf8_step(text).length), 40) + '\'';
}

std::size_t plain_json_prefix(std::string_view text) noexcept {
  return static_cast<std::size_t>(skip_plain(text.data(), text.data() + text.size()) - text.data());
}

std::optional<std::uint64_t> plain_integer(std::string_view number) noexcept {
  constexpr std::uint64_t kMax = (std::uint64_t{1} << 53) - 1;
  std::uint64_t value = 0;
  const char* const end = number.data() + number.size();
  const auto parsed = std::from_chars(number.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end || value > kMax) return std::nullopt;
  return value;
}

}  // namespace helios::spec
