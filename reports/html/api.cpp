// API entry x loop: what the scenarios that name an entry showed. Without one it is untested.
#include "reports/api_table.hpp"
#include "reports/html/sections.hpp"

namespace loopscope::reports::html {
namespace {

void write_cell(Page& page, const ApiCell& cell) {
  page.put("<td data-o=\"{}\">", cell.status);
  if (cell.status == "untested") {
    page.put("<span class=\"untested\">{}</span>",
             cell.support == "absent" ? "absent" : "untested");
  } else {
    flat_chip(page, cell.status, cell.support == "emulated");
    if (cell.judged > 0) page.put(" <small>{} of {}</small>", cell.passed, cell.judged);
  }
  if (cell.support == "emulated") page.raw(" <small class=\"sup\">emulated</small>");
  page.raw("</td>");
}

void write_row(Page& page, const ApiRow& row, const View& view) {
  page.put("<tr data-api=\"{}\"><th scope=\"row\"><code>{}</code></th><td>", row.entry, row.entry);
  if (!row.scenarios.empty()) {
    page.put("<details><summary>{}</summary><p>", row.scenarios.size());
    for (const std::string& id : row.scenarios) {
      page.put("<a href=\"#{}\"><code>{}</code></a> ", scenario_id(id), id);
    }
    page.raw("</p></details>");
  }
  page.raw("</td>");
  for (const LoopRow* loop : view.loops) {
    for (const ApiCell& cell : row.cells) {
      if (cell.loop == loop->name) write_cell(page, cell);
    }
  }
  page.raw("</tr>");
}

}  // namespace

void write_api(Page& page, const View& view) {
  page.put(
      "<section id=\"api\"><h2>The low-level API, entry by entry</h2><p class=\"intro\">The worst "
      "outcome of "
      "the scenarios that name an entry, and how many of those that were judged passed. An entry "
      "without a scenario is untested, never supported.</p>"
      "<div class=\"scroll grid{}\" tabindex=\"0\" role=\"region\" aria-label=\"API entries and "
      "loops\">"
      "<table class=\"matrix api\"><thead><tr><th scope=\"col\">entry</th>"
      "<th scope=\"col\">scenarios</th>",
      view.loops.size() > 8 ? " many" : "");
  for (const LoopRow* loop : view.loops) {
    page.put("<th scope=\"col\" data-loop=\"{}\">{}</th>", loop->name, loop->name);
  }
  page.raw("</tr></thead>");
  std::string group;
  for (const ApiRow& row : api_table(view.run)) {
    if (row.group != group) {
      if (!group.empty()) page.raw("</tbody>");
      page.put("<tbody><tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\">{}</th></tr>",
               view.loops.size() + 2, row.group);
      group = row.group;
    }
    write_row(page, row, view);
  }
  page.raw(group.empty() ? "</table></div></section>" : "</tbody></table></div></section>");
}

}  // namespace loopscope::reports::html
