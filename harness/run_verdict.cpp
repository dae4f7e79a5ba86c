// From the outcomes of all planned cells to one verdict.
#include "harness/run_verdict.hpp"

#include <algorithm>
#include <set>

namespace loopscope {
namespace {

constexpr int kTerminate = 15;  // SIGTERM, the same number everywhere

Outcome outcome_of(const JournalCell& cell) {
  if (cell.decision == Decision::skip) return Outcome::skip;
  if (cell.decision == Decision::unsupported) return Outcome::unsupported;
  return cell.outcome.value_or(Outcome::notrun);
}

struct Sums {
  bool red = false, unknown = false, ran = false;
};

Sums sum_up(std::span<const JournalCell> cells, JournalFooter& footer) {
  Sums sums;
  for (const JournalCell& cell : cells) {
    const Outcome outcome = outcome_of(cell);
    ++footer.by_outcome[outcome];
    if (outcome != Outcome::notrun) ++footer.reported;
    if (outcome != Outcome::skip && outcome != Outcome::unsupported && outcome != Outcome::notrun) {
      sums.ran = true;
    }
    if (cell.standing == Standing::as_expected && outcome != Outcome::notrun) continue;
    if (is_red(outcome) || cell.standing == Standing::stale_expectation) sums.red = true;
    // Only a must has to be decided; a host may be too noisy for the rest.
    const bool tolerated = outcome == Outcome::inconclusive && cell.level != "must";
    if (is_unknown(outcome) && !tolerated) sums.unknown = true;
  }
  footer.planned = cells.size();
  return sums;
}

}  // namespace

std::vector<std::string> flaky_cells(std::span<const JournalCell> cells) {
  std::map<std::string, std::set<Outcome>> seen;
  for (const JournalCell& cell : cells) {
    if (cell.outcome) seen[cell.scenario + " on " + cell.loop].insert(*cell.outcome);
  }
  std::vector<std::string> result;
  for (const auto& [title, outcomes] : seen) {
    if (outcomes.size() > 1) result.push_back(title);
  }
  return result;
}

JournalFooter judge_run(std::span<const JournalCell> cells, const RunCircumstances& circumstances) {
  JournalFooter footer;
  const Sums sums = sum_up(cells, footer);
  const bool unknown = sums.unknown || circumstances.cut_short || footer.reported != footer.planned;
  footer.interrupted = circumstances.interrupted_by != 0;
  footer.verdict = sums.red ? "red" : unknown || !sums.ran ? "unknown" : "green";
  if (footer.interrupted) {
    footer.exit_code =
        circumstances.interrupted_by == kTerminate ? ExitCode::terminated : ExitCode::interrupted;
  } else if (circumstances.cut_short) {
    footer.exit_code = ExitCode::usage;
  } else if (sums.red) {
    footer.exit_code = ExitCode::red;
  } else if (unknown) {
    footer.exit_code = ExitCode::unknown;
  } else if (circumstances.flaky_fails && !flaky_cells(cells).empty()) {
    footer.exit_code = ExitCode::flaky;
  } else if (circumstances.stale_entries != 0) {
    footer.exit_code = ExitCode::stale;
  } else if (!sums.ran) {
    footer.exit_code = ExitCode::nothing_ran;
  }
  return footer;
}

}  // namespace loopscope
