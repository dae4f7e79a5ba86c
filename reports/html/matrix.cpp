// The matrix: scenarios by group, a column for each loop of each machine.
#include <algorithm>

#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

/// The width of the ids where rows are grids (report.css), in digits; longer ones break.
std::size_t width_of_ids(const View& view) {
  constexpr std::size_t kWidest = 40;
  std::size_t longest = 0;
  for (const ScenarioRow* row : view.scenarios) longest = std::max(longest, row->id.size());
  return std::min(longest, kWidest) + 2;
}

/// How repeats differ, for a title: "3 repeats: pass, fail".
std::string repeats_text(const std::vector<PlacedCell>& cells) {
  std::string words;
  for (const PlacedCell& cell : cells) {
    if (!words.empty()) words += ", ";
    words += name(cell->outcome);
  }
  return fmt::format("{} repeats: {}", cells.size(), words);
}

/// One of thousands: a word and its class, and no end tag, which HTML does not want. The script
/// makes it lead somewhere; the head of the row does so without one.
void write_cell(Page& page, const View& view, const ScenarioRow& scenario, const Column& column) {
  const Cell* cell = view.worst(scenario.id, column);
  if (cell == nullptr) {
    page.raw("<td>");
    return;
  }
  const auto& repeats = view.cells(scenario.id, column);
  page.put("<td class=\"{}", name(cell->outcome));
  if (cell->ran && emulates(*column.loop, scenario)) page.raw(" e");
  if (needs_attention(*cell)) page.raw(" look");
  if (repeats.size() > 1) page.put("\" title=\"{}", repeats_text(repeats));
  page.put("\">{}", name(cell->outcome));
}

void write_row(Page& page, const View& view, const ScenarioRow& scenario) {
  page.put("<tr data-scenario=\"{}\"><th scope=\"row\"><a href=\"#{}\">", scenario.id,
           scenario_id(scenario.id));
  page.raw(breakable(scenario.id));
  page.put("</a></th><td class=\"promise\">{}</td>", scenario.promise);
  for (const Column& column : view.columns) write_cell(page, view, scenario, column);
  page.raw("</tr>\n");
}

void write_buttons(Page& page, const View& view) {
  if (view.many_platforms()) {
    page.raw("<fieldset><legend>Platforms</legend>");
    for (const Platform& platform : view.platforms) {
      page.put("<button type=\"button\" data-platform=\"{}\" aria-pressed=\"true\">{}</button>",
               platform.name, platform.name);
    }
    page.raw("</fieldset>");
  }
  page.raw("<fieldset><legend>Loops</legend>");
  std::vector<std::string> loops;
  for (const Column& column : view.columns) {
    if (std::find(loops.begin(), loops.end(), column.loop->name) != loops.end()) continue;
    loops.push_back(column.loop->name);
    page.put("<button type=\"button\" data-loop=\"{}\" aria-pressed=\"true\">{}</button>",
             column.loop->name, column.loop->name);
  }
  page.raw("</fieldset><fieldset><legend>Rows</legend>");
  for (const Outcome outcome : kOutcomes) {
    const std::size_t count = tally_all(view.all).of(outcome);
    if (count == 0) continue;
    page.put(
        "<button type=\"button\" data-outcome=\"{}\" aria-pressed=\"false\">"
        "<span class=\"k {}\">{}</span> {}</button>",
        name(outcome), name(outcome), name(outcome), count);
  }
  page.raw(
      "<button type=\"button\" data-term=\"differs\" aria-pressed=\"false\">loops differ</button>");
  if (view.has_reference()) {
    page.raw(
        "<button type=\"button\" data-term=\"shared\" aria-pressed=\"false\">shared with the "
        "reference</button>");
  }
  page.raw(
      "<button type=\"button\" data-term=\"attention\" aria-pressed=\"false\">needs attention"
      "</button><button type=\"reset\">reset</button></fieldset>");
}

