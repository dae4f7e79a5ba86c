// Counting outcomes, and the verdict that follows from them.
#include "reports/tally.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace loopscope::reports {
namespace {

/// The row of a loop and platform, made where there is none. Those of the platform are the last.
Tally& row_of(std::vector<Tally>& rows, Legs legs, const Run& leg, const std::string& loop) {
  for (auto row = rows.rbegin(); row != rows.rend() && row->platform == leg.platform; ++row) {
    if (row->loop == loop) return *row;
  }
  Tally row;
  row.loop = loop;
  row.platform = leg.platform;
  row.column = legs.column(leg, loop);
  return rows.emplace_back(std::move(row));
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

std::vector<std::string> contradictions_of(const Run& run) {
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

std::vector<Tally> tally_by_loop(Legs legs) {
  std::vector<Tally> rows;
  for (const Legs& platform : legs.by_platform()) {
    for (const Run& leg : platform) {
      for (const LoopRow& loop : leg.catalogue.loops) row_of(rows, legs, leg, loop.name);
    }
    for (const Run& leg : platform) {
      for (const Cell& cell : leg.cells) add(row_of(rows, legs, leg, cell.loop), cell.outcome);
    }
  }
  return rows;
}

std::string absence(Legs legs, const Tally& tally) {
  for (const Run& leg : legs) {
    const LoopRow* loop = leg.platform == tally.platform ? leg.loop(tally.loop) : nullptr;
    if (loop != nullptr && !loop->absent_because.empty()) return loop->absent_because;
  }
  return {};
}

Tally tally_all(Legs legs) {
  Tally all;
  for (const Run& leg : legs) {
    for (const Cell& cell : leg.cells) add(all, cell.outcome);
  }
  return all;
}

std::string verdict(Legs legs) {
  int worst = 0;
  for (const Run& leg : legs) {
    const bool known = leg.complete && leg.footer;
    worst = std::max(
        worst, known ? std::max(severity_of(leg.footer->verdict), severity_of_cells(leg)) : 1);
  }
  return worst == 2 ? "red" : worst == 1 ? "unknown" : "green";
}

std::vector<std::string> contradictions(Legs legs) {
  std::vector<std::string> found;
  for (const Run& leg : legs) {
    for (const std::string& sentence : contradictions_of(leg)) {
      found.push_back(legs.several() ? leg.platform + ": " + sentence : sentence);
    }
  }
  return found;
}

std::string restriction_text(const Report& report) {
  if (!report.restriction) return {};
  const Restriction& only = *report.restriction;
  return fmt::format("query \"{}\": {} of {} scenarios, and the counts of these", only.query,
                     only.scenarios, only.of);
}

bool needs_attention(const Cell& cell) {
  if (as_expected(cell) && cell.expectation && cell.outcome != Outcome::notrun) return false;
  const bool odd = !cell.standing.empty() && !as_expected(cell);
  return odd || is_unknown(cell.outcome) || (is_red(cell.outcome) && !as_expected(cell));
}

std::size_t reported(Legs legs) { return legs.planned() - tally_all(legs).of(Outcome::notrun); }

std::string leg_text(const Run& leg) {
  std::string text = text_of(leg.header.host, "os");
  for (const std::string& part :
       {text_of(leg.header.host, "kernel"), text_of(leg.header.host, "arch"),
        leg.header.started_utc, std::string(leg.complete ? "" : "incomplete")}) {
    if (!part.empty()) text += (text.empty() ? "" : ", ") + part;
  }
  return text;
}

}  // namespace loopscope::reports
