/// Any bytes as a command: no crash; splitting never invents bytes; and a command rebuilt by quoting every word splits
/// into the same words.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/spec/command_line.h"

namespace {

void require(bool good) {
  if (!good) std::abort();
}

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "' ";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view command(reinterpret_cast<const char*>(data), size);
  const auto token = helios::spec::shell_looking_token(command);
  const auto words = helios::spec::split_command(command);
  require(words.has_value() != helios::spec::is_blank(command));
  if (!words || words->empty()) return 0;
  std::string again;
  std::size_t bytes = 0;
  bool found = false;
  for (const std::string& word : *words) {
    again += quoted(word);
    bytes += word.size();
    found = found || word == token;
  }
  require(bytes <= size && found == token.has_value());
  require(helios::spec::split_command(again).value() == *words);
  return 0;
}
