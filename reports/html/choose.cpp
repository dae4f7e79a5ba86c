// Choosing a loop: what each of them offers and keeps. The script lets a reader tick needs.
#include <algorithm>
#include <map>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

void write_capability(Page& page, const View& view, const CapabilityRow& row) {
  page.put("<tr data-need=\"cap:{}\"><th scope=\"row\">{}</th><td><code>{}</code></td>", row.id,
           row.title, row.id);
  const auto has = [&](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), row.id) != list.end();
  };
  for (const Column& column : view.columns) {
    if (has(column.loop->native)) {
      page.raw("<td class=\"pass\">native</td>");
    } else if (has(column.loop->emulated)) {
      page.raw("<td class=\"pass e\">emulated</td>");
    } else {
      page.raw("<td class=\"unsupported\">absent</td>");
    }
  }
  page.raw("</tr>\n");
}

/// What a loop does with the promises of level must in an area.
struct Kept {
  std::size_t judged = 0, kept = 0, red = 0, unknown = 0, not_attempted = 0;
};

Kept kept_in(const View& view, const std::string& area, const Column& column) {
  Kept sum;
  for (const ScenarioRow* scenario : view.scenarios) {
    if (scenario->topic != area || scenario->level != "must") continue;
    const Cell* cell = view.worst(scenario->id, column);
    if (cell == nullptr) continue;
    if (is_unknown(cell->outcome)) {
      ++sum.unknown;
    } else if (!was_judged(*cell)) {
      ++sum.not_attempted;
    } else {
      ++sum.judged;
      if (is_red(cell->outcome)) ++sum.red;
      if (cell->outcome == Outcome::pass) ++sum.kept;
    }
  }
  return sum;
}

void write_area(Page& page, const View& view, const std::string& area) {
  page.put("<tr data-need=\"area:{}\"><th scope=\"row\">{}</th><td>every must</td>", area, area);
  for (const Column& column : view.columns) {
    const Kept sum = kept_in(view, area, column);
    std::string_view state = "untested", word = "untested";
    if (sum.red > 0) {
      state = "fail", word = "broken";
    } else if (sum.unknown > 0) {
      state = "inconclusive", word = "unknown";
    } else if (sum.not_attempted > 0) {
      state = "unsupported", word = "in part";
    } else if (sum.judged > 0) {
      state = sum.kept == sum.judged ? "pass" : "diverges", word = "kept";
      if (sum.kept != sum.judged) word = "diverges";
    }
    page.put("<td class=\"{}\">{}", state, word);
    const std::size_t all = sum.judged + sum.unknown + sum.not_attempted;
    if (all > 0) page.put(" <small>{} of {}</small>", sum.kept, all);
    page.raw("</td>");
  }
  page.raw("</tr>\n");
}

}  // namespace

void write_choose(Page& page, const View& view) {
  page.raw(
      "<section id=\"choose\"><h2>Choose a loop</h2><p class=\"intro\">Which areas each loop "
      "keeps, "
      "and what it offers. With scripts, needs can be ticked: then the page says which loops "
      "remain, and what removed each of the others. What was not tested counts as missing.</p>"
      "<div id=\"chosen\" role=\"status\" aria-live=\"polite\"></div>\n");
  open_grid(page, view, "Needs and loops", "needs", "need", "as");
  const auto group = [&](std::string_view title) {
    page.put("<tbody><tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\">{}</th></tr>\n",
             view.columns.size() + 2, title);
  };
  // What was seen before what is declared: a loop that offers UDP need not deliver it.
  group("Areas: which loop keeps every must");
  std::vector<std::string> areas;
  for (const ScenarioRow* row : view.scenarios) {
    if (std::find(areas.begin(), areas.end(), row->topic) == areas.end()) {
      areas.push_back(row->topic);
    }
  }
  for (const std::string& area : areas) write_area(page, view, area);
  page.raw("</tbody>");
  group("Capabilities: what each loop declares");
  for (const CapabilityRow& row : view.catalogue.capabilities) {
    write_capability(page, view, row);
  }
  page.raw("</tbody></table></div><div id=\"more-needs\"></div></section>\n");
}

}  // namespace loopscope::reports::html
