// One run from its plan to its footer, fresh or taken up again.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "harness/expectation.hpp"
#include "harness/journal.hpp"
#include "harness/plan.hpp"
#include "harness/runner.hpp"

namespace loopscope::cli {

/// Expectations by loop, and how many entries can match nothing.
struct ExpectationSet {
  std::map<std::string, std::vector<Expectation>, std::less<>> by_loop;
  std::size_t stale_entries = 0;
};
/// Leaves those that hold where the facts are these.
void keep_those_of(ExpectationSet& set, const FactTexts& facts);
/// The file whose expectations are of the platform, whatever the loop; a loop's own come first.
inline constexpr std::string_view kEveryLoop = "every_loop";
/// Those compiled in; with a folder, its <loop>.json files instead. Stops on a bad file; warns of
/// entries that match no scenario.
ExpectationSet load_expectations(const std::string& folder);

struct Session {
  std::unique_ptr<JournalWriter> journal;
  std::string journal_path;
  std::vector<PlannedCell> plan;    // all, with the rows that do not run
  std::vector<JournalCell> states;  // beside each row of the plan: what is known of it
  ExpectationSet expectations;
  std::string platform;  // "linux 6.1.0 x86_64", for the expectations' patterns
  RunnerOptions runner;
  bool flaky_fails = false;
};

/// A row of the journal's plan for each planned cell, without an outcome yet.
std::vector<JournalCell> states_of(const std::vector<PlannedCell>& plan);
/// Appends a line; stops with LS032 when that fails.
void append(Session& session, std::string_view line);
/// Runs every planned cell that has no outcome yet, writes the lines and the footer.
ExitCode run_session(Session& session);

}  // namespace loopscope::cli
