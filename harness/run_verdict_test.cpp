// Tests of the verdict of a run: the exit code for each mixture of outcomes.
#include "harness/run_verdict.hpp"

#include <doctest/doctest.h>

namespace loopscope {
namespace {

JournalCell ran(Outcome outcome, Standing standing, std::string level = "must") {
  return {.loop = "epoll",
          .scenario = "a",
          .outcome = outcome,
          .level = std::move(level),
          .standing = standing};
}
JournalCell planned(Decision decision) {
  return {.loop = "epoll", .scenario = "a", .decision = decision};
}

const JournalCell kPass = ran(Outcome::pass, Standing::as_expected);
const JournalCell kFail = ran(Outcome::fail, Standing::unexpected);
const JournalCell kKnownFail = ran(Outcome::fail, Standing::as_expected);
const JournalCell kStale = ran(Outcome::pass, Standing::stale_expectation);
const JournalCell kBroken = ran(Outcome::broken, Standing::unexpected);
const JournalCell kUndecided = ran(Outcome::inconclusive, Standing::unexpected);
const JournalCell kUndecidedShould = ran(Outcome::inconclusive, Standing::unexpected, "should");
const JournalCell kMissing = planned(Decision::run);
const JournalCell kSkip = planned(Decision::skip);
const JournalCell kUnsupported = planned(Decision::unsupported);

// Goal: each exit code is reached, and the graver one wins. Method: one table of small runs.
TEST_CASE("judge_run: the verdict and the exit code of a run") {
  struct Row {
    const char* what;
    std::vector<JournalCell> cells;
    RunCircumstances circumstances;
    const char* verdict;
    ExitCode code;
  };
  const Row rows[] = {
      {"all pass", {kPass, kPass}, {}, "green", ExitCode::green},
      {"with skips", {kPass, kSkip, kUnsupported}, {}, "green", ExitCode::green},
      {"a known failure", {kPass, kKnownFail}, {}, "green", ExitCode::green},
      {"a failure", {kPass, kFail}, {}, "red", ExitCode::red},
      {"an expected failure that passes", {kPass, kStale}, {}, "red", ExitCode::red},
      {"broken", {kPass, kBroken}, {}, "unknown", ExitCode::unknown},
      {"red outranks unknown", {kBroken, kFail}, {}, "red", ExitCode::red},
      {"an undecided must", {kPass, kUndecided}, {}, "unknown", ExitCode::unknown},
      {"an undecided should", {kPass, kUndecidedShould}, {}, "green", ExitCode::green},
      {"a cell without a result", {kPass, kMissing}, {}, "unknown", ExitCode::unknown},
      {"only skips", {kSkip, kUnsupported}, {}, "unknown", ExitCode::nothing_ran},
      {"nothing planned", {}, {}, "unknown", ExitCode::nothing_ran},
      {"stale entries", {kPass}, {.stale_entries = 1}, "green", ExitCode::stale},
      {"red outranks stale entries", {kFail}, {.stale_entries = 1}, "red", ExitCode::red},
      {"interrupted", {kPass, kMissing}, {.interrupted_by = 2}, "unknown", ExitCode::interrupted},
      {"terminated", {kPass, kMissing}, {.interrupted_by = 15}, "unknown", ExitCode::terminated},
      {"interrupted outranks red",
       {kFail, kMissing},
       {.interrupted_by = 2},
       "red",
       ExitCode::interrupted},
      {"the journal could not be written",
       {kPass, kMissing},
       {.cut_short = true},
       "unknown",
       ExitCode::usage},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const JournalFooter footer = judge_run(row.cells, row.circumstances);
    CHECK(footer.verdict == row.verdict);
    CHECK(value(footer.exit_code) == value(row.code));
    CHECK(footer.planned == row.cells.size());
  }
}

TEST_CASE("judge_run: outcomes are counted, and a missing result is notrun and not reported") {
  const std::vector<JournalCell> cells = {kPass, kPass, kFail, kSkip, kMissing};
  const JournalFooter footer = judge_run(cells, {});
  CHECK(footer.planned == 5);
  CHECK(footer.reported == 4);
  CHECK(footer.by_outcome.at(Outcome::pass) == 2);
  CHECK(footer.by_outcome.at(Outcome::fail) == 1);
  CHECK(footer.by_outcome.at(Outcome::skip) == 1);
  CHECK(footer.by_outcome.at(Outcome::notrun) == 1);
}

TEST_CASE("flaky repetitions are named, and fail the run when asked to") {
  JournalCell second = ran(Outcome::diverges, Standing::as_expected);
  second.repeat = 1;
  const std::vector<JournalCell> cells = {kPass, second};
  CHECK(flaky_cells(cells) == std::vector<std::string>{"a on epoll"});
  CHECK(judge_run(cells, {}).exit_code == ExitCode::green);
  CHECK(judge_run(cells, {.flaky_fails = true}).exit_code == ExitCode::flaky);
  const std::vector<JournalCell> steady = {kPass, kPass};
  CHECK(flaky_cells(steady).empty());
}

}  // namespace
}  // namespace loopscope
