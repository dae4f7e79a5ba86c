// What needs attention first: red and unknown by cause, divergences, known failures, and what was
// not attempted.
#include <algorithm>
#include <map>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

constexpr std::size_t kShownAtOnce = 12;

std::string relation_text(const View& view, const Cell& cell) {
  switch (relation(view.run, cell, view.reference)) {
    case Relation::only_this_loop:
      return view.reference + " passes";
    case Relation::also_reference:
      return "also on " + view.reference;
    case Relation::only_reference:
      return "only on " + view.reference;
    case Relation::none:
      break;
  }
  return {};
}

void write_row(Page& page, const View& view, const Cell& cell) {
  page.put("<li data-loop=\"{}\">", cell.loop);
  chip(page, name(cell.outcome), cell_id(cell));
  page.put("<a class=\"what\" href=\"#{}\"><span class=\"loop\">{}</span> <code>{}</code></a>",
           cell_id(cell), cell.loop, cell.scenario);
  if (!cell.expected.empty() || !cell.observed.empty()) {
    page.put("<span class=\"gist\"><b>expected</b> {} <b>observed</b> {}</span>", cell.expected,
             cell.observed);
  } else if (!cell.reason.empty()) {
    page.put("<span class=\"gist\">{}</span>", cell.reason);
  }
  const std::string tag = relation_text(view, cell);
  if (!tag.empty()) page.put("<span class=\"tag\">{}</span>", tag);
  if (cell.standing == "stale_expectation") page.raw("<span class=\"tag odd\">stale</span>");
  page.raw("</li>");
}

void write_cause(Page& page, const View& view, const Cause& cause) {
  page.put("<section class=\"cause\"><h3>{} <span class=\"count\">{}</span></h3><ul>", cause.title,
           cause.cells.size());
  const std::size_t shown = std::min(cause.cells.size(), kShownAtOnce);
  for (std::size_t i = 0; i < shown; ++i) write_row(page, view, *cause.cells[i]);
  page.raw("</ul>");
  if (cause.cells.size() > shown) {
    page.put("<details class=\"more\"><summary>{} more</summary><ul>", cause.cells.size() - shown);
    for (std::size_t i = shown; i < cause.cells.size(); ++i) write_row(page, view, *cause.cells[i]);
    page.raw("</ul></details>");
  }
  page.raw("</section>");
}

std::string said(const Cell& cell) {
  if (!cell.variant.empty()) return cell.variant;
  return cell.observed;
}

void write_divergences(Page& page, const View& view) {
  std::map<std::string, std::vector<Divergence>> by_pattern;
  for (Divergence& row : divergences(view.run)) by_pattern[row.pattern].push_back(row);
  if (by_pattern.empty()) return;
  page.raw("<h3 class=\"sub\" id=\"divergences\">Where the loops differ</h3>");
  for (const auto& [pattern, rows] : by_pattern) {
    page.put(
        "<details class=\"group\"{}><summary>{} <span class=\"count\">{}</span></summary>"
        "<div class=\"scroll\" tabindex=\"0\"><table class=\"differs\"><tbody>",
        rows.size() <= kShownAtOnce ? " open" : "", pattern, rows.size());
    for (const Divergence& row : rows) {
      page.put("<tr><th scope=\"row\"><a href=\"#{}\"><code>{}</code></a></th>",
               scenario_id(row.scenario->id), row.scenario->id);
      for (const Cell* cell : row.cells) {
        page.put("<td data-loop=\"{}\"><span class=\"loop\">{}</span> ", cell->loop, cell->loop);
        chip(page, name(cell->outcome), cell_id(*cell));
        const std::string words = said(*cell);
        if (!words.empty()) page.put(" <span class=\"gist\">{}</span>", words);
        page.raw("</td>");
      }
      page.raw("</tr>");
    }
    page.raw("</tbody></table></div></details>");
  }
}

void write_folded(Page& page, const View& view, std::string_view title,
                  const std::vector<Cause>& causes) {
  std::size_t cells = 0;
  for (const Cause& cause : causes) cells += cause.cells.size();
  if (cells == 0) return;
  page.put("<details class=\"group\"><summary>{} <span class=\"count\">{}</span></summary>", title,
           cells);
  for (const Cause& cause : causes) {
    page.put("<details class=\"inner\"><summary>{} <span class=\"count\">{}</span></summary><ul>",
             cause.title, cause.cells.size());
    const auto steps = why_chain(view.run, *cause.cells.front());
    for (std::size_t i = 1; i < steps.size(); ++i) {
      page.put("<li class=\"step\">{} <b>{}</b></li>", steps[i].what, steps[i].answer);
    }
    page.raw("<li class=\"names\">");
    for (const Cell* cell : cause.cells) {
      page.put("<a href=\"#{}\"><code>{}</code></a> ", cell_id(*cell),
               cause.cells.size() > 1 && cause.cells.front()->loop != cell->loop
                   ? cell->loop + " " + cell->scenario
                   : cell->scenario);
    }
    page.raw("</li></ul></details>");
  }
  page.raw("</details>");
}

}  // namespace

void write_attention(Page& page, const View& view) {
  page.raw("<section id=\"attention\"><h2>Needs attention</h2>");
  const std::vector<Cause> causes = attention_by_cause(view.run);
  if (causes.empty()) page.raw("<p class=\"calm\">Nothing here needs attention.</p>");
  for (const Cause& cause : causes) write_cause(page, view, cause);
  write_divergences(page, view);
  write_folded(page, view, "Known failures, as expected", known_by_cause(view.run));
  write_folded(page, view, "Not attempted, and why", not_attempted_by_cause(view.run));
  page.raw("</section>");
}

}  // namespace loopscope::reports::html
