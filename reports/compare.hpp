// Comparing: loops with the reference and with each other, causes, and why-chains.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reports/model.hpp"

namespace loopscope::reports {

/// Whether the loop itself was put to the test: not skipped, and the harness worked.
bool was_judged(const Cell& cell);
/// What makes two results the same for a reader: the outcome, and which variant of it.
std::string behaviour(const Cell& cell);

/// Whether two rows are the same promise: text, source, level and authority. Null equals null.
bool same_rule(const ScenarioRow* a, const ScenarioRow* b);

/// How a cell compares with the reference column (libuv) in the same scenario.
enum class Relation : std::uint8_t {
  none,            // nothing to say: both pass, or one of them was not attempted
  only_this_loop,  // this one does not pass, the reference does
  also_reference,  // neither passes
  only_reference,  // this one passes, the reference does not
};
std::string_view name(Relation relation);
/// The reference loop of this run: the first of family "reference" that ran a cell; else empty.
std::string reference_loop(const Run& run);
Relation relation(const Run& run, const Cell& cell, std::string_view reference);

/// A scenario on which the loops that ran it do not agree.
struct Divergence {
  const ScenarioRow* scenario = nullptr;
  std::vector<PlacedCell> cells;  // the first repeat of each loop that ran it, in column order
  std::string pattern;            // "libuv alone differs", "the loops disagree"
};
std::vector<Divergence> divergences(Legs legs);

/// Why a cell has the outcome that it has, from the cell down to the errno.
struct WhyStep {
  std::string what;    // "needs the fact pidfd.open"
  std::string answer;  // "no (not_implemented)"
};
std::vector<WhyStep> why_chain(const Run& run, const Cell& cell);

/// Cells that share a cause.
struct Cause {
  std::string title;
  std::vector<PlacedCell> cells;
};
/// What needs attention: red, unknown, and whatever is not as expected. The most severe first.
std::vector<Cause> attention_by_cause(Legs legs);
/// Known failures that failed as expected.
std::vector<Cause> known_by_cause(Legs legs);
/// Cells that were not attempted, by missing capability or fact.
std::vector<Cause> not_attempted_by_cause(Legs legs);

/// A measured fact as one phrase: "no (denied)", "65536 bytes", "373 us (p99)".
std::string fact_text(const Fact& fact);
/// "epoll_ctl(ADD, regular file): -1 EPERM", one for each call that was made to learn the fact.
std::vector<std::string> evidence_text(const Fact& fact);
/// A duration for a reader: "812 ns", "1.20 ms", "3.4 s".
std::string duration_text(std::int64_t nanoseconds);
/// A size for a reader: "512 bytes", "5.2 MiB".
std::string size_text(std::int64_t bytes);

}  // namespace loopscope::reports
