// Parsing queries by recursive descent, and matching scenarios with them.
#include "reports/query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "harness/patterns.hpp"
#include "reports/compare.hpp"
#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::reports {

using Words = std::vector<std::string>;

/// One term, or several that are joined.
struct Query::Node {
  enum class Kind : std::uint8_t {
    all,
    any,
    none,
    id,
    field,
    outcome,
    differs,
    only,
    shared,
    attention
  };
  Kind kind = Kind::all;
  std::vector<Node> parts{};  // of all, any, none
  std::string field{};
  Words values{};              // of id and field
  Words loops{}, platforms{};  // empty: every one
  Words outcomes{};
};

namespace {

using Node = Query::Node;
using Kind = Node::Kind;

bool is_glob(std::string_view word) { return word.find_first_of("*?") != std::string_view::npos; }

bool any_matches(const Words& patterns, std::string_view word) {
  const std::string low = lower_case(word);
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches(pattern, low); });
}

constexpr std::string_view kClasses[] = {"red", "unknown", "attention"};

bool has_outcome(const Node& node, const Cell& cell) {
  return std::any_of(node.outcomes.begin(), node.outcomes.end(), [&](const std::string& word) {
    if (word == "red") return is_red(cell.outcome);
    if (word == "unknown") return is_unknown(cell.outcome);
    if (word == "attention") return needs_attention(cell);
    return name(cell.outcome) == word;
  });
}

/// What a function like needs() compares with.
Words values_of(const ScenarioRow& row, std::string_view field) {
  if (field == "area") return {row.id.substr(0, row.id.find('.')), row.group, row.topic};
  if (field == "level") return {row.level};
  if (field == "severity") return {row.severity};
  if (field == "authority") return {row.authority};
  if (field == "needs") return row.needs;
  if (field == "api") return row.api;
  return row.facts;
}
constexpr std::string_view kFields[] = {"area",  "level", "severity", "authority",
                                        "needs", "api",   "fact"};

bool chosen(const Node& node, const PlacedCell& placed) {
  return (node.loops.empty() || any_matches(node.loops, placed->loop)) &&
         (node.platforms.empty() || any_matches(node.platforms, placed.leg->platform));
}

bool differ(const Node& node, const std::vector<PlacedCell>& cells) {
  std::set<std::string> seen;
  for (const PlacedCell& placed : cells) {
    const Cell& cell = *placed;
    if (cell.repeat == 0 && was_judged(cell) && chosen(node, placed)) seen.insert(behaviour(cell));
  }
  return seen.size() > 1;
}

/// On one platform: the chosen loops do what no other does while the others agree, or they alone
/// are red.
bool alone(const std::vector<const Cell*>& mine, const std::vector<const Cell*>& others) {
  if (mine.empty() || others.empty()) return false;
  const auto red = [](const Cell* cell) { return is_red(cell->outcome); };
  if (std::all_of(mine.begin(), mine.end(), red) && std::none_of(others.begin(), others.end(), red))
    return true;
  const std::string usual = behaviour(*others.front());
  const auto is_usual = [&](const Cell* cell) { return behaviour(*cell) == usual; };
  return std::all_of(others.begin(), others.end(), is_usual) &&
         std::none_of(mine.begin(), mine.end(), is_usual);
}

bool only(const Node& node, const std::vector<PlacedCell>& cells) {
  std::map<std::string_view, std::pair<std::vector<const Cell*>, std::vector<const Cell*>>> split;
  for (const PlacedCell& placed : cells) {
    if (placed->repeat != 0 || !was_judged(*placed)) continue;
    if (!node.platforms.empty() && !any_matches(node.platforms, placed.leg->platform)) continue;
    auto& [mine, others] = split[placed.leg->platform];
    (chosen(node, placed) ? mine : others).push_back(placed.cell);
  }
  return std::any_of(split.begin(), split.end(), [](const auto& platform) {
    return alone(platform.second.first, platform.second.second);
  });
}

/// A loop and the reference loop of its platform were both judged, and neither passes.
bool shared(const std::vector<PlacedCell>& cells) {
  return std::any_of(cells.begin(), cells.end(), [](const PlacedCell& placed) {
    if (!was_judged(*placed) || placed->outcome == Outcome::pass) return false;
    const Run& run = *placed.leg;
    return relation(run, *placed, reference_loop(run)) == Relation::also_reference;
  });
}

bool has_word(const Words& words, const std::string& id) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return is_glob(word) ? matches(word, lower_case(id))
                         : lower_case(id).find(word) != std::string::npos;
  });
}

