// What changed since another report: the machine first, since that explains most of the rest.
#include "reports/html/changes.hpp"

namespace loopscope::reports::html {
namespace {

/// Opens a table of a kind of change; nothing where there is none.
template <class Write>
void write_table(Page& page, std::string_view title, std::size_t count, std::string_view columns,
                 Write write) {
  if (count == 0) return;
  page.put(
      "<h3 class=\"sub\">{} <span class=\"count\">{}</span></h3><div class=\"scroll\" "
      "tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table class=\"changes\"><thead><tr>",
      title, count, title);
  page.raw(columns);
  page.raw("<th scope=\"col\">before</th><th scope=\"col\">now</th></tr></thead><tbody>\n");
  write();
  page.raw("</tbody></table></div>\n");
}

}  // namespace

void write_changes(Page& page, const RunDiff& diff, const WriteScenario& write_scenario) {
  if (diff.host.empty() && diff.cells.empty()) {
    page.raw("<p class=\"calm\">Nothing changed.</p>");
  }
  write_table(page, "host-changed", diff.host.size(), "<th scope=\"col\">what</th>", [&] {
    for (const HostChange& change : diff.host) {
      page.put("<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td></tr>\n",
               change.what, change.was, change.is);
    }
  });
  for (const Change kind : kChanges) {
    write_table(page, name(kind), diff.of(kind),
                "<th scope=\"col\">scenario</th><th scope=\"col\">loop</th>", [&] {
                  for (const CellChange& change : diff.cells) {
                    if (change.change != kind) continue;
                    page.raw("<tr><th scope=\"row\">");
                    write_scenario(page, change);
                    page.put("</th><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n",
                             change.column, change.was, change.is);
                  }
                });
  }
}

}  // namespace loopscope::reports::html
