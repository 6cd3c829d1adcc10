#include "core/spec/command_line.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace helios::spec {
namespace {

/// Length of the white space character at the start of `text`, 0 if there is none. The set is JavaScript's \s, which is
/// also what trim() removes: U+0085, U+180E and U+200B are not in it.
std::size_t white_space(std::string_view text) {
  using namespace std::string_view_literals;
  if (text.empty()) return 0;
  if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) return 1;
  static constexpr std::array kWide{
      "\xC2\xA0"sv,                                          // U+00A0
      "\xE1\x9A\x80"sv,                                      // U+1680
      "\xE2\x80\xA8"sv, "\xE2\x80\xA9"sv, "\xE2\x80\xAF"sv,  // U+2028, U+2029, U+202F
      "\xE2\x81\x9F"sv,                                      // U+205F
      "\xE3\x80\x80"sv,                                      // U+3000
      "\xEF\xBB\xBF"sv,                                      // U+FEFF
  };
  for (const auto wide : kWide) {
    if (text.substr(0, wide.size()) == wide) return wide.size();
  }
  // U+2000 to U+200A
  const bool space = text.size() >= 3 && text.substr(0, 2) == "\xE2\x80"sv &&
                     static_cast<unsigned char>(text[2]) >= 0x80 && static_cast<unsigned char>(text[2]) <= 0x8A;
  return space ? 3 : 0;
}

/// Length of the white space character that ends at the end of `text`, 0 if there is none.
std::size_t trailing_white_space(std::string_view text) {
  for (std::size_t n = 1; n <= 3 && n <= text.size(); ++n) {
    if (white_space(text.substr(text.size() - n)) == n) return n;
  }
  return 0;
}

std::string_view trim(std::string_view text) {
  while (const std::size_t n = white_space(text)) text.remove_prefix(n);
  while (const std::size_t n = trailing_white_space(text)) text.remove_suffix(n);
  return text;
}

/// How a shell would have read a byte: `plain` bytes may be operators, `$` also acts between double quotes.
enum class Quoting : char { plain, in_double, literal };

struct Word {
  std::string text;
  std::vector<Quoting> quoting;  ///< one per byte of `text`; empty unless asked for
};

enum class Keep { text, text_and_quoting };

class Splitter {
 public:
  explicit Splitter(Keep keep) : keep_(keep) {}

  std::vector<Word> split(std::string_view command) {
    for (std::string_view rest = trim(command); !rest.empty();) rest.remove_prefix(take(rest));
    end_word();
    return std::move(words_);
  }

 private:
  /// Consumes one character or white space and returns its length. The order of the rules is Helios'.
  std::size_t take(std::string_view rest) {
    const char c = rest[0];
    if (std::exchange(escaped_, false)) return add(c, Quoting::literal);
    if (c == '\\') return escaped_ = true, 1;
    if ((c == '\'' || c == '"') && (quote_ == 0 || quote_ == c)) {
      quote_ = quote_ == 0 ? c : '\0';
      quoted_ = true;
      return 1;
    }
    if (quote_ == 0) {
      if (const std::size_t n = white_space(rest)) return end_word(), n;
    }
    return add(c, quote_ == 0 ? Quoting::plain : quote_ == '"' ? Quoting::in_double : Quoting::literal);
  }

  std::size_t add(char c, Quoting how) {
    word_.text += c;
    if (keep_ == Keep::text_and_quoting) word_.quoting.push_back(how);
    return 1;
  }

  void end_word() {
    if (!word_.text.empty() || quoted_) words_.push_back(std::exchange(word_, {}));
    quoted_ = false;
  }

  Keep keep_;
  std::vector<Word> words_;
  Word word_;
  bool escaped_{false};
  bool quoted_{false};  ///< the word had quotes, so it exists even when empty
  char quote_{0};       ///< the open quote, 0 if none
};

bool is_name_start(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// NAME=… as an assignment before a command.
bool is_assignment(const Word& word) {
  const std::size_t equals = word.text.find('=');
  if (equals == std::string::npos || equals == 0 || !is_name_start(word.text[0])) return false;
  return std::all_of(word.text.begin(), word.text.begin() + static_cast<std::ptrdiff_t>(equals),
                     [](char c) { return is_name_start(c) || is_digit(c); });
}

/// `$VAR`, `${…}`, `$(…)`, `$1`, `$@` or a back-tick outside single quotes.
bool is_expansion(const Word& word) {
  for (std::size_t i = 0; i < word.text.size(); ++i) {
    if (word.quoting[i] == Quoting::literal) continue;
    if (word.text[i] == '`') return true;
    if (word.text[i] != '$' || i + 1 == word.text.size()) continue;
    const char next = word.text[i + 1];
    if (is_name_start(next) || is_digit(next) || std::string_view("{(@*?#$!").find(next) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

bool is_operator(std::string_view text) {
  if (text.find_first_not_of("|&;<>()") == std::string_view::npos) return true;
  const std::size_t redirect = text.find_first_not_of("0123456789&");
  return redirect != std::string_view::npos && (text[redirect] == '>' || (redirect == 0 && text[0] == '<'));
}

bool is_glob(std::string_view text) {
  return text == "*" || text.substr(0, 2) == "*." || text.find("/*") != std::string_view::npos;
}

bool wants_shell(const Word& word) {
  if (is_expansion(word)) return true;
  const bool plain =
      std::all_of(word.quoting.begin(), word.quoting.end(), [](Quoting q) { return q == Quoting::plain; });
  if (!plain || word.text.empty()) return false;
  const std::string_view text = word.text;
  return is_operator(text) || is_glob(text) || text == "~" || text.substr(0, 2) == "~/" || text.back() == ';';
}

/// A command that starts a shell itself: what follows -c is for that shell.
bool is_shell(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  return name == "sh" || name == "bash" || name == "dash" || name == "zsh" || name == "ash" || name == "ksh";
}

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view command) {
  if (is_blank(command)) return fail(ErrorCode::invalid_spec, "split the command: it is blank");
  std::vector<std::string> argv;
  for (Word& word : Splitter(Keep::text).split(command)) argv.push_back(std::move(word.text));
  return argv;
}

bool is_blank(std::string_view command) {
  while (const std::size_t n = white_space(command)) command.remove_prefix(n);
  return command.empty();
}

std::optional<std::string> shell_looking_token(std::string_view command) {
  const std::vector<Word> words = Splitter(Keep::text_and_quoting).split(command);
  if (words.size() > 1 && is_assignment(words[0])) return words[0].text;
  bool script = false;
  for (const Word& word : words) {
    if (!std::exchange(script, word.text == "-c" && is_shell(words[0].text)) && wants_shell(word)) return word.text;
  }
  return std::nullopt;
}

}  // namespace helios::spec