bool holds(const Node& node, const ScenarioRow& row, const std::vector<PlacedCell>& cells) {
  const auto part = [&](const Node& inner) { return holds(inner, row, cells); };
  switch (node.kind) {
    case Kind::all:
      return std::all_of(node.parts.begin(), node.parts.end(), part);
    case Kind::any:
      return std::any_of(node.parts.begin(), node.parts.end(), part);
    case Kind::none:
      return std::none_of(node.parts.begin(), node.parts.end(), part);
    case Kind::id:
      return has_word(node.values, row.id);
    case Kind::field: {
      const Words values = values_of(row, node.field);
      return std::any_of(values.begin(), values.end(),
                         [&](const std::string& value) { return any_matches(node.values, value); });
    }
    case Kind::outcome:
      return std::any_of(cells.begin(), cells.end(), [&](const PlacedCell& placed) {
        return chosen(node, placed) && has_outcome(node, *placed);
      });
    case Kind::differs:
      return differ(node, cells);
    case Kind::only:
      return only(node, cells);
    case Kind::shared:
      return shared(cells);
    case Kind::attention:
      break;
  }
  return std::any_of(cells.begin(), cells.end(),
                     [](const PlacedCell& placed) { return needs_attention(*placed); });
}

class Parser {
 public:
  Parser(std::string_view text, const QueryWords& words) : text_(text), words_(words) {}

  /// Throws QueryError.
  Node query() {
    blanks();
    if (at_ == text_.size()) return {};
    Node node = alternatives();
    if (at_ < text_.size()) refuse(at_, ")", "unexpected )");
    return node;
  }

 private:
  struct Item {
    std::size_t at;
    std::string word;  // in small letters
    bool quoted;
  };

