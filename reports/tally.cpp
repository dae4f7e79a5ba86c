// Counting outcomes, and the verdict that follows from them.
#include "reports/tally.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace loopscope::reports {
namespace {

Tally& row_of(std::vector<Tally>& rows, const std::string& loop) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Tally& t) { return t.loop == loop; });
  if (found != rows.end()) return *found;
  rows.push_back(Tally{.loop = loop});
  return rows.back();
}

void add(Tally& tally, Outcome outcome) { ++tally.count[static_cast<std::size_t>(outcome)]; }

bool as_expected(const Cell& cell) { return cell.standing == "as_expected"; }

/// The verdict that the cells alone give: 0 green, 1 unknown, 2 red.
int severity_of_cells(const Run& run) {
  int worst = 0;
  for (const Cell& cell : run.cells) {
    if (as_expected(cell) && cell.outcome != Outcome::notrun) continue;
    // A known failure that starts to pass is red as well: its expectation has to go.
    if (is_red(cell.outcome) || cell.standing == "stale_expectation") return 2;
    // Only a must has to be decided; a host may be too noisy for the rest.
    const bool tolerated = cell.outcome == Outcome::inconclusive && cell.level != "must";
    if (is_unknown(cell.outcome) && !tolerated) worst = 1;
  }
  return worst;
}

int severity_of(std::string_view verdict) {
  return verdict == "red" ? 2 : verdict == "green" ? 0 : 1;
}

}  // namespace

std::size_t Tally::total() const {
  std::size_t sum = 0;
  for (const std::size_t n : count) sum += n;
  return sum;
}

std::size_t Tally::red() const {
  return of(Outcome::fail) + of(Outcome::leak) + of(Outcome::hang) + of(Outcome::crash);
}

std::size_t Tally::unknown() const {
  return of(Outcome::inconclusive) + of(Outcome::broken) + of(Outcome::notrun);
}

std::vector<Tally> tally_by_loop(const Run& run) {
  std::vector<Tally> rows;
  for (const LoopRow& loop : run.catalogue.loops) rows.push_back(Tally{.loop = loop.name});
  for (const Cell& cell : run.cells) add(row_of(rows, cell.loop), cell.outcome);
  return rows;
}

Tally tally_all(const Run& run) {
  Tally all;
  for (const Cell& cell : run.cells) add(all, cell.outcome);
  return all;
}

std::string verdict(const Run& run) {
  if (!run.complete || !run.footer) return "unknown";
  const int worst = std::max(severity_of(run.footer->verdict), severity_of_cells(run));
  return worst == 2 ? "red" : worst == 1 ? "unknown" : "green";
}

std::vector<std::string> contradictions(const Run& run) {
  std::vector<std::string> found;
  if (!run.footer) return found;
  const Tally all = tally_all(run);
  for (const Outcome outcome : kOutcomes) {
    const std::string said = text_of(run.footer->by_outcome, name(outcome));
    const std::size_t have = all.of(outcome);
    if (!said.empty() && said != fmt::format("{}", have)) {
      found.push_back(
          fmt::format("The footer counts {} {}, the cells are {}.", said, name(outcome), have));
    }
  }
  if (run.complete && severity_of(run.footer->verdict) < severity_of_cells(run)) {
    found.push_back(fmt::format("The footer says {}, the cells say {}.", run.footer->verdict,
                                severity_of_cells(run) == 2 ? "red" : "unknown"));
  }
  return found;
}

std::string restriction_text(const Run& run) {
  if (!run.restriction) return {};
  const Restriction& only = *run.restriction;
  return fmt::format("query \"{}\": {} of {} scenarios, and the counts of these", only.query,
                     only.scenarios, only.of);
}

bool needs_attention(const Cell& cell) {
  if (as_expected(cell) && cell.expectation && cell.outcome != Outcome::notrun) return false;
  const bool odd = !cell.standing.empty() && !as_expected(cell);
  return odd || is_unknown(cell.outcome) || (is_red(cell.outcome) && !as_expected(cell));
}

std::size_t reported(const Run& run) {
  return run.cells.size() - tally_all(run).of(Outcome::notrun);
}

}  // namespace loopscope::reports
