/// A strict, bounded, one-pass reader of JSON (RFC 8259) that hands out one value at a time and keeps none.
///
/// Why not the JSON library: docs/decisions/0001-own-spec-scanner.md. It serves as the oracle in the tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/spec/json_problem.h"

namespace helios::spec {

/// Bounds on what a stranger's text may make us hold. Each is far above what Helios writes.
inline constexpr std::size_t kMaxDepth = 64;                 ///< nested arrays and objects; a job needs 4
inline constexpr std::size_t kMaxStringBytes = 1 << 20;      ///< one string, as written between its quotes
inline constexpr std::size_t kMaxMembers = 65536;            ///< names in one object: all are held to find duplicates
inline constexpr std::size_t kMaxHeldNameBytes = 16u << 20;  ///< names of all objects open at once

enum class JsonKind { object, array, string, number, boolean, null, other, end };

/// Usage: `enter_object()`, then `while (next_member(name))` read or skip one value each, then look at `ok()`;
/// arrays likewise; `finish()` after the outermost value. Every call returns false once something is wrong; `problem()`
/// is then the first thing that was. Text, nesting, numbers, UTF-8 and duplicate names are checked in all that is
/// skipped, too.
class JsonScanner {
 public:
  /// Puts up to `size` bytes at `into`; returns how many, 0 at the end.
  using Reader = std::function<std::size_t(char* into, std::size_t size)>;

  /// `text` must outlive the scanner.
  explicit JsonScanner(std::string_view text);
  /// Holds a window of some 256 KiB of what it reads (more only for one long string).
  explicit JsonScanner(Reader reader);

  /// What comes next. Moves over white space only.
  [[nodiscard]] JsonKind peek();

  [[nodiscard]] bool enter_object(std::string_view expected = "an object");
  /// True: stands before the value of `name`, which is valid until the next call. False: the object has ended, or
  /// !ok().
  [[nodiscard]] bool next_member(std::string_view& name);
  [[nodiscard]] bool enter_array(std::string_view expected = "an array");
  [[nodiscard]] bool next_element();

  /// The decoded string replaces `out`'s content.
  [[nodiscard]] bool read_string(std::string& out, std::string_view expected = "a string");
  /// The number as written, valid until the next call. Grammar is checked, and that it is finite as a double.
  [[nodiscard]] bool read_number(std::string_view& out, std::string_view expected = "a number");
  [[nodiscard]] bool read_boolean(bool& out, std::string_view expected = "true or false");
  [[nodiscard]] bool skip_value();
  /// The same, with the value's bytes as written. Only over a text in memory, of which `raw` is a part.
  [[nodiscard]] bool skip_value(std::string_view& raw);
  /// Nothing but white space may follow.
  [[nodiscard]] bool finish();

  /// Refuses the token just read (or about to be read). Returns false.
  bool reject(std::string_view expected);
  bool reject(std::string_view expected, std::string_view found);

  [[nodiscard]] bool ok() const noexcept { return !problem_; }
  [[nodiscard]] const std::optional<JsonProblem>& problem() const noexcept { return problem_; }
  /// Where the token just read (or about to be read) begins, and what it belongs to.
  [[nodiscard]] TextPosition position() const;
  [[nodiscard]] std::string pointer() const;

 private:
  struct Name {
    std::size_t offset;
    std::size_t size;
  };
  /// An array or object that is open.
  struct Frame {
    bool is_object{false};
    bool inside{false};    ///< between a member's name (an element's start) and the next comma
    std::size_t count{0};  ///< members or elements so far
    std::size_t first{0};  ///< its names begin at names_[first]
    std::size_t held{0};   ///< bytes of its names
    std::unique_ptr<std::set<std::string, std::less<>>> many;  ///< all its names once they are more than a few
  };

  bool refill();
  bool ensure(std::size_t bytes);
  bool next_token();
  bool take(char c);
  bool enter(bool is_object);
  bool leave();
  bool add_name(std::string_view name);
  bool is_new_name(Frame& frame, std::string_view name);
  bool scan_string();
  bool scan_escape();
  bool scan_wide_character();
  bool scan_word(std::string_view word);
  bool fail_at(const char* where, std::string_view expected, std::string_view found);
  std::string describe_token();
  std::string_view last_name() const;

  Reader reader_;
  std::vector<char> buffer_;
  const char* begin_{nullptr};  ///< the window: bytes before it are forgotten, only counted in `forgotten_`
  const char* token_{nullptr};  ///< the current token's first byte: what must stay in the window
  const char* at_{nullptr};
  const char* end_{nullptr};
  PositionCounter forgotten_;
  mutable PositionCounter located_;  ///< how far position() has counted, so that asking often counts each byte once
  mutable const char* located_at_{nullptr};
  std::string_view raw_;  ///< the last string or number, as written
  bool raw_has_escapes_{false};
  std::vector<Frame> frames_;
  std::vector<Name> names_;
  std::string name_bytes_;
  std::string decoded_;
  std::size_t held_{0};
  std::optional<JsonProblem> problem_;
};

/// How many bytes at the start need no look when they stand inside a JSON string: ASCII without quotes, backslashes and
/// control characters.
[[nodiscard]] std::size_t plain_json_prefix(std::string_view text) noexcept;

/// Whether a text that follows the grammar of JSON numbers (not checked here) is a whole number from 0 to 2^53-1
/// written plainly: no sign, fraction or exponent. These are the integers every JSON reader agrees on.
[[nodiscard]] std::optional<std::uint64_t> plain_integer(std::string_view number) noexcept;

}  // namespace helios::spec
