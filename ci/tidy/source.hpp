// Source text as the tidy rules see it: without comments and literals, and cut into blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loopscope::tidy {

/// A file of the repository. Paths are relative to the root and use slashes.
struct SourceFile {
  std::string path;
  std::string text;
};

/// C++ text with the same length and lines: comments become spaces; what stands inside string and
/// character literals becomes spaces too, unless `keep_literals`.
std::string strip(std::string_view text, bool keep_literals = false);

/// The lines of a text, without their ends.
std::vector<std::string_view> lines_of(std::string_view text);

/// 1 for the first line.
unsigned line_at(std::string_view text, std::size_t offset);

bool is_word(char c);
/// The offset of `word` at or after `from`, where no letter, digit or underscore touches it.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from = 0);
bool has_word(std::string_view text, std::string_view word);
std::string_view trimmed(std::string_view text);

enum class BlockKind : std::uint8_t { scope, type, function, lambda, control, initializer };

/// One pair of braces in stripped text.
struct Block {
  BlockKind kind;
  std::size_t open, close;    // offsets of the braces
  std::size_t parent;         // index, or kNone at the top
  std::string_view captures;  // of a lambda: what stands between its brackets
};
inline constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// Every pair of braces, in the order in which they open. A heuristic that is right about code
/// in this project's style, not a parser of C++.
std::vector<Block> blocks_of(std::string_view stripped);

/// The innermost block around an offset, or kNone.
std::size_t block_around(const std::vector<Block>& blocks, std::size_t offset);

}  // namespace loopscope::tidy
