// Counting: outcomes by loop, the verdict, and what needs attention. Pure functions on a Run.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "reports/model.hpp"

namespace loopscope::reports {

inline constexpr Outcome kOutcomes[] = {
    Outcome::pass,         Outcome::diverges, Outcome::fail,        Outcome::leak,
    Outcome::hang,         Outcome::crash,    Outcome::unsupported, Outcome::skip,
    Outcome::inconclusive, Outcome::broken,   Outcome::notrun};

struct Tally {
  std::string loop;
  std::array<std::size_t, std::size(kOutcomes)> count{};
  std::size_t of(Outcome outcome) const { return count[static_cast<std::size_t>(outcome)]; }
  std::size_t total() const;
  std::size_t red() const;
  std::size_t unknown() const;
  friend bool operator==(const Tally&, const Tally&) = default;
};

/// One row for each loop of the catalogue, in its order, absent ones included; then loops that
/// have cells although the catalogue does not know them.
std::vector<Tally> tally_by_loop(const Run& run);
/// The sum over all loops; its `loop` is empty.
Tally tally_all(const Run& run);

/// "green", "red" or "unknown". Without a footer it is unknown; otherwise the footer's word,
/// unless the cells are worse than it says.
std::string verdict(const Run& run);
/// Places where the journal contradicts itself, one sentence each; empty in a sound journal.
std::vector<std::string> contradictions(const Run& run);

/// True where a reader has to look: red, unknown, or not as expected.
bool needs_attention(const Cell& cell);
/// Planned cells that have a result, the plan's own decisions included.
std::size_t reported(const Run& run);

/// How a cell that is not a pass compares with the reference column (libuv) in the same scenario.
enum class Relation : std::uint8_t {
  none,            // nothing to compare: a pass on both, or no reference result
  only_this_loop,  // the reference passes
  also_reference,  // the reference does not pass either
  only_reference,  // the reference alone does not pass
};
std::string_view name(Relation relation);
/// The name of the reference column, "libuv" first; empty when no reference loop has cells.
std::string reference_loop(const Run& run);
Relation relation(const Run& run, const Cell& cell, std::string_view reference);

/// A scenario whose loops do not agree, among those that ran it.
struct Divergence {
  std::string scenario;
  std::vector<const Cell*> cells;  // the first repeat of each loop that ran it, in column order
};
std::vector<Divergence> divergences(const Run& run);

/// Why a cell was not attempted, from the cell down to the errno: one step per line.
struct WhyStep {
  std::string what;    // "needs the fact pidfd.open"
  std::string answer;  // "no: not_implemented"
};
std::vector<WhyStep> why_chain(const Run& run, const Cell& cell);

/// Cells that need attention, grouped by a cause that they share.
struct Cause {
  std::string title;
  std::vector<const Cell*> cells;
};
std::vector<Cause> attention_by_cause(const Run& run);

}  // namespace loopscope::reports
