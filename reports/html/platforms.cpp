// What each platform changes: its facts and its cells beside those of another platform.
#include <algorithm>
#include <map>
#include <set>

#include "reports/html/changes.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

/// A loop on both platforms.
struct LoopBeside {
  const LoopRow* loop = nullptr;
  const LoopRow* there = nullptr;  // null: unknown on that platform
  std::size_t judged_here = 0;
  std::size_t alike = 0;                   // judged on both, with the same outcome
  std::vector<const CellChange*> changed;  // planned on both
};

struct PlatformBeside {
  const Platform* platform = nullptr;
  const Platform* reference = nullptr;  // null: the platform was not run
  RunDiff diff;
  std::vector<LoopBeside> loops;  // in the order of the catalogue
  std::size_t changed() const {
    std::size_t count = 0;
    for (const LoopBeside& row : loops) count += row.changed.size();
    return count;
  }
};

const Column* column_of(const View& view, const Platform& platform, std::string_view loop) {
  for (const Column& column : view.columns) {
    if (&view.platforms[column.platform] == &platform && column.loop->name == loop) return &column;
  }
  return nullptr;
}

/// Fills in what both platforms judged.
void compare(const View& view, const Column& here, const Column* there,
             const std::set<std::string_view>& changed, LoopBeside& row) {
  for (const ScenarioRow* scenario : view.scenarios) {
    const auto& cells = view.cells(scenario->id, here);
    if (cells.empty() || !was_judged(*cells.front())) continue;
    ++row.judged_here;
    if (there == nullptr || changed.count(scenario->id) != 0) continue;
    const auto& others = view.cells(scenario->id, *there);
    if (!others.empty() && was_judged(*others.front())) ++row.alike;
  }
}

PlatformBeside beside(const View& view, const Platform& platform, const Platform& reference) {
  PlatformBeside result{.platform = &platform, .reference = &reference, .diff = {}, .loops = {}};
  result.diff = diff(reference.runs, platform.runs);
  for (const LoopRow& known : view.catalogue.loops) {
    const Column* here = column_of(view, platform, known.name);
    const Column* there = column_of(view, reference, known.name);
    if (here == nullptr && there == nullptr) continue;
    LoopBeside row;
    row.loop = here == nullptr ? nullptr : here->loop;
    row.there = there == nullptr ? nullptr : there->loop;
    std::set<std::string_view> changed;
    for (const CellChange& change : result.diff.cells) {
      if (change.cell().loop != known.name) continue;
      if (change.before == nullptr || change.after == nullptr) continue;
      row.changed.push_back(&change);
      changed.insert(change.cell().scenario);
    }
    if (here != nullptr) compare(view, *here, there, changed, row);
    result.loops.push_back(std::move(row));
  }
  return result;
}

/// The platform on which most cells pass: the others are beside it where nothing else was said.
const Platform& most_passes(const View& view) {
  const auto passes = [](const Platform& platform) {
    std::size_t count = 0;
    for (const PlacedCell& cell : cells_of(platform.runs)) count += cell->outcome == Outcome::pass;
    return count;
  };
  return *std::max_element(
      view.platforms.begin(), view.platforms.end(),
      [&](const Platform& a, const Platform& b) { return passes(a) < passes(b); });
}

const Platform* platform_called(const View& view, const std::string& name) {
  for (const Platform& platform : view.platforms) {
    if (platform.name == name) return &platform;
  }
  return nullptr;
}

/// `usual`: where nothing was said.
const Platform& reference_of(const View& view, const Platform& platform, const Platform& usual) {
  for (const std::string& key : {platform.name, std::string{}}) {
    const auto found = view.beside.find(key);
    if (found == view.beside.end()) continue;
    if (const Platform* other = platform_called(view, found->second)) return *other;
  }
  return usual;
}

/// A platform that was expected in vain has one cell that stands for all, and was not run.
bool was_run(const Platform& platform) {
  const std::vector<PlacedCell> cells = cells_of(platform.runs);
  return std::any_of(cells.begin(), cells.end(),
                     [](const PlacedCell& cell) { return cell->outcome != Outcome::notrun; });
}

/// The one reason of all cells that went otherwise; empty where they have several, or none.
std::string common_reason(const LoopBeside& row) {
  std::string reason = row.changed.empty() ? "" : row.changed.front()->after->reason;
  for (const CellChange* change : row.changed) {
    if (change->after->reason != reason) return {};
  }
  return reason;
}

/// How many cells went otherwise, by what they are here.
void write_changed(Page& page, const LoopBeside& row) {
  std::map<Outcome, std::size_t> by_outcome;
  for (const CellChange* change : row.changed) ++by_outcome[change->after->outcome];
  for (const auto& [outcome, count] : by_outcome) {
    page.put(" <span class=\"n\"><span class=\"k {}\">{}</span> {}</span>", name(outcome),
             name(outcome), count);
  }
}

