// Where the loops differ: what each of them does, side by side. People choose a loop by this table.
#include <algorithm>
#include <map>
#include <set>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

/// What a loop does in a scenario, and on which machines.
struct Behaviour {
  PlacedCell cell;
  std::vector<std::string> platforms;
};

/// What a cell recorded that is a word and no measurement: "answer: EAGAIN".
std::vector<std::string> words_of(const Cell& cell) {
  std::vector<std::string> words;
  for (const Note& note : cell.notes) {
    const bool counted = std::holds_alternative<std::int64_t>(note.value) ||
                         std::holds_alternative<double>(note.value);
    if (note.unit.empty() && !counted) words.push_back(note.key + ": " + to_text(note.value));
  }
  return words;
}

/// A path of a cell's own folder, "/tmp/x/122/listener", is no difference.
std::string without_numbered_paths(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit || out.empty() || out.back() != '/') out += c;
  }
  return out;
}

/// Two cells with the same key did the same, as far as a reader is concerned.
std::string key_of(const Cell& cell) {
  std::string key = behaviour(cell);
  if (cell.outcome == Outcome::pass) {
    for (const std::string& word : words_of(cell)) key += "\n" + without_numbered_paths(word);
  }
  return key;
}

struct Difference {
  const ScenarioRow* scenario = nullptr;
  std::map<std::string_view, std::map<std::string, Behaviour>> by_loop;
  std::string pattern;
};

/// "libuv", "libuv and select": the loops that do not do what most do.
std::string pattern_of_difference(const Difference& row) {
  std::map<std::string, std::set<std::string_view>> loops_of;
  for (const auto& [loop, behaviours] : row.by_loop) {
    for (const auto& [key, behaviour] : behaviours) loops_of[key].insert(loop);
  }
  const auto usual = std::max_element(
      loops_of.begin(), loops_of.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  std::set<std::string_view> odd;
  for (const auto& [key, loops] : loops_of) {
    if (key != usual->first) odd.insert(loops.begin(), loops.end());
  }
  const bool few = odd.size() <= 3 && odd.size() < usual->second.size();
  if (!few) return "The loops disagree";
  return fmt::format("{} {} from the others", fmt::join(odd, " and "),
                     odd.size() == 1 ? "differs" : "differ");
}

std::vector<Difference> differences_of(const View& view) {
  std::vector<Difference> rows;
  for (const ScenarioRow* scenario : view.scenarios) {
    Difference row{.scenario = scenario};
    std::set<std::string> seen;
    for (const Column& column : view.columns) {
      const auto& cells = view.cells(scenario->id, column);
      if (cells.empty() || !was_judged(*cells.front())) continue;
      const std::string key = key_of(*cells.front());
      seen.insert(key);
      Behaviour& found = row.by_loop[column.loop->name][key];
      if (found.cell.cell == nullptr) found.cell = cells.front();
      found.platforms.push_back(view.platforms[column.platform].name);
    }
    if (seen.size() < 2) continue;
    row.pattern = pattern_of_difference(row);
    rows.push_back(std::move(row));
  }
  return rows;
}

/// A behaviour, and the platforms that have it unless the loop does the same on all of them.
void write_behaviour(Page& page, const View& view, const Behaviour& found, bool everywhere) {
  const Cell& cell = *found.cell;
  page.raw("<div>");
  if (is_plain(cell)) {
    flat_chip(page, name(cell.outcome));
  } else {
    chip(page, name(cell.outcome), view.anchor(found.cell));
  }
  if (!cell.variant.empty()) page.put(" <code>{}</code>", cell.variant);
  if (!cell.observed.empty()) page.put(" <span class=\"gist\">{}</span>", cell.observed);
  for (const std::string& word : words_of(cell)) page.put(" <span class=\"gist\">{}</span>", word);
  if (!everywhere) {
    page.put(" <small>{}</small>", fmt::format("{}", fmt::join(found.platforms, ", ")));
  }
  page.raw("</div>");
}

void write_row(Page& page, const View& view, const Difference& row,
               const std::vector<std::string_view>& loops) {
  page.put("<tr><th scope=\"row\"><a href=\"#{}\"><code>", scenario_id(row.scenario->id));
  page.raw(breakable(row.scenario->id));
  page.put("</code></a><span>{}</span></th>", row.scenario->promise);
  for (const std::string_view loop : loops) {
    page.put("<td data-loop=\"{}\">", loop);
    const auto found = row.by_loop.find(loop);
    if (found == row.by_loop.end()) {
      page.raw("<span class=\"untested\">not judged</span>");
    } else {
      for (const auto& [key, behaviour] : found->second) {
        write_behaviour(page, view, behaviour, found->second.size() == 1);
      }
    }
    page.raw("</td>");
  }
  page.raw("</tr>\n");
}

}  // namespace

void write_divergence(Page& page, const View& view) {
  page.raw(
      "<section id=\"divergence\"><h2>Where the loops differ</h2><p class=\"intro\">Scenarios in "
      "which the loops that were judged do not all do the same, with what was observed. Where no "
      "published text settles it, a difference is legal: then it is yours to choose.</p>");
  const std::vector<Difference> rows = differences_of(view);
  if (rows.empty()) page.raw("<p class=\"calm\">All loops did the same in every scenario.</p>");
  std::vector<std::string_view> loops;
  for (const Column& column : view.columns) {
    if (!column.loop->absent_because.empty()) continue;
    if (std::find(loops.begin(), loops.end(), column.loop->name) == loops.end()) {
      loops.push_back(column.loop->name);
    }
  }
  std::map<std::string, std::vector<const Difference*>> by_pattern;
  for (const Difference& row : rows) by_pattern[row.pattern].push_back(&row);
  for (const auto& [pattern, group] : by_pattern) {
    page.put(
        "<h3 class=\"sub\">{} <span class=\"count\">{}</span></h3><div class=\"scroll\" "
        "tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table class=\"differs\"><thead><tr>"
        "<th scope=\"col\">scenario</th>",
        pattern, group.size(), pattern);
    for (const std::string_view loop : loops) {
      page.put("<th scope=\"col\" data-loop=\"{}\">{}</th>", loop, loop);
    }
    page.raw("</tr></thead><tbody>\n");
    for (const Difference* row : group) write_row(page, view, *row, loops);
    page.raw("</tbody></table></div>\n");
  }
  page.raw("</section>\n");
}

}  // namespace loopscope::reports::html
