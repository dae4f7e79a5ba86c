// Changes as tables, in the page of a report and in the page of a comparison.
#pragma once

#include <functional>

#include "reports/diff.hpp"
#include "reports/html/writer.hpp"

namespace loopscope::reports::html {

/// Writes the scenario of a change: as a link where the page has its evidence.
using WriteScenario = std::function<void(Page& page, const CellChange& change)>;

/// The machine's changes first, then those of cells by kind.
void write_changes(Page& page, const RunDiff& diff, const WriteScenario& write_scenario);

}  // namespace loopscope::reports::html