void write_loop(Page& page, const LoopBeside& row) {
  page.raw("<td>");
  if (row.loop == nullptr) {
    page.raw("<span class=\"untested\">not run</span>");
  } else if (!row.loop->absent_because.empty()) {
    page.put("<span class=\"absent\">absent</span> <small>{}</small>", row.loop->absent_because);
  } else if (row.there == nullptr || !row.there->absent_because.empty()) {
    page.put("{} judged, <small>only here</small>", row.judged_here);
  } else {
    page.put("<span class=\"tag {}\">{} alike</span>", row.changed.empty() ? "good" : "",
             row.alike);
    write_changed(page, row);
    const std::string reason = common_reason(row);
    if (!reason.empty()) page.put(" <small>{}</small>", reason);
  }
  page.raw("</td>");
}

void write_summary(Page& page, const View& view, const std::vector<PlatformBeside>& rows) {
  page.raw(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Platforms side by side\">"
      "<table class=\"loops beside\"><thead><tr><th scope=\"col\">platform</th><th scope=\"col\">"
      "beside</th><th scope=\"col\">facts</th>");
  std::vector<std::string_view> loops;
  for (const LoopRow& loop : view.catalogue.loops) {
    const bool anywhere =
        std::any_of(view.columns.begin(), view.columns.end(), [&](const Column& column) {
          return column.loop->name == loop.name && column.loop->absent_because.empty();
        });
    if (anywhere) loops.push_back(loop.name);
  }
  for (const std::string_view loop : loops) page.put("<th scope=\"col\">{}</th>", loop);
  page.raw("</tr></thead><tbody>\n");
  for (const PlatformBeside& row : rows) {
    const std::string& name = row.platform->name;
    page.put("<tr data-platform=\"{}\"><th scope=\"row\">", name);
    if (row.reference == nullptr) {
      page.put("{}</th><td colspan=\"{}\" class=\"absent\">not run: {}</td></tr>\n", name,
               loops.size() + 2, row.platform->runs.incomplete_because());
      continue;
    }
    page.put("<a href=\"#beside-{}\">{}</a></th>", slug(name), name);
    page.put("<td><small>{}</small></td><td>{}</td>", row.reference->name, row.diff.host.size());
    for (const std::string_view loop : loops) {
      const auto found =
          std::find_if(row.loops.begin(), row.loops.end(), [&](const LoopBeside& one) {
            return (one.loop != nullptr ? one.loop : one.there)->name == loop;
          });
      write_loop(page, found == row.loops.end() ? LoopBeside{} : *found);
    }
    page.raw("</tr>\n");
  }
  page.raw("</tbody></table></div>\n");
}

void write_details(Page& page, const PlatformBeside& row) {
  if (row.reference == nullptr) return;
  const std::string& here = row.platform->name;
  const std::string& there = row.reference->name;
  page.put(
      "<details class=\"group\" id=\"beside-{}\"><summary>{}: {} of the machine and {} cells are "
      "otherwise than on {}</summary>",
      slug(here), here, row.diff.host.size(), row.changed(), there);
  const ChangeHeads heads{there, here};
  write_host_changes(page, "What the machine answers otherwise", heads, row.diff.host);
  for (const LoopBeside& loop : row.loops) {
    if (loop.changed.empty()) continue;
    write_cell_changes(
        page, loop.loop->name, heads, loop.changed, [](Page& to, const CellChange& change) {
          const std::string& scenario = change.cell().scenario;
          to.put("<a href=\"#{}\"><code>{}</code></a>", scenario_id(scenario), scenario);
        });
  }
  page.raw("</details>\n");
}

}  // namespace

void write_platforms(Page& page, const View& view) {
  const Platform& usual = most_passes(view);
  std::vector<PlatformBeside> rows;
  for (const Platform& platform : view.platforms) {
    const Platform& reference = reference_of(view, platform, usual);
    if (&reference == &platform) continue;
    if (was_run(platform)) {
      rows.push_back(beside(view, platform, reference));
    } else {
      rows.push_back({.platform = &platform, .reference = nullptr, .diff = {}, .loops = {}});
    }
  }
  page.raw(
      "<section id=\"platforms\"><h2>What each platform changes</h2><p class=\"intro\">Each "
      "platform beside another one: what its probe answers otherwise, and in how many cells "
      "another outcome, or the same for another reason, came of it. Alike are those that were "
      "judged on both with the same outcome; measured times are not compared.</p>\n");
  write_summary(page, view, rows);
  for (const PlatformBeside& row : rows) write_details(page, row);
  page.raw("</section>\n");
}

}  // namespace loopscope::reports::html
