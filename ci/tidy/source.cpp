// Stripping comments and literals, and a heuristic for what a pair of braces is.
#include "ci/tidy/source.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace loopscope::tidy {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

void blank(std::string& out, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < std::min(to, out.size()); ++i) {
    if (out[i] != '\n') out[i] = ' ';
  }
}

/// The offset behind a quoted literal that opens at `from`.
std::size_t end_of_quoted(std::string_view text, std::size_t from) {
  const char quote = text[from];
  std::size_t i = from + 1;
  while (i < text.size() && text[i] != quote && text[i] != '\n') i += text[i] == '\\' ? 2 : 1;
  return std::min(i + 1, text.size());
}

/// The offset behind R"tag(...)tag" whose quote stands at `quote`.
std::size_t end_of_raw(std::string_view text, std::size_t quote) {
  const std::size_t paren = text.find('(', quote);
  if (paren == std::string_view::npos) return text.size();
  const std::string tag = ")" + std::string(text.substr(quote + 1, paren - quote - 1)) + "\"";
  const std::size_t end = text.find(tag, paren);
  return end == std::string_view::npos ? text.size() : end + tag.size();
}

/// A quote between digits separates them: 10'000.
bool separates_digits(std::string_view text, std::size_t i) {
  return text[i] == '\'' && i > 0 && std::isxdigit(static_cast<unsigned char>(text[i - 1])) != 0 &&
         i + 1 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0;
}

std::size_t last_solid(std::string_view text, std::size_t before) {
  return before == 0 ? kNone : text.find_last_not_of(kSpaces, before - 1);
}

/// The offset of the bracket that matches the closing one at `close`, looking backwards.
std::size_t opening_of(std::string_view text, std::size_t close) {
  const char closer = text[close];
  const char opener = closer == ')' ? '(' : closer == ']' ? '[' : closer == '>' ? '<' : '{';
  int depth = 0;
  for (std::size_t i = close + 1; i-- > 0;) {
    if (text[i] == closer) ++depth;
    if (text[i] == opener && --depth == 0) return i;
  }
  return kNone;
}

/// The word that ends at `last`.
std::string_view word_ending_at(std::string_view text, std::size_t last) {
  std::size_t begin = last + 1;
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  return text.substr(begin, last + 1 - begin);
}

/// From the brace of a body back over `mutable`, `noexcept` and a trailing return type.
std::size_t before_qualifiers(std::string_view text, std::size_t brace) {
  std::size_t at = last_solid(text, brace);
  while (at != kNone) {
    const std::string_view word = word_ending_at(text, at);
    if (word != "mutable" && word != "noexcept" && word != "const" && word != "override" &&
        word != "final") {
      break;
    }
    at = last_solid(text, at + 1 - word.size());
  }
  const std::size_t from = text.find_last_of(";{}", brace == 0 ? 0 : brace - 1);
  const std::size_t arrow = text.rfind("->", brace);
  if (at == kNone || arrow == std::string_view::npos) return at;
  if (from != std::string_view::npos && arrow < from) return at;
  const std::size_t left = last_solid(text, arrow);
  const bool declares = left != kNone && (text[left] == ')' || text[left] == ']');
  const bool plain = text.substr(arrow, brace - arrow).find_first_of("()=,;") == text.npos;
  return declares && plain ? left : at;
}

/// The captures of the lambda whose body opens at `brace`, if it is one.
bool is_lambda(std::string_view text, std::size_t brace, std::string_view& captures) {
  std::size_t at = before_qualifiers(text, brace);
  if (at != kNone && text[at] == ')') {
    const std::size_t open = opening_of(text, at);
    at = open == kNone ? kNone : last_solid(text, open);
  }
  if (at == kNone || text[at] != ']') return false;
  const std::size_t open = opening_of(text, at);
  if (open == kNone) return false;
  const std::size_t left = last_solid(text, open);
  if (left != kNone && (text[left] == ')' || text[left] == ']')) return false;
  if (left != kNone && is_word(text[left]) && word_ending_at(text, left) != "return") return false;
  captures = text.substr(open + 1, at - open - 1);
  return true;
}

bool starts_with_word(std::string_view head, std::string_view word) {
  return head.starts_with(word) && (head.size() == word.size() || !is_word(head[word.size()]));
}

