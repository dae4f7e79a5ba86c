// Deciding for each loop and scenario whether there is a cell to run.
#include "harness/plan.hpp"

#include <fmt/format.h>

namespace loopscope {
namespace {

/// The first capability that the scenario needs and the loop does not offer at all.
const CapInfo* missing_capability(const LoopDescriptor& loop, const Scenario& scenario) {
  for (const CapInfo& capability : all_caps()) {
    if (scenario.needs.has(capability.cap) && loop.support(capability.cap) == Support::absent) {
      return &capability;
    }
  }
  return nullptr;
}

void decide(PlannedCell& cell, const FactAnswers& facts, const PlanOptions& options) {
  const LoopDescriptor& loop = *cell.loop;
  const Scenario& scenario = *cell.scenario;
  if (loop.make == nullptr) {
    cell.decision = Decision::unsupported;
    cell.reason = fmt::format("the loop is absent: {}", loop.absent_because);
    return;
  }
  if (const CapInfo* missing = missing_capability(loop, scenario)) {
    cell.decision = Decision::unsupported;
    cell.missing_cap = std::string(missing->id);
    cell.reason = fmt::format("{} does not offer {} ({})", loop.name, missing->id, missing->title);
    for (const Absence& absence : loop.absences) {
      if (absence.cap == missing->cap) cell.reason += fmt::format(": {}", absence.why);
    }
    return;
  }
  for (const std::string_view fact : scenario.facts) {
    const auto answer = facts.find(fact);
    if (answer != facts.end() && answer->second.holds) continue;
    cell.decision = Decision::skip;
    cell.missing_fact = std::string(fact);
    const std::string_view why =
        answer == facts.end() ? "it was not measured" : std::string_view(answer->second.reason);
    cell.reason = fmt::format("needs the fact {}: {}", fact, why);
    return;
  }
  if (scenario.timing && !options.with_timing) {
    cell.decision = Decision::skip;
    cell.reason = "timing scenarios were excluded";
  }
}

}  // namespace

std::vector<PlannedCell> make_plan(std::span<const LoopDescriptor* const> loops,
                                   std::span<const Scenario* const> scenarios,
                                   const FactAnswers& facts, const PlanOptions& options) {
  std::vector<PlannedCell> plan;
  plan.reserve(loops.size() * scenarios.size() * options.repeat);
  for (const LoopDescriptor* loop : loops) {
    for (const Scenario* scenario : scenarios) {
      for (unsigned repeat = 0; repeat < options.repeat; ++repeat) {
        PlannedCell cell{.loop = loop, .scenario = scenario, .repeat = repeat};
        cell.seed = options.seed + repeat;
        decide(cell, facts, options);
        plan.push_back(std::move(cell));
      }
    }
  }
  return plan;
}

bool runs_alone(const PlannedCell& cell) { return cell.scenario->timing; }

}  // namespace loopscope
