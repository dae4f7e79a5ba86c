// What changed since another report: the machine first, since that explains most of the rest.
#include "reports/html/changes.hpp"

namespace loopscope::reports::html {
namespace {

void open_table(Page& page, std::string_view title, std::size_t count, std::string_view columns,
                const ChangeHeads& heads) {
  page.put(
      "<h3 class=\"sub\">{} <span class=\"count\">{}</span></h3><div class=\"scroll\" "
      "tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table class=\"changes\"><thead><tr>",
      title, count, title);
  page.raw(columns);
  page.put("<th scope=\"col\">{}</th><th scope=\"col\">{}</th></tr></thead><tbody>\n", heads.was,
           heads.is);
}

}  // namespace

void write_host_changes(Page& page, std::string_view title, const ChangeHeads& heads,
                        std::span<const HostChange> changes) {
  if (changes.empty()) return;
  open_table(page, title, changes.size(), "<th scope=\"col\">what</th>", heads);
  for (const HostChange& change : changes) {
    page.put("<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td></tr>\n", change.what,
             change.was, change.is);
  }
  page.raw("</tbody></table></div>\n");
}

void write_cell_changes(Page& page, std::string_view title, const ChangeHeads& heads,
                        std::span<const CellChange* const> changes,
                        const WriteScenario& write_scenario) {
  if (changes.empty()) return;
  open_table(page, title, changes.size(),
             "<th scope=\"col\">scenario</th><th scope=\"col\">loop</th>", heads);
  for (const CellChange* change : changes) {
    page.raw("<tr><th scope=\"row\">");
    write_scenario(page, *change);
    page.put("</th><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n", change->column,
             change->was, change->is);
  }
  page.raw("</tbody></table></div>\n");
}

void write_changes(Page& page, const RunDiff& diff, const WriteScenario& write_scenario) {
  if (diff.host.empty() && diff.cells.empty()) {
    page.raw("<p class=\"calm\">Nothing changed.</p>");
  }
  write_host_changes(page, "host-changed", {}, diff.host);
  for (const Change kind : kChanges) {
    std::vector<const CellChange*> changes;
    for (const CellChange& change : diff.cells) {
      if (change.change == kind) changes.push_back(&change);
    }
    write_cell_changes(page, name(kind), {}, changes, write_scenario);
  }
}

}  // namespace loopscope::reports::html
