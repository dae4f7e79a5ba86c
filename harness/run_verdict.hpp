// The verdict of a whole run: counts, green or red or unknown, and the exit code. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "harness/journal.hpp"

namespace loopscope {

struct RunCircumstances {
  int interrupted_by = 0;         // a signal's number, 0: not at all
  bool cut_short = false;         // ended for another reason: the journal could not be written
  bool flaky_fails = false;       // --flaky=fail
  std::size_t stale_entries = 0;  // expectations that match nothing
};

/// Fills in all but the times. Green takes a result for every planned cell.
JournalFooter judge_run(std::span<const JournalCell> cells, const RunCircumstances& circumstances);

/// Loop and scenario of cells whose repetitions ended differently.
std::vector<std::string> flaky_cells(std::span<const JournalCell> cells);

}  // namespace loopscope