void write_controls(Page& page, const View& view) {
  page.raw(
      "<form id=\"filters\" class=\"filters\" role=\"search\" hidden>"
      "<div class=\"search\"><label for=\"q\">Filter the rows</label>"
      "<input type=\"search\" id=\"q\" autocomplete=\"off\" spellcheck=\"false\" "
      "aria-describedby=\"q-says\" placeholder=\"udp  epoll:fail  only(libuv)\">"
      "<a href=\"#queries\">how to ask</a></div>");
  write_buttons(page, view);
  page.raw("<p id=\"q-says\" role=\"status\" aria-live=\"polite\"></p></form>\n");
}

}  // namespace

void open_grid(Page& page, const View& view, std::string_view label, std::string_view kind,
               std::string_view row_head, std::string_view next_head) {
  page.put(
      "<div class=\"scroll grid{}\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">"
      "<table class=\"matrix {}\" style=\"--id:{}ch\"><thead>",
      view.columns.size() > 8 ? " many" : "", label, kind, width_of_ids(view));
  if (view.many_platforms()) {
    page.put("<tr class=\"legs\"><td></td><td class=\"{}\"></td>", next_head);
    for (std::size_t i = 0; i < view.platforms.size(); ++i) {
      const auto wide = std::count_if(view.columns.begin(), view.columns.end(),
                                      [&](const Column& column) { return column.platform == i; });
      if (wide == 0) continue;
      page.put(
          "<th scope=\"colgroup\" colspan=\"{}\" style=\"--span:{}\" data-platform=\"{}\">{}"
          "</th>",
          wide, wide, view.platforms[i].name, view.platforms[i].name);
    }
    page.raw("</tr>");
  }
  page.put("<tr><th scope=\"col\">{}</th><th scope=\"col\" class=\"{}\">{}</th>", row_head,
           next_head, next_head);
  for (const Column& column : view.columns) {
    const bool absent = !column.loop->absent_because.empty();
    page.put("<th scope=\"col\" data-loop=\"{}\" data-platform=\"{}\"{}>{}</th>", column.loop->name,
             view.platforms[column.platform].name, absent ? Raw{" class=\"absent\""} : Raw{""},
             column.loop->name);
  }
  page.raw("</tr></thead>\n");
}

void write_absent(Page& page, const View& view) {
  const auto absent = [](const Column& column) { return !column.loop->absent_because.empty(); };
  const auto count = std::count_if(view.columns.begin(), view.columns.end(), absent);
  if (count == 0) return;
  page.put(
      "<details class=\"more\"><summary>{} {}</summary><p><button type=\"button\" "
      "class=\"scripted\" id=\"absent\" aria-pressed=\"false\" hidden>show their columns</button>"
      "</p><ul>",
      count, view.many_platforms() ? "columns of loops that are absent there" : "absent loops");
  for (const Column& column : view.columns) {
    if (!absent(column)) continue;
    page.put("<li>{}: {}</li>",
             view.loop_text(view.platforms[column.platform].name, column.loop->name),
             column.loop->absent_because);
  }
  page.raw("</ul></details>\n");
}

void write_matrix(Page& page, const View& view) {
  page.raw("<section id=\"matrix\"><h2>Scenarios and loops</h2>");
  write_controls(page, view);
  write_absent(page, view);
  open_grid(page, view, "Matrix of scenarios and loops", "main", "scenario", "promise");
  const ScenarioRow* last = nullptr;
  for (const ScenarioRow* scenario : view.scenarios) {
    if (last == nullptr || scenario->group != last->group) {
      if (last != nullptr) page.raw("</tbody>");
      page.put(
          "<tbody><tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\">{} "
          "<small>{}</small></th></tr>\n",
          view.columns.size() + 2, scenario->topic, scenario->group);
    }
    last = scenario;
    write_row(page, view, *scenario);
  }
  if (last != nullptr) page.raw("</tbody>");
  page.raw(
      "</table></div><p id=\"none\" class=\"calm\" hidden>No scenario matches the "
      "filter.</p></section>\n");
}

}  // namespace loopscope::reports::html
