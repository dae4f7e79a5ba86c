// The plan: which cells run, and why the others do not. Pure.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "harness/result.hpp"
#include "harness/scenario.hpp"

namespace loopscope {

/// What the planner needs to know of a measured fact.
struct FactAnswer {
  bool holds = false;
  std::string reason;  // "epoll_pwait2: ENOSYS"; for a fact that does not hold
};
using FactAnswers = std::map<std::string, FactAnswer, std::less<>>;

struct PlanOptions {
  unsigned repeat = 1;
  std::uint64_t seed = 1;   // of the first repetition; the next ones count on
  bool with_timing = true;  // false: timing scenarios are skipped, visibly
};

/// One row for each loop, scenario and repetition: loops in the given order, then scenarios.
///
/// An absent loop, and a capability that a loop lacks, give `unsupported`; a fact that does not
/// hold gives `skip`. Nothing that was selected is left out.
std::vector<PlannedCell> make_plan(std::span<const LoopDescriptor* const> loops,
                                   std::span<const Scenario* const> scenarios,
                                   const FactAnswers& facts, const PlanOptions& options);

/// True for cells that may not run beside others.
bool runs_alone(const PlannedCell& cell);

}  // namespace loopscope
