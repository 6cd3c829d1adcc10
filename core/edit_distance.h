/// How many typing mistakes lie between two words: for "did you mean".
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace helios {

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

/// The candidate most like `word`; nothing when none is close enough to be meant (a third of its letters wrong).
[[nodiscard]] inline std::optional<std::string> nearest(std::string_view word,
                                                        const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongestWord = 64;
  if (word.empty() || word.size() > kLongestWord) return std::nullopt;
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

/// What was expected instead of `word`: `a key such as "limits"` where that is what was meant, else `one of the keys
/// …`.
[[nodiscard]] inline std::string such_as(std::string_view noun, std::string_view word,
                                         const std::vector<std::string>& candidates) {
  const std::string name(noun);
  if (const auto meant = nearest(word, candidates)) return "a " + name + " such as \"" + *meant + "\"";
  std::string all;
  for (const std::string& candidate : candidates) all.append(all.empty() ? "" : ", ").append(candidate);
  return "one of the " + name + "s " + all;
}

}  // namespace helios
