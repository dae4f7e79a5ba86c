// The matrix: scenarios by group, one column for each loop; every cell links to its evidence.
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

/// How repeats differ, for a title: "3 repeats: pass, fail".
std::string repeats_text(const std::vector<const Cell*>& cells) {
  std::string words;
  for (const Cell* cell : cells) {
    if (!words.empty()) words += ", ";
    words += name(cell->outcome);
  }
  return fmt::format("{} repeats: {}", cells.size(), words);
}

void write_cell(Page& page, const View& view, const ScenarioRow& scenario, const LoopRow& loop) {
  const Cell* cell = view.worst(scenario.id, loop.name);
  if (cell == nullptr) {
    page.raw("<td></td>");
    return;
  }
  const auto& repeats = view.cells(scenario.id, loop.name);
  const bool hollow = cell->ran && view.emulated(scenario, loop);
  std::string title;
  if (repeats.size() > 1) title = repeats_text(repeats);
  if (hollow) title += title.empty() ? "emulated by our adapter" : "; emulated by our adapter";
  page.put("<td data-o=\"{}\"", name(cell->outcome));
  page.raw(needs_attention(*cell) ? " class=\"look\">" : ">");
  chip(page, name(cell->outcome), cell_id(*cell), hollow, title);
  page.raw("</td>");
}

void write_row(Page& page, const View& view, const ScenarioRow& scenario) {
  page.put("<tr data-scenario=\"{}\"><th scope=\"row\"><a href=\"#{}\">", scenario.id,
           scenario_id(scenario.id));
  page.raw(breakable(scenario.id));
  page.put("</a></th><td class=\"promise\">{}</td>", scenario.promise);
  for (const LoopRow* loop : view.loops) write_cell(page, view, scenario, *loop);
  page.raw("</tr>");
}

void write_controls(Page& page, const View& view) {
  page.raw(
      "<form id=\"filters\" class=\"filters\" role=\"search\" hidden>"
      "<label class=\"search\"><span>Filter</span><input type=\"search\" id=\"q\" "
      "autocomplete=\"off\" "
      "placeholder=\"scenario, promise, API entry\"></label>"
      "<fieldset><legend>Loops</legend>");
  for (const LoopRow* loop : view.loops) {
    page.put("<button type=\"button\" data-filter-loop=\"{}\" aria-pressed=\"true\">{}</button>",
             loop->name, loop->name);
  }
  page.raw("</fieldset><fieldset><legend>Outcomes</legend>");
  const Tally all = tally_all(view.run);
  for (const Outcome outcome : kOutcomes) {
    if (all.of(outcome) == 0) continue;
    page.put(
        "<button type=\"button\" data-filter-outcome=\"{}\" aria-pressed=\"false\">"
        "<span class=\"k {}\">{}</span> {}</button>",
        name(outcome), name(outcome), name(outcome), all.of(outcome));
  }
  page.raw(
      "</fieldset><fieldset><legend>Rows</legend>"
      "<button type=\"button\" id=\"diff\" aria-pressed=\"false\">only differences</button>"
      "<button type=\"button\" id=\"look\" aria-pressed=\"false\">only what needs "
      "attention</button>"
      "<button type=\"reset\">reset</button></fieldset>"
      "<p id=\"shown\" role=\"status\" aria-live=\"polite\"></p></form>");
}

}  // namespace

void write_matrix(Page& page, const View& view) {
  page.raw("<section id=\"matrix\"><h2>Scenarios and loops</h2>");
  write_controls(page, view);
  page.put(
      "<div class=\"scroll grid{}\" tabindex=\"0\" role=\"region\" aria-label=\"Matrix of "
      "scenarios and "
      "loops\"><table class=\"matrix\"><thead><tr><th scope=\"col\">scenario</th>"
      "<th scope=\"col\" class=\"promise\">promise</th>",
      view.loops.size() > 8 ? " many" : "");
  for (const LoopRow* loop : view.loops) {
    page.put("<th scope=\"col\" data-loop=\"{}\">{}", loop->name, loop->name);
    page.raw(loop->absent_because.empty() ? "</th>" : " <small>absent</small></th>");
  }
  page.raw("</tr></thead>");
  std::string_view group;
  for (const ScenarioRow& scenario : view.run.catalogue.scenarios) {
    bool planned = false;
    for (const LoopRow* loop : view.loops) {
      planned = planned || !view.cells(scenario.id, loop->name).empty();
    }
    if (!planned) continue;
    if (scenario.group != group) {
      if (!group.empty()) page.raw("</tbody>");
      page.put(
          "<tbody><tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\">{} "
          "<small>{}</small></th></tr>",
          view.loops.size() + 2, scenario.topic, scenario.group);
      group = scenario.group;
    }
    write_row(page, view, scenario);
  }
  if (!group.empty()) page.raw("</tbody>");
  page.raw(
      "</table></div><p id=\"none\" class=\"calm\" hidden>No scenario matches the "
      "filter.</p></section>");
}

}  // namespace loopscope::reports::html
