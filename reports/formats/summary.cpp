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

/// Text in a Markdown table: pipes and line ends would end the cell, "<" would begin markup.
std::string cell_text(std::string_view text) {
  std::string out;
  for (const char c : one_line(text)) {
    if (c == '|' || c == '<' || c == '`') out += '\\';
    out += c;
  }
  return out;
}

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
    fmt::format_to(std::back_inserter(page), "| {} |", cell_text(tally.loop));
    for (const Outcome outcome : shown) {
      fmt::format_to(std::back_inserter(page), " {} |", tally.of(outcome));
    }
    const LoopRow* loop = run.loop(tally.loop);
    if (tally.total() == 0 && loop != nullptr && !loop->absent_because.empty()) {
      fmt::format_to(std::back_inserter(page), " absent: {} |", cell_text(loop->absent_because));
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
                   cell_text(cell.scenario), cell_text(cell.loop), name(cell.outcome),
                   cell_text(cell.expected),
                   cell_text(cell.observed.empty() ? cell.reason : cell.observed));
  }
  if (cells.size() > kMostRows) {
    fmt::format_to(std::back_inserter(page), "\n... and {} more; the HTML report has them all.\n",
                   cells.size() - kMostRows);
  }
}

Result<std::string> render_summary(const Run& run, const RenderOptions&) {
  std::string page =
      fmt::format("**loopscope: {}**, {}/{} cells reported, {} {}, {}\n", verdict(run),
                  reported(run), run.cells.size(), cell_text(text_of(run.header.host, "os")),
                  cell_text(text_of(run.header.host, "kernel")), cell_text(run.header.started_utc));
  if (!run.complete) {
    fmt::format_to(std::back_inserter(page), "\n**Incomplete run:** {}.\n", run.incomplete_because);
  }
  for (const std::string& sentence : contradictions(run)) {
    fmt::format_to(std::back_inserter(page), "\n**Contradiction:** {}\n", sentence);
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
