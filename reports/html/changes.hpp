// Changes as tables, in the page of a report and in the page of a comparison.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "reports/diff.hpp"
#include "reports/html/writer.hpp"

namespace loopscope::reports::html {

/// Writes the scenario of a change: as a link where the page has its evidence.
using WriteScenario = std::function<void(Page& page, const CellChange& change)>;

/// What stands above the two sides.
struct ChangeHeads {
  std::string_view was = "before", is = "now";
};

/// One table under a heading with their number; nothing where there is none.
void write_host_changes(Page& page, std::string_view title, const ChangeHeads& heads,
                        std::span<const HostChange> changes);
void write_cell_changes(Page& page, std::string_view title, const ChangeHeads& heads,
                        std::span<const CellChange* const> changes,
                        const WriteScenario& write_scenario);

/// The machine's changes first, then those of cells by kind.
void write_changes(Page& page, const RunDiff& diff, const WriteScenario& write_scenario);

}  // namespace loopscope::reports::html