  [[noreturn]] void refuse(std::size_t at, std::string_view word, std::string what,
                           const Words& known = {}) const {
    // Continuation bytes of UTF-8 are no characters of their own.
    const std::size_t before = static_cast<std::size_t>(
        std::count_if(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
    throw QueryError{before + 1, std::string(word), std::move(what), near_matches(word, known)};
  }
  /// The word or sign at the place, for a message.
  std::string_view here() const {
    const std::size_t end = std::min(text_.find_first_of(" \t\n(),:@\"", at_), text_.size());
    return text_.substr(at_, std::max<std::size_t>(end - at_, at_ < text_.size() ? 1 : 0));
  }

  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  void blanks() { at_ = std::min(text_.find_first_not_of(" \t\n", at_), text_.size()); }

  /// "or" and "and" join what stands around them, unless they are part of something longer.
  bool next_joins(std::string_view word) const {
    if (lower_case(here()) != word) return false;
    const std::size_t end = at_ + word.size();
    return end == text_.size() || std::string_view(",:@").find(text_[end]) == std::string::npos;
  }
  bool take_join(std::string_view word) {
    if (!next_joins(word)) return false;
    at_ += word.size();
    blanks();
    return true;
  }

  Node alternatives() {
    Node node{.kind = Kind::any, .parts = {conjunction()}};
    while (take_join("or")) node.parts.push_back(conjunction());
    return node.parts.size() == 1 ? std::move(node.parts.front()) : node;
  }

  Node conjunction() {
    Node node{.kind = Kind::all, .parts = {negation()}};
    while (at_ < text_.size() && !next_is(')') && !next_joins("or")) {
      take_join("and");
      node.parts.push_back(negation());
    }
    return node.parts.size() == 1 ? std::move(node.parts.front()) : node;
  }

  Node negation() {
    if (take('-')) return {.kind = Kind::none, .parts = {negation()}};
    Node node = primary();
    blanks();
    return node;
  }

  Node primary() {
    if (next_joins("or") || next_joins("and")) refuse(at_, here(), "expected a term");
    if (!take('(')) return term();
    const std::size_t opened = at_ - 1;
    blanks();
    Node node = alternatives();
    if (!take(')')) refuse(opened, "(", "( is not closed");
    return node;
  }

  Item item(const char* expected) {
    const std::size_t begin = at_;
    if (take('"')) {
      const std::size_t end = text_.find('"', at_);
      if (end == std::string_view::npos) refuse(begin, "\"", "\" is not closed");
      at_ = end + 1;
      return {begin, lower_case(text_.substr(begin + 1, end - begin - 1)), true};
    }
    at_ = std::min(text_.find_first_of(" \t\n(),:@\"", at_), text_.size());
    if (at_ == begin) refuse(begin, here(), expected);
    return {begin, lower_case(text_.substr(begin, at_ - begin)), false};
  }

  /// Words with commas between them; inside parentheses blanks may stand around.
  std::vector<Item> list(const char* expected, bool inside = false) {
    std::vector<Item> items;
    do {
      if (inside) blanks();
      items.push_back(item(expected));
      if (inside) blanks();
    } while (take(','));
    return items;
  }

  Node term() {
    const std::vector<Item> items = list("expected a term");
    const Item& first = items.front();
    const bool bare = items.size() == 1 && !first.quoted;
    if (next_is(':') || next_is('@')) return outcome_term(items);
    if (bare && next_is('(')) return function(first);
    if (bare && first.word == "differs") return cells_node(Kind::differs, first);
    if (bare && first.word == "shared") return cells_node(Kind::shared, first);
    if (bare && first.word == "attention") return cells_node(Kind::attention, first);
    return {.kind = Kind::id, .values = words_of(items)};
  }

  Node outcome_term(const std::vector<Item>& loops) {
    Node node = cells_node(Kind::outcome, loops.front());
    node.loops = known(loops, words_.loops, "unknown loop");
    if (take('@')) node.platforms = platforms(false);
    if (!take(':')) refuse(at_, here(), "expected :");
    Words outcomes;
    for (const Outcome outcome : kOutcomes) outcomes.emplace_back(name(outcome));
    outcomes.insert(outcomes.end(), std::begin(kClasses), std::end(kClasses));
    const std::vector<Item> asked = list("expected an outcome");
    for (const Item& word : asked) {
      if (std::find(outcomes.begin(), outcomes.end(), word.word) == outcomes.end()) {
        refuse(word.at, word.word, "unknown outcome", outcomes);
      }
    }
    node.outcomes = words_of(asked);
    return node;
  }

  Node function(const Item& called) {
    Node node{.kind = Kind::field, .field = called.word};
    const std::size_t opened = at_++;
    if (called.word == "only" || called.word == "differs") {
      node = cells_node(called.word == "only" ? Kind::only : Kind::differs, called);
      node.loops = known(list("expected a loop", true), words_.loops, "unknown loop");
      if (take('@')) node.platforms = platforms(true);
    } else if (std::find(std::begin(kFields), std::end(kFields), called.word) !=
               std::end(kFields)) {
      node.values =
          known(list("expected a value", true), field_words(called.word), "unknown " + called.word);
    } else {
      Words functions(std::begin(kFields), std::end(kFields));
      functions.insert(functions.end(), {"only", "differs"});
      refuse(called.at, called.word, "unknown function", functions);
    }
    if (at_ == text_.size()) refuse(opened, "(", "( is not closed");
    if (!take(')')) refuse(at_, here(), "expected )");
    return node;
  }

  Node cells_node(Kind kind, const Item& item) const {
    if (!words_.has_cells) refuse(item.at, item.word, "outcomes need a report");
    return {.kind = kind};
  }

  Words platforms(bool inside) {
    return known(list("expected a platform", inside), words_.platforms, "unknown platform");
  }

  const Words& field_words(std::string_view field) const {
    static const Words none;
    for (const auto& [name, values] : words_.fields) {
      if (name == field) return values;
    }
    return none;
  }

  static Words words_of(const std::vector<Item>& items) {
    Words words;
    for (const Item& item : items) words.push_back(item.word);
    return words;
  }

  /// The words of the items; each has to match something that is known.
  Words known(const std::vector<Item>& items, const Words& all, const std::string& complaint) {
    for (const Item& item : items) {
      const bool used = std::any_of(all.begin(), all.end(), [&](const std::string& word) {
        return matches(item.word, lower_case(word));
      });
      if (!used) refuse(item.at, item.word, complaint, all);
    }
    return words_of(items);
  }

  std::string_view text_;
  const QueryWords& words_;
  std::size_t at_ = 0;
};

void add_once(Words& words, const std::string& word) {
  if (word.empty() || std::find(words.begin(), words.end(), word) != words.end()) return;
  words.push_back(word);
}

std::size_t planned_scenarios(Legs legs) {
  std::set<std::string_view> ids;
  for (const PlacedCell& cell : cells_of(legs)) ids.insert(cell->scenario);
  return ids.size();
}

/// The words that every report knows, whatever its scenarios use.
Words words_of_outcome_hpp(std::string_view field) {
  if (field == "level") {
    return {std::string(name(Level::must)), std::string(name(Level::should)),
            std::string(name(Level::info))};
  }
  if (field == "severity") {
    return {std::string(name(Severity::core)), std::string(name(Severity::common)),
            std::string(name(Severity::edge))};
  }
  if (field != "authority") return {};
  Words words;
  for (const Authority authority : {Authority::posix, Authority::man_page, Authority::vendor_doc,
                                    Authority::asyncio_doc, Authority::de_facto, Authority::ours}) {
    words.emplace_back(name(authority));
  }
  return words;
}

}  // namespace

QueryWords query_words(const std::vector<ScenarioRow>& scenarios) {
  QueryWords words;
  words.has_cells = false;
  for (const std::string_view field : kFields) {
    Words values = words_of_outcome_hpp(field);
    for (const ScenarioRow& row : scenarios) {
      for (const std::string& value : values_of(row, field)) add_once(values, value);
    }
    words.fields.emplace_back(field, std::move(values));
  }
  return words;
}

QueryWords query_words(Legs legs) {
  const Catalogue catalogue = legs.catalogue();
  QueryWords words = query_words(catalogue.scenarios);
  words.has_cells = true;
  for (const LoopRow& loop : catalogue.loops) add_once(words.loops, loop.name);
  for (const PlacedCell& cell : cells_of(legs)) add_once(words.loops, cell->loop);
  for (const Run& leg : legs) add_once(words.platforms, leg.platform);
  return words;
}

std::string QueryError::text() const {
  std::string said = what;
  if (!word.empty() && what.find(word) == std::string::npos) said += fmt::format(" \"{}\"", word);
  said += word.empty() ? ", and the query ends" : fmt::format(" at character {}", at);
  return near.empty() ? said : fmt::format("{}; near: {}", said, fmt::join(near, ", "));
}

std::variant<Query, QueryError> Query::parse(std::string_view text, const QueryWords& words) {
  try {
    Query query;
    query.text_ = text;
    query.root_ = std::make_shared<const Node>(Parser(text, words).query());
    return query;
  } catch (const QueryError& error) {
    return error;
  }
}

bool Query::matches(const ScenarioRow& scenario, const std::vector<PlacedCell>& cells) const {
  return holds(*root_, scenario, cells);
}

std::vector<std::string> matching(const Query& query, Legs legs) {
  std::map<std::string, std::vector<PlacedCell>, std::less<>> cells;
  std::vector<ScenarioRow> rows = legs.catalogue().scenarios;
  for (const ScenarioRow& row : rows) cells[row.id];
  std::vector<std::string_view> unknown;
  for (const PlacedCell& cell : cells_of(legs)) {
    if (cells.count(cell->scenario) == 0) unknown.push_back(cell->scenario);
    cells[cell->scenario].push_back(cell);
  }
  for (const std::string_view id : unknown) rows.emplace_back().id = id;
  std::vector<std::string> ids;
  for (const ScenarioRow& row : rows) {
    if (query.matches(row, cells[row.id])) ids.push_back(row.id);
  }
  return ids;
}

Run restricted(Run run, const std::set<std::string, std::less<>>& ids) {
  std::erase_if(run.catalogue.scenarios, [&](const auto& row) { return ids.count(row.id) == 0; });
  std::erase_if(run.cells, [&](const Cell& cell) { return ids.count(cell.scenario) == 0; });
  if (!run.footer) return run;
  run.footer->by_outcome.clear();
  run.footer->planned = static_cast<std::int64_t>(run.cells.size());
  run.footer->reported = static_cast<std::int64_t>(reported(run));
  run.footer->verdict = "green";  // the cells that are left say otherwise where they do
  run.footer->verdict = verdict(run);
  return run;
}

Report restricted(Report report, const std::string& query,
                  const std::set<std::string, std::less<>>& ids) {
  const std::size_t of = planned_scenarios(report);
  for (Run& leg : report.legs) leg = restricted(std::move(leg), ids);
  report.restriction = Restriction{query, planned_scenarios(report), of};
  return report;
}

std::string_view query_help() {
  return "A query selects scenarios. Terms that follow each other must all hold.\n"
         "  udp.send  udp.*.late           the id contains the word, or the whole id matches it\n"
         "  epoll:fail  epoll:fail,hang    that loop has one of these outcomes; also the classes\n"
         "                                 red, unknown, attention. uring*:red is any such loop\n"
         "  epoll@linux*:fail              the same on these platforms of a merged report\n"
         "  differs  differs(epoll,libuv)  the loops that were judged do not all do the same\n"
         "  only(epoll)                    epoll does what no other loop does, or is red alone\n"
         "  shared                         a loop does not pass, nor does the reference loop "
         "there\n"
         "  attention                      a cell is not as expected\n"
         "  area(udp) level(must) severity(core) authority(posix) needs(pipes) api(stop) fact(x)\n"
         "  -x   x or y   (x y)   x,y      not x; either; grouping; a list of alternatives\n"
         "  \"or\"                           a word in quotes is only a word\n";
}

}  // namespace loopscope::reports