/// The text before a brace, back to the end of the previous statement or block.
std::string_view head_of(std::string_view text, std::size_t brace) {
  std::size_t from = brace;
  int depth = 0;
  while (from > 0) {
    const char c = text[from - 1];
    if (c == ')') ++depth;
    if (c == '(' && depth-- == 0) break;
    if (depth == 0 && (c == ';' || c == '{' || c == '}')) break;
    --from;
  }
  std::string_view head = trimmed(text.substr(from, brace - from));
  while (head.starts_with('#')) {  // a preprocessor line is not part of a statement
    const std::size_t end = head.find('\n');
    head = end == head.npos ? std::string_view{} : trimmed(head.substr(end));
  }
  return head;
}

bool is_type_head(std::string_view head) {
  if (head.find('=') != head.npos && !head.starts_with("template")) return false;
  for (const std::string_view word : {"class", "struct", "union", "enum"}) {
    const std::size_t at = find_word(head, word);
    if (at == head.npos) continue;
    if (starts_with_word(head, word)) return true;
    if (head.starts_with("template") && trimmed(head.substr(0, at)).ends_with('>')) return true;
  }
  return false;
}

BlockKind kind_of(std::string_view text, std::size_t brace, bool in_scope,
                  std::string_view& captures) {
  if (is_lambda(text, brace, captures)) return BlockKind::lambda;
  const std::size_t left = before_qualifiers(text, brace);
  if (left != kNone && std::string_view("(,=[").find(text[left]) != std::string_view::npos) {
    return BlockKind::initializer;
  }
  const std::string_view head = head_of(text, brace);
  if (starts_with_word(head, "namespace") || starts_with_word(head, "inline namespace") ||
      head.starts_with("extern \"")) {
    return BlockKind::scope;
  }
  if (is_type_head(head)) return BlockKind::type;
  constexpr std::array<std::string_view, 9> kControl = {"if", "for", "while", "switch", "else",
                                                        "do", "try", "catch", "case"};
  for (const std::string_view word : kControl) {
    if (starts_with_word(head, word)) return BlockKind::control;
  }
  if (!in_scope) {
    return head.empty() || head.ends_with(':') ? BlockKind::control : BlockKind::initializer;
  }
  const bool body = head.empty() || (left != kNone && text[left] == ')') ||
                    (head.find('(') != head.npos && head.find('=') == head.npos &&
                     !(left != kNone && is_word(text[left])));
  return body ? BlockKind::function : BlockKind::initializer;
}

}  // namespace

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

std::size_t find_word(std::string_view text, std::string_view word, std::size_t from) {
  for (std::size_t at = text.find(word, from); at != text.npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) {
      return at;
    }
  }
  return text.npos;
}

bool has_word(std::string_view text, std::string_view word) {
  return find_word(text, word) != text.npos;
}

std::string strip(std::string_view text, bool keep_literals) {
  std::string out(text);
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t begin = i;
    if (text.substr(i, 2) == "//") {
      i = std::min(text.find('\n', i), text.size());
      blank(out, begin, i);
    } else if (text.substr(i, 2) == "/*") {
      const std::size_t end = text.find("*/", i + 2);
      i = end == text.npos ? text.size() : end + 2;
      blank(out, begin, i);
    } else if (text[i] == '"' && i > 0 && text[i - 1] == 'R') {
      i = end_of_raw(text, i);
      if (!keep_literals) blank(out, begin + 1, i - 1);
    } else if (text[i] == '"' || (text[i] == '\'' && !separates_digits(text, i))) {
      i = end_of_quoted(text, i);
      if (!keep_literals) blank(out, begin + 1, i - 1);
    } else {
      ++i;
    }
  }
  return out;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == text.npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

unsigned line_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  return 1 + static_cast<unsigned>(std::count(before.begin(), before.end(), '\n'));
}

std::vector<Block> blocks_of(std::string_view stripped) {
  std::vector<Block> blocks;
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < stripped.size(); ++i) {
    if (stripped[i] == '{') {
      const std::size_t parent = open.empty() ? kNone : open.back();
      const bool in_scope = parent == kNone || blocks[parent].kind == BlockKind::scope ||
                            blocks[parent].kind == BlockKind::type;
      std::string_view captures;
      const BlockKind kind = kind_of(stripped, i, in_scope, captures);
      open.push_back(blocks.size());
      blocks.push_back({kind, i, stripped.size(), parent, captures});
    } else if (stripped[i] == '}' && !open.empty()) {
      blocks[open.back()].close = i;
      open.pop_back();
    }
  }
  return blocks;
}

std::size_t block_around(const std::vector<Block>& blocks, std::size_t offset) {
  std::size_t found = kNone;
  for (std::size_t i = 0; i < blocks.size() && blocks[i].open < offset; ++i) {
    if (offset < blocks[i].close) found = i;
  }
  return found;
}

}  // namespace loopscope::tidy
