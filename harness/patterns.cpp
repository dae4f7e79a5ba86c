// Matching patterns and measuring how near two words are.
#include "harness/patterns.hpp"

#include <algorithm>

namespace loopscope {
namespace {

bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool matches(std::string_view pattern, std::string_view id) {
  if (!pattern.empty() && pattern.back() == '.') return id.substr(0, pattern.size()) == pattern;
  return glob(pattern, id);
}

bool selected(std::span<const std::string> patterns, std::string_view id) {
  bool in = !patterns.empty() && patterns.front().front() == '!';
  for (const std::string& pattern : patterns) {
    const bool takes_out = pattern.front() == '!';
    if (matches(std::string_view(pattern).substr(takes_out ? 1 : 0), id)) in = !takes_out;
  }
  return in;
}

std::vector<std::string> split_patterns(std::span<const std::string> arguments) {
  std::vector<std::string> result;
  for (const std::string& argument : arguments) {
    std::string_view rest = argument;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      std::string_view part = rest.substr(0, end);
      while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
      while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
      if (!part.empty() && part != "!") result.emplace_back(part);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return result;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> cells((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return cells[i * width + j];
  };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return cells.back();
}

std::vector<std::string> near_matches(std::string_view wanted, std::span<const std::string> known,
                                      std::size_t count) {
  struct Near {
    std::size_t distance;
    std::string_view word;
  };
  std::vector<Near> candidates;
  for (const std::string& word : known) {
    const bool contains = wanted.size() >= 3 && word.find(wanted) != std::string::npos;
    const std::size_t distance = contains ? 1 : edit_distance(wanted, word);
    const std::size_t allowed = std::max<std::size_t>(2, std::max(wanted.size(), word.size()) / 3);
    if (distance <= allowed) candidates.push_back({distance, word});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Near& a, const Near& b) { return a.distance < b.distance; });
  std::vector<std::string> result;
  for (const Near& near : candidates) {
    if (result.size() == count) break;
    result.emplace_back(near.word);
  }
  return result;
}

}  // namespace loopscope
