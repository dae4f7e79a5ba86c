// Report format "summary": Markdown, sized for the job page of a CI service.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "reports/format.hpp"
#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::formats::summary {
namespace {

using namespace reports;

constexpr std::size_t kMostRows = 20;

void table_of_loops(const Run& run, std::string& page) {
  const Tally all = tally_all(run);
  std::vector<Outcome> shown;
  for (const Outcome outcome : kOutcomes) {
    if (all.of(outcome) != 0) shown.push_back(outcome);
  }
  page += "\n| loop |";
  for (const Outcome outcome : shown)
    fmt::format_to(std::back_inserter(page), " {} |", name(outcome));
  page += "\n|---|";
  for (std::size_t i = 0; i < shown.size(); ++i) page += "--:|";
  page += '\n';
  for (const Tally& tally : tally_by_loop(run)) {
    fmt::format_to(std::back_inserter(page), "| {} |", markdown_cell(tally.loop));
    for (const Outcome outcome : shown) {
      fmt::format_to(std::back_inserter(page), " {} |", tally.of(outcome));
    }
    const LoopRow* loop = run.loop(tally.loop);
    if (tally.total() == 0 && loop != nullptr && !loop->absent_because.empty()) {
      fmt::format_to(std::back_inserter(page), " absent: {} |",
                     markdown_cell(loop->absent_because));
    }
    page += '\n';
  }
}

void table_of_attention(const Run& run, std::string& page) {
  std::vector<const Cell*> cells;
  for (const Cell& cell : run.cells) {
    if (needs_attention(cell)) cells.push_back(&cell);
  }
  if (cells.empty()) return;
  page += "\n| scenario | loop | outcome | expected | observed |\n|---|---|---|---|---|\n";
  for (std::size_t i = 0; i < std::min(cells.size(), kMostRows); ++i) {
    const Cell& cell = *cells[i];
    fmt::format_to(std::back_inserter(page), "| {} | {} | {} | {} | {} |\n",
                   markdown_cell(cell.scenario), markdown_cell(cell.loop), name(cell.outcome),
                   markdown_cell(cell.expected),
                   markdown_cell(cell.observed.empty() ? cell.reason : cell.observed));
  }
  if (cells.size() > kMostRows) {
    fmt::format_to(std::back_inserter(page), "\n... and {} more; the HTML report has them all.\n",
                   cells.size() - kMostRows);
  }
}

Result<std::string> render_summary(const Run& run, const RenderOptions&) {
  std::string page = fmt::format(
      "**loopscope: {}**, {}/{} cells reported, {} {}, {}\n", verdict(run), reported(run),
      run.cells.size(), markdown_cell(text_of(run.header.host, "os")),
      markdown_cell(text_of(run.header.host, "kernel")), markdown_cell(run.header.started_utc));
  if (!run.complete) {
    fmt::format_to(std::back_inserter(page), "\n**Incomplete run:** {}.\n", run.incomplete_because);
  }
  for (const std::string& sentence : contradictions(run)) {
    fmt::format_to(std::back_inserter(page), "\n**Contradiction:** {}\n", sentence);
  }
  if (run.restriction) {
    fmt::format_to(std::back_inserter(page), "\n{}.\n", markdown_cell(restriction_text(run)));
  }
  table_of_loops(run, page);
  table_of_attention(run, page);
  return page;
}

}  // namespace

extern const Format format{.name = "summary",
                           .extension = ".md",
                           .description = "Markdown for the job page of a CI service",
                           .render = render_summary};

}  // namespace loopscope::formats::summary
