// Report format "summary": Markdown, sized for the job page of a CI service.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "reports/format.hpp"
#include "reports/redact.hpp"
#include "reports/tally.hpp"
#include "reports/text.hpp"

namespace loopscope::formats::summary {
namespace {

using namespace reports;

constexpr std::size_t kMostRows = 20;
constexpr std::size_t kLongest = 500;  // of a cell; a job page takes 1 MiB in all

void table_of_loops(Legs legs, std::string& page) {
  const Tally all = tally_all(legs);
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
  for (const Tally& tally : tally_by_loop(legs)) {
    fmt::format_to(std::back_inserter(page), "| {} |", markdown_cell(tally.column));
    for (const Outcome outcome : shown) {
      fmt::format_to(std::back_inserter(page), " {} |", tally.of(outcome));
    }
    const std::string absent = absence(legs, tally);
    if (tally.total() == 0 && !absent.empty()) {
      fmt::format_to(std::back_inserter(page), " absent: {} |", markdown_cell(absent));
    }
    page += '\n';
  }
}

void table_of_attention(Legs legs, std::string& page) {
  std::vector<PlacedCell> cells = cells_of(legs);
  std::erase_if(cells, [](const PlacedCell& cell) { return !needs_attention(*cell); });
  if (cells.empty()) return;
  page += "\n| scenario | loop | outcome | expected | observed |\n|---|---|---|---|---|\n";
  for (std::size_t i = 0; i < std::min(cells.size(), kMostRows); ++i) {
    const Cell& cell = *cells[i];
    fmt::format_to(
        std::back_inserter(page), "| {} | {} | {} | {} | {} |\n", markdown_cell(cell.scenario),
        markdown_cell(legs.column(*cells[i].leg, cell.loop)), name(cell.outcome),
        markdown_cell(shortened(cell.expected, kLongest)),
        markdown_cell(shortened(cell.observed.empty() ? cell.reason : cell.observed, kLongest)));
  }
  if (cells.size() > kMostRows) {
    fmt::format_to(std::back_inserter(page), "\n... and {} more; the HTML report has them all.\n",
                   cells.size() - kMostRows);
  }
}

void table_of_legs(Legs legs, std::string& page) {
  page += "\n| platform | verdict | cells | run |\n|---|---|--:|---|\n";
  for (const Run& leg : legs) {
    fmt::format_to(std::back_inserter(page), "| {} | {} | {}/{} | {} |\n", leg.platform,
                   verdict(leg), reported(leg), leg.cells.size(), markdown_cell(leg_text(leg)));
  }
}

Result<std::string> render_summary(const Report& report, const RenderOptions&) {
  const Legs legs(report);
  std::string page = fmt::format(
      "**loopscope: {}**, {}/{} cells reported, {}\n", verdict(legs), reported(legs),
      legs.planned(),
      legs.several() ? fmt::format("{} runs", legs.size()) : markdown_cell(leg_text(legs.front())));
  if (!legs.complete()) {
    fmt::format_to(std::back_inserter(page), "\n**Incomplete run:** {}.\n",
                   markdown_cell(legs.incomplete_because()));
  }
  for (const std::string& sentence : contradictions(legs)) {
    fmt::format_to(std::back_inserter(page), "\n**Contradiction:** {}\n", markdown_cell(sentence));
  }
  if (report.restriction) {
    fmt::format_to(std::back_inserter(page), "\n{}.\n", markdown_cell(restriction_text(report)));
  }
  if (legs.several()) table_of_legs(legs, page);
  table_of_loops(legs, page);
  table_of_attention(legs, page);
  if (const std::string text = redaction_text(legs); !text.empty()) {
    fmt::format_to(std::back_inserter(page), "\n{}.\n", text);
  }
  return page;
}

}  // namespace

extern const Format format{.name = "summary",
                           .extension = ".md",
                           .description = "Markdown for the job page of a CI service",
                           .render = render_summary};

}  // namespace loopscope::formats::summary
