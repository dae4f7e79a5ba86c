// Selecting ids: globs, prefixes, lists; and the ids that somebody may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loopscope {

/// An exact id, a glob with * and ?, or a prefix that ends with a dot: "sched.".
bool matches(std::string_view pattern, std::string_view id);
/// Patterns in order: a later one wins over an earlier one, "!pattern" takes ids out again. When
/// the first one takes out, everything is in before.
bool selected(std::span<const std::string> patterns, std::string_view id);
/// "a,b" and "a" "b" alike, blanks trimmed, empty ones dropped.
std::vector<std::string> split_patterns(std::span<const std::string> arguments);
/// Number of insertions, deletions, substitutions and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);
/// At most `count` of the known words that are near to `wanted`, nearest first; possibly none.
std::vector<std::string> near_matches(std::string_view wanted, std::span<const std::string> known,
                                      std::size_t count = 3);

}  // namespace loopscope
