// What changed since a baseline, with the way to each cell's evidence.
#include "reports/diff.hpp"

#include "reports/html/changes.hpp"
#include "reports/html/sections.hpp"

namespace loopscope::reports::html {

void write_diff(Page& page, const View& view, const Report& before) {
  const RunDiff changes = diff(before, view.all);
  page.put(
      "<section id=\"diff\"><h2>What changed</h2><p class=\"intro\">{}. Facts of the machine come "
      "first: they explain most of the rest.</p><p class=\"note\">before: {}</p>\n",
      counts_of(changes), title_of(before));
  write_changes(page, changes, [&](Page& to, const CellChange& change) {
    const std::string& scenario = change.cell().scenario;
    if (change.after == nullptr) {
      to.put("<code>{}</code>", scenario);
    } else {
      to.put("<a href=\"#{}\"><code>{}</code></a>", scenario_id(scenario), scenario);
    }
  });
  page.raw("</section>\n");
}

}  // namespace loopscope::reports::html
