// How a comparison of two runs is written.
#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "reports/diff.hpp"
#include "reports/html/changes.hpp"
#include "reports/html/skeleton.hpp"
#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::reports {
namespace {

std::string title_of_run(const Run& run) {
  return one_line(fmt::format("{} ({}, {} {}{})", run.header.run_id, run.header.started_utc,
                              text_of(run.header.host, "os"), text_of(run.header.host, "kernel"),
                              run.complete ? "" : ", incomplete"));
}

}  // namespace

std::string title_of(Legs legs) {
  if (!legs.several()) return title_of_run(legs.front());
  std::string text = fmt::format("{} runs: ", legs.size());
  for (const Run& run : legs) {
    text +=
        fmt::format("{}{} {}", &run == &legs.front() ? "" : ", ", run.platform, title_of_run(run));
  }
  return text;
}

std::string counts_of(const RunDiff& diff) {
  std::string text;
  for (const Change change : kChanges) {
    if (diff.of(change) > 0) text += fmt::format("{} {}, ", diff.of(change), name(change));
  }
  return text + fmt::format("{} unchanged", diff.same);
}

namespace {

std::string text(Legs before, Legs after, const RunDiff& diff) {
  std::string page =
      fmt::format("old  {}\nnew  {}\n{}\n", title_of(before), title_of(after), counts_of(diff));
  auto out = std::back_inserter(page);
  if (!diff.host.empty()) fmt::format_to(out, "\nhost-changed {}\n", diff.host.size());
  for (const HostChange& change : diff.host) {
    fmt::format_to(out, "  {}: {} -> {}\n", one_line(change.what), one_line(change.was),
                   one_line(change.is));
  }
  for (const Change kind : kChanges) {
    if (diff.of(kind) == 0) continue;
    fmt::format_to(out, "\n{} {}\n", name(kind), diff.of(kind));
    for (const CellChange& change : diff.cells) {
      if (change.change != kind) continue;
      fmt::format_to(out, "  {} {}", one_line(change.column), one_line(change.cell().scenario));
      if (!change.was.empty()) fmt::format_to(out, "  {}", one_line(change.was));
      if (!change.is.empty()) {
        fmt::format_to(out, " {} {}", change.was.empty() ? "" : "->", one_line(change.is));
      }
      page += '\n';
      if (kind == Change::regressed && !change.after->rerun.empty()) {
        fmt::format_to(out, "    {}\n", one_line(change.after->rerun));
      }
    }
  }
  return page;
}

nlohmann::ordered_json legs_json(Legs legs) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Run& run : legs) {
    rows.push_back({{"platform", run.platform},
                    {"run_id", run.header.run_id},
                    {"started_utc", run.header.started_utc},
                    {"complete", run.complete},
                    {"verdict", verdict(run)}});
  }
  return rows;
}

std::string json(Legs before, Legs after, const RunDiff& diff) {
  nlohmann::ordered_json page = {{"schema", "loopscope.diff/2"},
                                 {"old", legs_json(before)},
                                 {"new", legs_json(after)},
                                 {"unchanged", diff.same},
                                 {"counts", nlohmann::ordered_json::object()},
                                 {"host", nlohmann::ordered_json::array()},
                                 {"cells", nlohmann::ordered_json::array()}};
  for (const Change change : kChanges) page["counts"][std::string(name(change))] = diff.of(change);
  for (const HostChange& change : diff.host) {
    page["host"].push_back({{"what", change.what}, {"was", change.was}, {"is", change.is}});
  }
  for (const CellChange& change : diff.cells) {
    page["cells"].push_back({{"change", name(change.change)},
                             {"loop", change.cell().loop},
                             {"column", change.column},
                             {"scenario", change.cell().scenario},
                             {"was", change.was},
                             {"is", change.is},
                             {"rerun", change.cell().rerun}});
  }
  return page.dump(2, ' ', true) + '\n';
}

std::string markdown(Legs before, Legs after, const RunDiff& diff) {
  constexpr std::size_t kMostRows = 50;
  std::string page = fmt::format("**loopscope diff**: {}\n\nold: {}  \nnew: {}\n", counts_of(diff),
                                 markdown_cell(title_of(before)), markdown_cell(title_of(after)));
  auto out = std::back_inserter(page);
  if (!diff.host.empty()) page += "\n| host | old | new |\n|---|---|---|\n";
  for (std::size_t i = 0; i < std::min(diff.host.size(), kMostRows); ++i) {
    fmt::format_to(out, "| {} | {} | {} |\n", markdown_cell(diff.host[i].what),
                   markdown_cell(diff.host[i].was), markdown_cell(diff.host[i].is));
  }
  if (!diff.cells.empty())
    page += "\n| change | loop | scenario | old | new |\n|---|---|---|---|---|\n";
  for (std::size_t i = 0; i < std::min(diff.cells.size(), kMostRows); ++i) {
    const CellChange& change = diff.cells[i];
    fmt::format_to(out, "| {} | {} | {} | {} | {} |\n", name(change.change),
                   markdown_cell(change.column), markdown_cell(change.cell().scenario),
                   markdown_cell(change.was), markdown_cell(change.is));
  }
  const std::size_t shown =
      std::min(diff.host.size(), kMostRows) + std::min(diff.cells.size(), kMostRows);
  if (const std::size_t all = diff.host.size() + diff.cells.size(); all > shown) {
    fmt::format_to(out, "\n... and {} more.\n", all - shown);
  }
  return page;
}

std::string html_page(Legs before, Legs after, const RunDiff& diff) {
  html::Page page;
  page.put(
      "<section id=\"compared\"><h1>loopscope diff</h1><p>{}</p><p>old: {}<br>new: {}</p>"
      "</section>\n<section id=\"changes\"><h2>What changed</h2>\n",
      counts_of(diff), title_of(before), title_of(after));
  html::write_changes(page, diff, [](html::Page& to, const CellChange& change) {
    to.put("<code>{}</code>", change.cell().scenario);
  });
  page.raw("</section>\n");
  return html::filled({.title = "loopscope diff: " + counts_of(diff),
                       .jump = "<a class=\"jump\" href=\"#changes\">Skip to what changed</a>",
                       .views = "<a href=\"#compared\">Compared</a>\n"
                                "<a href=\"#changes\">Changes</a>",
                       .body = page.take(),
                       .data = {},
                       .scripts = false});
}

constexpr DiffFormat kFormats[] = {{"text", ".txt", text},
                                   {"json", ".json", json},
                                   {"markdown", ".md", markdown},
                                   {"html", ".html", html_page}};

}  // namespace

std::span<const DiffFormat> diff_formats() { return kFormats; }

}  // namespace loopscope::reports
