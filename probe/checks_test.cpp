// Implications and conflicts: found where answers contradict each other, and only there.
#include "probe/checks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "probe/measure.hpp"

using namespace loopscope;

namespace {

MeasuredFact fact(std::string id, FactValue value) {
  const bool null = std::holds_alternative<std::monostate>(value);
  return {.id = std::move(id),
          .result = {.value = std::move(value), .reason = null ? Reason::denied : Reason::none}};
}

constexpr Implication kRules[] = {{"a.*", "b", true, "a uses b"}, {"c", "b", false, "one of two"}};

}  // namespace

TEST_CASE("an implication is broken by two answers, never by a missing or null one") {
  struct Row {
    const char* what;
    std::vector<MeasuredFact> facts;
    std::size_t checked, violations;
  };
  const Row rows[] = {
      {"both true", {fact("a.x", true), fact("b", true)}, 1, 0},
      {"the condition is false", {fact("a.x", false), fact("b", false)}, 1, 0},
      {"broken", {fact("a.x", true), fact("b", false)}, 1, 1},
      {"broken by a number and a zero",
       {fact("a.x", std::int64_t{5}), fact("b", std::int64_t{0})},
       1,
       1},
      {"a glob names several", {fact("a.x", true), fact("a.y", true), fact("b", false)}, 2, 2},
      {"the consequence is null", {fact("a.x", true), fact("b", {})}, 0, 0},
      {"the condition is null", {fact("a.x", {}), fact("b", false)}, 0, 0},
      {"the consequence was not asked", {fact("a.x", true)}, 0, 0},
      {"must be false, and is", {fact("c", true), fact("b", false)}, 1, 0},
      {"must be false, and is not", {fact("c", true), fact("b", true)}, 1, 1}};
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const ImplicationChecks checks = check_implications(row.facts, kRules);
    CHECK(checks.checked == row.checked);
    CHECK(checks.violations.size() == row.violations);
  }
  const std::vector<MeasuredFact> broken{fact("a.x", true), fact("b", false)};
  const Violation one = check_implications(broken, kRules).violations.front();
  CHECK(one.if_fact == "a.x");
  CHECK(one.if_says == "yes");
  CHECK(one.then_fact == "b");
  CHECK(one.then_says == "no");
  CHECK(one.why == "a uses b");
}

TEST_CASE("every implication names facts that exist, and says why") {
  std::set<std::string_view> ids;
  for (const ProbeFile* file : all_probe_files()) {
    for (const Fact& each : file->facts) ids.insert(each.id);
  }
  for (const Implication& rule : all_implications()) {
    CAPTURE(std::string(rule.if_fact));
    CHECK(std::any_of(ids.begin(), ids.end(),
                      [&](std::string_view id) { return selects(rule.if_fact, id); }));
    CHECK(ids.contains(rule.then_fact));
    CHECK(!rule.why.empty());
  }
}

TEST_CASE("what is declared and what is measured are compared") {
  struct Row {
    const char* what;
    std::vector<MeasuredFact> facts;
    std::size_t conflicts;
  };
  const std::vector<std::string> extended{"NODROP", "EXT_ARG"};
  const Row rows[] = {{"a step as fine as a reading",
                       {fact("clock.monotonic.resolution", std::int64_t{1}),
                        fact("clock.monotonic.step", std::int64_t{40}),
                        fact("clock.monotonic.read_cost", std::int64_t{35})},
                       0},
                      {"declared fine, steps of a tick",
                       {fact("clock.monotonic.resolution", std::int64_t{1}),
                        fact("clock.monotonic.step", std::int64_t{4'000'000}),
                        fact("clock.monotonic.read_cost", std::int64_t{35})},
                       1},
                      {"declared coarse, steps are finer",
                       {fact("clock.monotonic.resolution", std::int64_t{4'000'000}),
                        fact("clock.monotonic.step", std::int64_t{40}),
                        fact("clock.monotonic.read_cost", std::int64_t{35})},
                       1},
                      {"one user namespace, by both signs",
                       {fact("env.user_ns", std::string("nested")),
                        fact("env.namespaces", std::vector<std::string>{"user"})},
                       0},
                      {"a map of a user namespace that has the initial number",
                       {fact("env.user_ns", std::string("nested")),
                        fact("env.namespaces", std::vector<std::string>{})},
                       1},
                      {"forbidden, and works",
                       {fact("uring.sysctl", std::int64_t{2}), fact("uring.setup", true)},
                       1},
                      {"announced and works",
                       {fact("uring.features", extended), fact("uring.wait_with_timeout", true)},
                       0},
                      {"announced and refused",
                       {fact("uring.features", extended), fact("uring.wait_with_timeout", false)},
                       1},
                      {"announced and not asked", {fact("uring.features", extended)}, 0},
                      {"announced and unknown",
                       {fact("uring.features", extended), fact("uring.wait_with_timeout", {})},
                       0}};
  for (const Row& row : rows) {
    CAPTURE(row.what);
    std::vector<MeasuredFact> facts = row.facts;
    compare_facts(facts);
    CHECK(facts.front().result.conflicts.size() == row.conflicts);
    for (std::size_t i = 1; i < facts.size(); ++i) CHECK(facts[i].result.conflicts.empty());
  }
}
