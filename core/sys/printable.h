/// Text of others, in words of ours.
#pragma once

#include <string>

namespace helios::sys {

/// '?' for each control character: nothing is left that could steer a terminal.
[[nodiscard]] inline std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = '?';
  }
  return text;
}

}  // namespace helios::sys
