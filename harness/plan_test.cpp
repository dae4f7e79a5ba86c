// Tests of the plan: what runs, what is skipped, and the reason for each.
#include "harness/plan.hpp"

#include <doctest/doctest.h>

namespace loopscope {
namespace {

Result<std::unique_ptr<EventLoop>> never_made(const LoopOptions&) {
  return make_error(Errc::not_supported, "make");
}

constexpr std::string_view kNeedsPidfd[] = {"pidfd.open"};
const LoopDescriptor kFull{
    .name = "full", .family = Family::selector, .native = CapSet::all(), .make = never_made};
constexpr Absence kNoPipes[] = {{Cap::pipes, "there is no plumbing"}};
const LoopDescriptor kPoor{.name = "poor",
                           .family = Family::selector,
                           .native = {Cap::call_soon},
                           .emulated = {Cap::signals},
                           .absences = kNoPipes,
                           .make = never_made};
const LoopDescriptor kAbsent{
    .name = "absent", .family = Family::proactor, .absent_because = "needs another system"};
const Scenario kPlain{.id = "a.plain", .needs = {Cap::call_soon}};
const Scenario kPipes{.id = "b.pipes", .needs = {Cap::call_soon, Cap::pipes}};
const Scenario kSignals{.id = "c.signals", .needs = {Cap::signals}};
const Scenario kFact{.id = "d.fact", .facts = kNeedsPidfd};
const Scenario kTimed{.id = "e.timed", .timing = true};

constexpr const LoopDescriptor* kLoops[] = {&kFull, &kPoor, &kAbsent};
constexpr const Scenario* kScenarios[] = {&kPlain, &kPipes, &kSignals, &kFact, &kTimed};

const PlannedCell& cell_of(const std::vector<PlannedCell>& plan, std::string_view loop,
                           std::string_view scenario) {
  for (const PlannedCell& cell : plan) {
    if (cell.loop->name == loop && cell.scenario->id == scenario) return cell;
  }
  FAIL("the plan has no cell for ", loop, " ", scenario);
  return plan.front();
}

TEST_CASE("the plan has a row for every loop, scenario and repetition, in the given order") {
  const std::vector<PlannedCell> plan = make_plan(kLoops, kScenarios, {}, {.repeat = 3, .seed = 7});
  REQUIRE(plan.size() == 3 * 5 * 3);
  CHECK(plan[0].loop == &kFull);
  CHECK(plan[0].scenario == &kPlain);
  CHECK(plan[1].repeat == 1);
  CHECK(plan[2].seed == 9);
  CHECK(plan.back().loop == &kAbsent);
  CHECK(plan.back().scenario == &kTimed);
}

TEST_CASE("an absent loop and a lacking capability give unsupported, with the reason") {
  const std::vector<PlannedCell> plan = make_plan(kLoops, kScenarios, {}, {});
  const PlannedCell& absent = cell_of(plan, "absent", "a.plain");
  CHECK(absent.decision == Decision::unsupported);
  CHECK(absent.reason == "the loop is absent: needs another system");
  const PlannedCell& lacking = cell_of(plan, "poor", "b.pipes");
  CHECK(lacking.decision == Decision::unsupported);
  CHECK(lacking.missing_cap == "pipes");
  CHECK(lacking.reason.ends_with("(pipe transports): there is no plumbing"));
  CHECK(cell_of(plan, "full", "b.pipes").decision == Decision::run);
}

TEST_CASE("an emulated capability is enough to run") {
  const std::vector<PlannedCell> plan = make_plan(kLoops, kScenarios, {}, {});
  CHECK(cell_of(plan, "poor", "c.signals").decision == Decision::run);
}

TEST_CASE("a fact that does not hold, or was not measured, gives a skip with its reason") {
  const auto decided = [](const FactAnswers& facts) {
    return cell_of(make_plan(kLoops, kScenarios, facts, {}), "full", "d.fact");
  };
  CHECK(decided({{"pidfd.open", {.holds = true, .reason = {}}}}).decision == Decision::run);
  const PlannedCell refused = decided({{"pidfd.open", {.holds = false, .reason = "ENOSYS"}}});
  CHECK(refused.decision == Decision::skip);
  CHECK(refused.missing_fact == "pidfd.open");
  CHECK(refused.reason == "needs the fact pidfd.open: ENOSYS");
  CHECK(decided({}).reason == "needs the fact pidfd.open: it was not measured");
}

TEST_CASE("timing scenarios run alone, and can be excluded visibly") {
  const std::vector<PlannedCell> with = make_plan(kLoops, kScenarios, {}, {});
  CHECK(cell_of(with, "full", "e.timed").decision == Decision::run);
  CHECK(runs_alone(cell_of(with, "full", "e.timed")));
  CHECK_FALSE(runs_alone(cell_of(with, "full", "a.plain")));
  const std::vector<PlannedCell> without =
      make_plan(kLoops, kScenarios, {}, {.with_timing = false});
  CHECK(without.size() == with.size());
  CHECK(cell_of(without, "full", "e.timed").decision == Decision::skip);
}

}  // namespace
}  // namespace loopscope
