// The tidy rules that look at one file, and the one that looks at what CMake names.
#include "ci/tidy/rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>

namespace loopscope::tidy {
namespace {

using Names = std::span<const std::string_view>;

bool is_cpp(std::string_view path) { return path.ends_with(".cpp") || path.ends_with(".hpp"); }

bool is_test(std::string_view path) {
  return path.ends_with("_test.cpp") || path.starts_with("ci/") ||
         path.starts_with("harness/testing/self_test");
}

bool below(std::string_view path, Names folders) {
  return std::ranges::any_of(folders, [&](std::string_view f) { return path.starts_with(f); });
}

std::size_t code_points(std::string_view line) {
  return static_cast<std::size_t>(std::ranges::count_if(
      line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// A link cannot be broken: such a line may be longer.
bool holds_long_link(std::string_view line) {
  const std::size_t at = line.find("://");
  if (at == line.npos) return false;
  const std::size_t begin = line.find_last_of(" \"<(", at) + 1;
  const std::size_t end = std::min(line.find_first_of(" \">)", at), line.size());
  return end - begin > kMaxColumns / 2;
}

bool begins_with_comment(const SourceFile& file) {
  std::vector<std::string_view> lines = lines_of(file.text);
  if (!lines.empty() && lines.front().starts_with("#!")) lines.erase(lines.begin());
  if (lines.empty()) return false;
  const std::string_view first = lines.front();
  for (const std::string_view opener : {"// ", "# ", "\"\"\"", "/* ", "<!-- ", "/** "}) {
    if (first.starts_with(opener) && first.size() > opener.size() + 4) return true;
  }
  return false;
}

void add(Complaints& to, const SourceFile& file, std::size_t offset, std::string_view rule,
         std::string text) {
  to.push_back({file.path, line_at(file.text, offset), rule, std::move(text)});
}

void append(Complaints& to, Complaints from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

// --- coroutines

/// The statement around a co_await: from the last `;` or block to its own `;` or block.
struct Statement {
  std::size_t begin, end;
};
Statement statement_around(std::string_view text, const std::vector<Block>& blocks,
                           std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && text[begin - 1] != ';' && text[begin - 1] != '{') {
    if (text[begin - 1] == '}') {
      const auto closed = std::ranges::find(blocks, begin - 1, &Block::close);
      if (closed == blocks.end() ||
          (closed->kind != BlockKind::initializer && closed->kind != BlockKind::lambda)) {
        break;
      }
      begin = closed->open;
    } else {
      --begin;
    }
  }
  std::size_t end = at;
  while (end < text.size() && text[end] != ';' && text[end] != '}') {
    if (text[end] == '{') {
      const auto opened = std::ranges::find(blocks, end, &Block::open);
      if (opened == blocks.end() || opened->kind == BlockKind::control) break;
      end = opened->close;
    }
    ++end;
  }
  return {begin, end};
}

/// The innermost function or lambda around an offset, or kNone.
std::size_t function_around(const std::vector<Block>& blocks, std::size_t offset) {
  std::size_t at = block_around(blocks, offset);
  while (at != kNone && blocks[at].kind != BlockKind::function &&
         blocks[at].kind != BlockKind::lambda) {
    at = blocks[at].parent;
  }
  return at;
}

void check_await(Complaints& out, const SourceFile& file, std::string_view text,
                 const std::vector<Block>& blocks, std::size_t at) {
  const Statement statement = statement_around(text, blocks, at);
  const std::size_t inside = block_around(blocks, at);
  if (inside != kNone && blocks[inside].kind == BlockKind::initializer) {
    add(out, file, at, "C1", "co_await inside a braced list: await on a line of its own");
    return;
  }
  for (const Block& block : blocks) {
    if (block.open < statement.begin || block.open >= statement.end) continue;
    if (block.kind == BlockKind::lambda) {
      add(out, file, at, "C1", "a lambda in a statement with co_await: make first, await second");
    } else if (block.kind == BlockKind::initializer) {
      add(out, file, at, "C1", "braces in a statement with co_await: make first, await second");
    }
  }
}

bool binds_structure(std::string_view text, std::size_t at) {
  const std::size_t equals = text.find_last_not_of(" \t\n(", at - 1);
  if (equals == text.npos || text[equals] != '=') return false;
  const std::size_t bracket = text.find_last_not_of(" \t\n", equals - 1);
  if (bracket == text.npos || text[bracket] != ']') return false;
  const std::size_t open = text.rfind('[', bracket);
  if (open == text.npos || open == 0) return false;
  const std::size_t left = text.find_last_not_of(" \t\n&", open - 1);
  return left != text.npos && left >= 3 && text.substr(left - 3, 4) == "auto";
}

// --- platform

constexpr std::array<std::string_view, 14> kPlatformMacros = {
    "__linux__",  "__linux",     "_WIN32",     "_WIN64",      "WIN32",
    "__APPLE__",  "__MACH__",    "__unix__",   "__FreeBSD__", "__OpenBSD__",
    "__NetBSD__", "__MINGW32__", "__CYGWIN__", "__ANDROID__"};
constexpr std::array<std::string_view, 30> kPlatformHeaders = {
    "sys/",      "linux/",     "netinet/",   "arpa/",     "net/",      "mach/",
    "asm/",      "unistd.h",   "poll.h",     "fcntl.h",   "netdb.h",   "signal.h",
    "pthread.h", "termios.h",  "pty.h",      "util.h",    "libutil.h", "spawn.h",
    "sched.h",   "dlfcn.h",    "dirent.h",   "ifaddrs.h", "pwd.h",     "execinfo.h",
    "windows.h", "winsock2.h", "ws2tcpip.h", "mswsock.h", "aio.h",     "strings.h"};
constexpr std::array<std::string_view, 17> kPlatformPlaces = {
    "loops/os/posix/",        "loops/os/linux/",        "loops/os/bsd/",
    "loops/os/windows/",      "loops/os/native.hpp",    "loops/selector/epoll",
    "loops/selector/poll",    "loops/selector/select_", "loops/selector/kqueue",
    "loops/selector/wsapoll", "loops/proactor/io",      "loops/reference/",
    "harness/posix/",         "harness/windows/",       "probe/posix/",
    "probe/windows/",         "ci/bench/posix/"};

/// The name between <> or "" of an #include, else empty.
std::string_view included(std::string_view line) {
  line = trimmed(line);
  if (!line.starts_with('#')) return {};
  line = trimmed(line.substr(1));
  if (!line.starts_with("include")) return {};
  const std::size_t open = line.find_first_of("<\"");
  if (open == line.npos) return {};
  const std::size_t close = line.find_first_of(">\"", open + 1);
  return close == line.npos ? std::string_view{} : line.substr(open + 1, close - open - 1);
}

// --- library code

/// What a file may do although the rule forbids it, and why.
struct Exception {
  std::string_view path;  // begins with
  std::string_view what;
  std::string_view why;
};
constexpr std::array<Exception, 8> kExceptions = {{
    {"loops/base/callback.hpp", "new", "a callable too large for the inline buffer"},
    {"loops/base/callback.hpp", "delete", "its end"},
    {"loops/future.hpp", "new", "the shared state counts its own references"},
    {"loops/future.hpp", "delete", "the last reference ends it"},
    {"loops/event_loop.hpp", "new",
     "makes the states of futures and tasks, which count references"},
    {"loops/base/result.cpp", "fprintf", "last words before an abort, where nothing else is safe"},
    {"probe/cli/main.cpp", "fprintf", "says that loopscope itself has failed"},
    {"harness/testing/self_scenarios.cpp", "fprintf",
     "floods its own stderr, which a cell must bound"},
}};

bool is_excepted(std::string_view path, std::string_view what) {
  return std::ranges::any_of(kExceptions, [&](const Exception& exception) {
    return path.starts_with(exception.path) && exception.what == what;
  });
}

/// Words that library code does without. With `call`, only where a parenthesis follows.
struct Word {
  std::string_view word;
  bool call;
};
constexpr std::array<Word, 12> kWords = {{{"new", false},
                                          {"delete", false},
                                          {"assert", true},
                                          {"cout", false},
                                          {"cerr", false},
                                          {"printf", true},
                                          {"fprintf", true},
                                          {"vprintf", true},
                                          {"puts", true},
                                          {"putchar", true},
                                          {"malloc", true},
                                          {"free", true}}};

bool is_use(std::string_view text, const Word& word, std::size_t at) {
  const std::size_t next = text.find_first_not_of(" \t\n", at + word.word.size());
  const std::size_t left = at == 0 ? text.npos : text.find_last_not_of(" \t\n", at - 1);
  const char before = left == text.npos ? '\0' : text[left];
  if (word.call && (next == text.npos || text[next] != '(')) return false;
  if (word.call && (before == '.' || before == '>')) return false;  // somebody's member
  if (word.word == "delete" && before == '=') return false;         // a deleted function
  if (word.word == "new" || word.word == "delete") {
    if (text.substr(0, at).ends_with("operator ")) return false;
    if (word.word == "new" && next != text.npos && text[next] == '(') return false;  // placement
    const std::size_t line = text.rfind('\n', at) + 1;
    if (trimmed(text.substr(line, at - line)).starts_with('#')) return false;  // #include <new>
  }
  return true;
}

// --- scenarios

const std::regex& absolute_path() {
  static const std::regex pattern(R"re("/(tmp|var|home|root)\b)re");
  return pattern;
}
const std::regex& fixed_port() {
  static const std::regex pattern(R"re(port\w*\s*(=|\{|\()\s*[1-9]\d{2,4}\b)re"
                                  R"re(|htons\s*\(\s*[1-9]|"(127\.0\.0\.1|\[?::1\]?):\d+)re");
  return pattern;
}

}  // namespace

Complaints check_text(const SourceFile& file) {
  Complaints out;
  const std::vector<std::string_view> lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto number = static_cast<unsigned>(i + 1);
    if (code_points(lines[i]) > kMaxColumns && !holds_long_link(lines[i])) {
      out.push_back({file.path, number, "columns", std::to_string(code_points(lines[i]))});
    }
    if (lines[i].find('\t') != lines[i].npos) out.push_back({file.path, number, "tab", ""});
    if (lines[i].ends_with(' ')) out.push_back({file.path, number, "trailing space", ""});
  }
  if (lines.size() > kMaxFileLines) {
    out.push_back({file.path, 1, "file length", std::to_string(lines.size()) + " lines"});
  }
  if (!begins_with_comment(file)) {
    out.push_back({file.path, 1, "first line", "begin with a sentence: what is this file?"});
  }
  return out;
}

Complaints check_functions(const SourceFile& file) {
  Complaints out;
  const std::string text = strip(file.text);
  for (const Block& block : blocks_of(text)) {
    if (block.kind != BlockKind::function && block.kind != BlockKind::lambda) continue;
    const unsigned length = line_at(text, block.close) - line_at(text, block.open) + 1;
    if (length > kMaxFunctionLines) {
      add(out, file, block.open, "function length", std::to_string(length) + " lines");
    }
  }
  return out;
}

Complaints check_platform(const SourceFile& file) {
  Complaints out;
  const bool has_place =
      below(file.path, kPlatformPlaces) || file.path.starts_with("probe/capabilities/");
  const std::string text = strip(file.text, true);
  std::size_t offset = 0;
  for (const std::string_view line : lines_of(text)) {
    if (trimmed(line).starts_with('#') && file.path != "loops/os/native.hpp") {
      for (const std::string_view macro : kPlatformMacros) {
        if (has_word(line, macro)) add(out, file, offset, "P1", std::string(macro));
      }
    }
    const std::string_view name = included(line);
    const bool platform = std::ranges::any_of(kPlatformHeaders, [&](std::string_view header) {
      return header.ends_with('/') ? name.starts_with(header) : name == header;
    });
    if (platform && !has_place) {
      add(out, file, offset, "P1", "platform header <" + std::string(name) + ">");
    }
    offset += line.size() + 1;
  }
  return out;
}

Complaints check_coroutines(const SourceFile& file) {
  Complaints out;
  const std::string text = strip(file.text);
  const std::vector<Block> blocks = blocks_of(text);
  for (const std::string_view word : {"co_await", "co_return", "co_yield"}) {
    for (std::size_t at = find_word(text, word); at != text.npos;
         at = find_word(text, word, at + 1)) {
      if (std::string_view(text).substr(0, at).ends_with("operator ")) continue;
      if (word == "co_await") check_await(out, file, text, blocks, at);
      if (word == "co_await" && binds_structure(text, at)) {
        add(out, file, at, "C3", "bind a name, then auto& [a, b] = name");
      }
      const std::size_t function = function_around(blocks, at);
      if (function != kNone && blocks[function].kind == BlockKind::lambda &&
          !trimmed(blocks[function].captures).empty()) {
        add(out, file, at, "C2", "a lambda with captures is a coroutine: pass parameters");
      }
    }
  }
  return out;
}

Complaints check_library(const SourceFile& file) {
  Complaints out;
  const std::string text = strip(file.text);
  for (const Word& word : kWords) {
    if (is_excepted(file.path, word.word)) continue;
    for (std::size_t at = find_word(text, word.word); at != text.npos;
         at = find_word(text, word.word, at + 1)) {
      if (is_use(text, word, at)) add(out, file, at, "library", std::string(word.word));
    }
  }
  return out;
}

Complaints check_scenario(const SourceFile& file) {
  Complaints out;
  const std::string code = strip(file.text);
  for (const std::string_view word : {"sleep_for", "sleep_until", "usleep", "nanosleep", "sleep"}) {
    for (std::size_t at = find_word(code, word); at != code.npos;
         at = find_word(code, word, at + 1)) {
      add(out, file, at, "sleep", "wait for an event");
    }
  }
  const std::string text = strip(file.text, true);
  std::size_t offset = 0;
  for (const std::string_view line : lines_of(text)) {
    const std::string copy(line);
    if (copy.find("\"localhost") != copy.npos) {
      add(out, file, offset, "localhost", "use a loopback address");
    }
    if (std::regex_search(copy, fixed_port())) add(out, file, offset, "port", "bind to port 0");
    if (std::regex_search(copy, absolute_path())) {
      add(out, file, offset, "path", "use cx.temp_dir()");
    }
    offset += line.size() + 1;
  }
  return out;
}

Complaints check_file(const SourceFile& file) {
  Complaints out = check_text(file);
  if (!is_cpp(file.path)) return out;
  append(out, check_functions(file));
  append(out, check_platform(file));
  append(out, check_coroutines(file));
  if (!is_test(file.path)) append(out, check_library(file));
  if (file.path.starts_with("harness/scenarios/") ||
      file.path.starts_with("harness/testing/faulty/")) {
    append(out, check_scenario(file));
  }
  return out;
}

Complaints check_listed(std::span<const SourceFile> sources, std::span<const SourceFile> cmake) {
  Complaints out;
  for (const SourceFile& source : sources) {
    const std::string& path = source.path;
    const std::size_t slash = path.find('/');
    if (!path.ends_with(".cpp") || path.ends_with("_test.cpp") || slash == path.npos) continue;
    const std::string list = path.substr(0, slash) + "/CMakeLists.txt";
    const auto names = std::ranges::find(cmake, list, &SourceFile::path);
    if (names == cmake.end()) continue;
    const std::string inner = path.substr(slash + 1);
    const std::string stem = path.substr(path.rfind('/') + 1, path.size() - path.rfind('/') - 5);
    std::string wanted = inner;
    for (const auto& [folder, function] : {std::pair{"harness/scenarios/", "loopscope_scenarios("},
                                           {"harness/testing/faulty/", "loopscope_faulty("},
                                           {"probe/capabilities/", "loopscope_probe("},
                                           {"probe/formats/", "loopscope_probe_format("},
                                           {"reports/formats/", "loopscope_format("},
                                           {"probe/cli/", "loopscope_command("}}) {
      if (!path.starts_with(folder)) continue;
      const std::string_view f = function;
      wanted = f == "loopscope_scenarios(" ? f.data() + inner.substr(10) : f.data() + stem;
    }
    const std::string_view text = names->text;
    const std::size_t at = find_word(text, wanted);
    if (at == text.npos && find_word(text, inner) == text.npos) {
      out.push_back({path, 1, "not compiled", list + " does not name it"});
    }
  }
  return out;
}

std::vector<std::string> table_rows(std::string_view markdown, std::string_view name) {
  std::vector<std::string> rows;
  const std::string marker = "<!-- rows: " + std::string(name) + " -->";
  const std::size_t begin = markdown.find(marker);
  if (begin == markdown.npos) return rows;
  const std::size_t end = markdown.find("<!-- end -->", begin);
  for (const std::string_view line : lines_of(markdown.substr(begin, end - begin))) {
    if (!line.starts_with("| `")) continue;
    const std::string_view cell = line.substr(3);
    rows.emplace_back(cell.substr(0, cell.find('`')));
  }
  return rows;
}

std::vector<std::string> quirk_ids(const SourceFile& file) {
  static const std::regex pattern(R"(^//   ([a-z_0-9]+(\.[a-z_0-9]+)+)  +\S.*)");
  std::vector<std::string> ids;
  for (const std::string_view line : lines_of(file.text)) {
    if (!line.starts_with("//")) break;
    const std::string copy(line);
    std::smatch match;
    if (std::regex_match(copy, match, pattern)) ids.push_back(match[1]);
  }
  return ids;
}

}  // namespace loopscope::tidy
