// API entry x loop: what the scenarios that name an entry showed. Without one it is untested.
#include "reports/api_table.hpp"
#include "reports/html/sections.hpp"

namespace loopscope::reports::html {
namespace {

void write_cell(Page& page, const ApiRow& row, const View& view, const Column& column) {
  const std::string& platform = view.platforms[column.platform].name;
  const ApiCell* cell = nullptr;
  for (const ApiCell& one : row.cells) {
    if (one.loop == column.loop->name && one.platform == platform) cell = &one;
  }
  if (cell == nullptr || cell->status == "untested") {
    const bool absent = cell != nullptr && cell->support == "absent";
    page.raw(absent ? "<td class=\"unsupported\">absent" : "<td class=\"untested\">untested");
  } else {
    page.put("<td class=\"{}{}\">{}", cell->status, cell->support == "emulated" ? " e" : "",
             cell->status);
    if (cell->judged > 0) page.put(" <small>{} of {}</small>", cell->passed, cell->judged);
    if (cell->support == "emulated") page.raw(" <small>emulated</small>");
  }
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
  for (const Column& column : view.columns) write_cell(page, row, view, column);
  page.raw("</tr>\n");
}

}  // namespace

void write_api(Page& page, const View& view) {
  page.raw(
      "<section id=\"api\"><h2>The low-level API, entry by entry</h2><p class=\"intro\">The worst "
      "outcome of the scenarios that name an entry, and how many of those that were judged passed. "
      "An entry without a scenario is untested, never supported.</p>");
  open_grid(page, view, "API entries and loops", "api", "entry", "scenarios");
  std::string group;
  for (const ApiRow& row : api_table(view.all)) {
    if (row.group != group) {
      if (!group.empty()) page.raw("</tbody>");
      page.put("<tbody><tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\">{}</th></tr>\n",
               view.columns.size() + 2, row.group);
      group = row.group;
    }
    write_row(page, row, view);
  }
  page.raw(group.empty() ? "</table></div></section>\n" : "</tbody></table></div></section>\n");
}

}  // namespace loopscope::reports::html
