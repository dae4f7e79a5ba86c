// Queries: a small language over scenarios and their cells, the same here and in the page.
#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "reports/model.hpp"

namespace loopscope::reports {

/// What may be named in a query; anything else without a "*" or "?" is a typing error.
struct QueryWords {
  std::vector<std::string> loops, platforms;
  /// By the names of the functions that ask for a field: {"level", {"must", "should", "info"}}.
  std::vector<std::pair<std::string, std::vector<std::string>>> fields;
  bool has_cells = true;  // false: outcomes cannot be asked for
};
/// Those of a run or report.
QueryWords query_words(Legs legs);
/// Those of scenarios that were not run.
QueryWords query_words(const std::vector<ScenarioRow>& scenarios);

struct QueryError {
  std::size_t at = 1;             // the character, counted from 1; behind the last one at the end
  std::string word;               // what stands there; empty at the end
  std::string what;               // "unknown outcome"
  std::vector<std::string> near;  // known words that may be meant, the nearest first
  std::string text() const;       // "unknown outcome \"fial\" at character 7; near: fail"
};

/// A parsed query. Immutable, cheap to copy, from any thread.
class Query {
 public:
  /// The grammar is in reports/README.md. An empty query matches everything.
  static std::variant<Query, QueryError> parse(std::string_view text, const QueryWords& words);
  /// `cells` are those of the scenario: all loops, platforms and repeats.
  bool matches(const ScenarioRow& scenario, const std::vector<PlacedCell>& cells) const;
  const std::string& text() const { return text_; }

  struct Node;

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

/// The ids that match, in the order of the catalogue; then those that it does not know.
std::vector<std::string> matching(const Query& query, Legs legs);
/// The run with these scenarios alone, as if nothing else had been planned: its counts and its
/// verdict are those of what is left.
Run restricted(Run run, const std::set<std::string, std::less<>>& ids);
/// The same of every leg; `restriction` says what was asked for.
Report restricted(Report report, const std::string& query,
                  const std::set<std::string, std::less<>>& ids);

/// The grammar in a few lines, for a terminal.
std::string_view query_help();

}  // namespace loopscope::reports
