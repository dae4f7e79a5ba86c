// The evidence, scenario by scenario: the promise, and every cell that has something to say. The
// script shows all cells with all that was recorded of them.
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

void term(Page& page, std::string_view label, std::string_view value) {
  if (!value.empty()) page.put("<div><dt>{}</dt><dd>{}</dd></div>", label, value);
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

void write_promise(Page& page, const ScenarioRow& row) {
  page.put("<p class=\"promise\">{}</p><dl class=\"terms\">", row.promise);
  page.raw("<div><dt>Source</dt><dd>");
  source(page, row.source);
  page.raw("</dd></div>");
  term(page, "Level", row.level + ", by " + row.authority + ", " + row.severity);
  term(page, "Needs", joined(row.needs));
  term(page, "Facts", joined(row.facts));
  term(page, "Exercises", joined(row.api));
  term(page, "Caught by it", joined(row.kills));
  term(page, "Written in", row.file);
  if (row.timing) term(page, "Runs alone", "its verdict depends on the host's timing");
  if (row.exclusive) term(page, "One at a time", "it takes many of the host's resources");
  page.raw("</dl>");
}

void write_line(Page& page, const View& view, const PlacedCell& placed) {
  const Cell& cell = *placed;
  page.put("<tr id=\"{}\"><th scope=\"row\">{}{}</th><td>", view.anchor(placed),
           view.loop_text(placed.leg->platform, cell.loop),
           cell.repeat == 0 ? "" : fmt::format(" (repeat {})", cell.repeat));
  flat_chip(page, name(cell.outcome));
  if (!cell.variant.empty()) page.put(" <code>{}</code>", cell.variant);
  page.raw("</td><td>");
  if (!cell.reason.empty()) page.put("<p>{}</p>", cell.reason);
  write_gist(page, cell);
  if (cell.expectation) {
    page.put("<p class=\"note\">Expected to be {}: {} (", cell.expectation->outcome,
             cell.expectation->why);
    source(page, cell.expectation->source);
    page.raw(")</p>");
  }
  if (needs_attention(cell) && !cell.rerun.empty()) {
    page.put("<p class=\"note\">again: <code>{}</code></p>", cell.rerun);
  }
  page.raw("</td></tr>\n");
}

void write_scenario(Page& page, const View& view, const ScenarioRow& scenario) {
  bool open = false, any = false;
  std::size_t kept = 0, all = 0;
  for (const Column& column : view.columns) {
    for (const PlacedCell& cell : view.cells(scenario.id, column)) {
      ++all;
      if (cell->outcome == Outcome::pass) ++kept;
      any = any || !is_plain(*cell);
      open = open || needs_attention(*cell);
    }
  }
  page.put("<details class=\"scenario\" id=\"{}\" data-scenario=\"{}\"{}><summary><code>{}</code>",
           scenario_id(scenario.id), scenario.id, open ? " open" : "", scenario.id);
  page.put(" <small>pass in {} of {}</small></summary><div class=\"body\">", kept, all);
  write_promise(page, scenario);
  if (any) {
    page.raw("<div class=\"scroll\"><table class=\"lines\"><tbody>");
    for (const Column& column : view.columns) {
      for (const PlacedCell& cell : view.cells(scenario.id, column)) {
        if (!is_plain(*cell)) write_line(page, view, cell);
      }
    }
    page.raw("</tbody></table></div>");
  }
  page.raw("</div></details>\n");
}

}  // namespace

void write_cells(Page& page, const View& view) {
  page.raw(
      "<section id=\"cells\"><h2>Evidence, scenario by scenario</h2>"
      "<div id=\"evidence\"></div>"
      "<p class=\"intro\">What was promised and by whom, and what came where it was not simply "
      "that.</p>\n");
  const ScenarioRow* last = nullptr;
  for (const ScenarioRow* scenario : view.scenarios) {
    if (last == nullptr || scenario->group != last->group) {
      page.put("<h3 class=\"sub topic\">{} <small>{}</small></h3>", scenario->topic,
               scenario->group);
    }
    last = scenario;
    write_scenario(page, view, *scenario);
  }
  page.raw("</section>\n");
}

}  // namespace loopscope::reports::html
