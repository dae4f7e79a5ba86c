// CellResult: one cell's verdict with all of its evidence, and how it is reached.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/child.hpp"
#include "harness/outcome.hpp"
#include "harness/statement.hpp"

namespace loopscope {

struct LoopDescriptor;
struct Scenario;

enum class Decision : std::uint8_t { run, skip, unsupported };
std::string_view name(Decision decision);

/// A row of the plan: one loop, one scenario, one repetition, and what is to be done about it.
struct PlannedCell {
  const LoopDescriptor* loop = nullptr;
  const Scenario* scenario = nullptr;
  unsigned repeat = 0;
  std::uint64_t seed = 1;
  Decision decision = Decision::run;
  std::string reason{};        // of a skip or an unsupported
  std::string missing_cap{};   // id of the capability that the loop lacks
  std::string missing_fact{};  // id of the fact that does not hold here
};

enum class Standing : std::uint8_t { as_expected, unexpected, stale_expectation };
std::string_view name(Standing standing);

/// A known divergence of a loop: why it is so, and who says so.
struct Expectation {
  std::string scenario;  // a glob over ids
  std::string platform;  // a glob over "linux 6.1.0 x86_64"
  Outcome outcome = Outcome::fail;
  std::string why, source;
  std::string before{};    // the library's version that ended it: "1.48.0"; empty: every version
  bool sometimes = false;  // it depends on the moment: a pass is as expected as the outcome
  /// Facts and globs over their answers ("no EPERM"), which must all hold.
  std::vector<std::pair<std::string, std::string>> when{};
  std::string leaks{};  // of a leak: a glob over "descriptor 7 -> Job"; empty: whatever is left
};

struct CellResult {
  PlannedCell cell;
  Verdict verdict{Outcome::notrun, ""};
  CellStatement said;            // what the child reported; defaults when it said nothing
  std::optional<Finding> early;  // what the body concluded before the child ended otherwise
  std::vector<TraceEvent> trace;
  std::vector<std::string> crash;  // "signal 11 at 0x0 in thread 4711", then frames
  ChildReport child;
  Duration limit{0};
  Standing standing = Standing::as_expected;
  std::optional<Expectation> expectation;
  std::string rerun;
};

/// Reads what the child said and how it ended. Pure.
CellResult interpret(const PlannedCell& cell, ChildReport report, Duration limit);
/// The finding to show: the final one, or the one from before the end.
const Finding* shown_finding(const CellResult& result);

}  // namespace loopscope
