// What needs attention first: red and unknown by cause, known failures, and what was not attempted.
#include <algorithm>
#include <map>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

constexpr std::size_t kShownAtOnce = 12;

std::string relation_text(const View& view, const PlacedCell& cell) {
  switch (view.relation_of(cell)) {
    case Relation::only_this_loop:
      return view.reference(*cell.leg) + " passes";
    case Relation::also_reference:
      return "also on " + view.reference(*cell.leg);
    case Relation::only_reference:
      return "only on " + view.reference(*cell.leg);
    case Relation::none:
      break;
  }
  return {};
}

void write_row(Page& page, const View& view, const PlacedCell& placed) {
  const Cell& cell = *placed;
  const std::string anchor = view.anchor(placed);
  page.put("<li data-loop=\"{}\" data-platform=\"{}\">", cell.loop, placed.leg->platform);
  chip(page, name(cell.outcome), anchor);
  page.put("<a class=\"what\" href=\"#{}\"><span class=\"loop\">{}</span> <code>{}</code></a>",
           anchor, view.loop_text(placed.leg->platform, cell.loop), cell.scenario);
  write_gist(page, cell);
  const std::string tag = relation_text(view, placed);
  if (!tag.empty()) page.put("<span class=\"tag\">{}</span>", tag);
  if (cell.standing == "stale_expectation") page.raw("<span class=\"tag odd\">stale</span>");
  page.raw("</li>\n");
}

void write_group(Page& page, const View& view, const Cause& group) {
  page.put("<section class=\"cause\"><h3>{} <span class=\"count\">{}</span></h3><ul>", group.title,
           group.cells.size());
  const std::size_t shown = std::min(group.cells.size(), kShownAtOnce);
  for (std::size_t i = 0; i < shown; ++i) write_row(page, view, group.cells[i]);
  page.raw("</ul>");
  if (group.cells.size() > shown) {
    page.put("<details class=\"more\"><summary>{} more</summary><ul>", group.cells.size() - shown);
    for (std::size_t i = shown; i < group.cells.size(); ++i) write_row(page, view, group.cells[i]);
    page.raw("</ul></details>");
  }
  page.raw("</section>\n");
}

/// The scenarios of a group, each once, with the loops that they were not attempted on.
void write_names(Page& page, const View& view, const Cause& group) {
  std::map<std::string, std::vector<std::string>> loops;
  std::vector<const std::string*> order;
  for (const PlacedCell& cell : group.cells) {
    auto& names = loops[cell->scenario];
    if (names.empty()) order.push_back(&cell->scenario);
    names.push_back(view.loop_text(cell.leg->platform, cell->loop));
  }
  page.raw("<li class=\"names\">");
  for (const std::string* id : order) {
    page.put("<a href=\"#{}\"><code>{}</code></a> ", scenario_id(*id), *id);
    if (loops.size() <= kShownAtOnce) {
      page.put("<small>{}</small> ", fmt::format("{}", fmt::join(loops[*id], ", ")));
    }
  }
  page.raw("</li>");
}

void write_folded(Page& page, const View& view, std::string_view title,
                  const std::vector<Cause>& groups) {
  std::size_t cells = 0;
  for (const Cause& group : groups) cells += group.cells.size();
  if (cells == 0) return;
  page.put("<details class=\"group\"><summary>{} <span class=\"count\">{}</span></summary>", title,
           cells);
  for (const Cause& group : groups) {
    page.put("<details class=\"inner\"><summary>{} <span class=\"count\">{}</span></summary><ul>",
             group.title, group.cells.size());
    const PlacedCell& first = group.cells.front();
    const auto steps = why_chain(*first.leg, *first);
    for (std::size_t i = 1; i < steps.size(); ++i) {
      page.put("<li class=\"step\">{} <b>{}</b></li>", steps[i].what, steps[i].answer);
    }
    write_names(page, view, group);
    page.raw("</ul></details>\n");
  }
  page.raw("</details>\n");
}

}  // namespace

void write_gist(Page& page, const Cell& cell) {
  if (!cell.expected.empty() || !cell.observed.empty()) {
    page.put("<span class=\"gist\"><b>expected</b> {} <b>observed</b> {}</span>", cell.expected,
             cell.observed);
  } else if (!cell.reason.empty()) {
    page.put("<span class=\"gist\">{}</span>", cell.reason);
  }
}

void write_attention(Page& page, const View& view) {
  page.raw("<section id=\"attention\"><h2>Needs attention</h2>");
  const std::vector<Cause> groups = attention_by_cause(view.all);
  if (groups.empty()) page.raw("<p class=\"calm\">Nothing here needs attention.</p>");
  for (const Cause& group : groups) write_group(page, view, group);
  write_folded(page, view, "Known failures, as expected", known_by_cause(view.all));
  write_folded(page, view, "Not attempted, and why", not_attempted_by_cause(view.all));
  page.raw("</section>\n");
}

}  // namespace loopscope::reports::html
