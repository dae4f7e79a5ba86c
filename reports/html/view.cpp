// What the sections share: which columns there are, and which cell stands where.
#include <algorithm>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

int severity(const Cell& cell) {
  if (needs_attention(cell)) return 20 + static_cast<int>(cell.outcome);
  return static_cast<int>(cell.outcome);
}

}  // namespace

View::View(const Run& of) : run(of), reference(reference_loop(of)) {
  std::map<std::string_view, bool> ran;
  for (const Cell& cell : run.cells) {
    index_[{cell.scenario, cell.loop}].push_back(&cell);
    ran[cell.loop] = true;
  }
  for (const LoopRow& loop : run.catalogue.loops) {
    if (ran.count(loop.name) != 0 || !loop.absent_because.empty()) loops.push_back(&loop);
  }
}

const std::vector<const Cell*>& View::cells(std::string_view scenario,
                                            std::string_view loop) const {
  static const std::vector<const Cell*> none;
  const auto found = index_.find({scenario, loop});
  return found == index_.end() ? none : found->second;
}

const Cell* View::worst(std::string_view scenario, std::string_view loop) const {
  const auto& repeats = cells(scenario, loop);
  if (repeats.empty()) return nullptr;
  return *std::max_element(repeats.begin(), repeats.end(), [](const Cell* a, const Cell* b) {
    return severity(*a) < severity(*b);
  });
}

bool View::emulated(const ScenarioRow& scenario, const LoopRow& loop) const {
  return std::any_of(scenario.needs.begin(), scenario.needs.end(), [&](const std::string& need) {
    return std::find(loop.emulated.begin(), loop.emulated.end(), need) != loop.emulated.end();
  });
}

}  // namespace loopscope::reports::html
