// The tidy rules: what every file of the repository keeps to. Each is a pure function on text.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ci/tidy/source.hpp"

namespace loopscope::tidy {

/// A rule that a line breaks.
struct Complaint {
  std::string file;
  unsigned line = 0;
  std::string_view rule;  // "columns", "C1" ...
  std::string text;       // what stands there, or what to do
};
using Complaints = std::vector<Complaint>;

inline constexpr unsigned kMaxColumns = 100;
inline constexpr unsigned kMaxFileLines = 800;
inline constexpr unsigned kMaxFunctionLines = 70;

/// Columns, length of the file, no tabs, no trailing spaces, a comment at the top.
Complaints check_text(const SourceFile& file);
/// No function and no lambda is longer than kMaxFunctionLines.
Complaints check_functions(const SourceFile& file);
/// P1: platform macros in os/native.hpp only, platform headers only below the platform folders,
/// in backend files and in probes.
Complaints check_platform(const SourceFile& file);
/// C1: a statement with co_await holds no lambda and no braces. C2: no lambda with captures is a
/// coroutine. C3: no structured binding of an awaited value.
Complaints check_coroutines(const SourceFile& file);
/// No new, delete, assert, std::cout or printf in library code, but for the reasoned exceptions.
Complaints check_library(const SourceFile& file);
/// No sleeping, no localhost and no port numbers in scenarios, and no absolute paths to write to.
Complaints check_scenario(const SourceFile& file);
/// Everything above that applies to the file.
Complaints check_file(const SourceFile& file);

/// Each .cpp of loops/, harness/, probe/ and reports/ is named by a line of its component's
/// CMakeLists.txt: what nobody compiles is dead. `cmake` holds those four files.
Complaints check_listed(std::span<const SourceFile> sources, std::span<const SourceFile> cmake);

/// The first cells, in backticks, of the table rows between `<!-- rows: NAME -->` and
/// `<!-- end -->`; empty when the markers are missing.
std::vector<std::string> table_rows(std::string_view markdown, std::string_view name);

/// Ids that a backend's opening comment lists as quirks: "//   poll.tick   the timeout ...".
std::vector<std::string> quirk_ids(const SourceFile& file);

}  // namespace loopscope::tidy
