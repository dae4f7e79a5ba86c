// Counting: outcomes by loop, and the verdict that follows. Pure functions on a Run.
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
  std::string loop, platform;
  std::string column;  // the loop, with its platform among several legs
  std::array<std::size_t, std::size(kOutcomes)> count{};
  std::size_t of(Outcome outcome) const { return count[static_cast<std::size_t>(outcome)]; }
  std::size_t total() const;
  std::size_t red() const;
  std::size_t unknown() const;
  friend bool operator==(const Tally&, const Tally&) = default;
};

/// By platform: one row for each loop of the catalogue, in its order, absent ones included; then
/// loops that have cells although the catalogue does not know them.
std::vector<Tally> tally_by_loop(Legs legs);
/// Why the loop of a row is absent on its platform; empty when it is not.
std::string absence(Legs legs, const Tally& tally);
/// The sum over all loops; its `loop` is empty.
Tally tally_all(Legs legs);

/// "green", "red" or "unknown". Without a footer it is unknown; otherwise the footer's word,
/// unless the cells are worse than it says. Of several legs the worst word.
std::string verdict(Legs legs);
/// Places where a journal contradicts itself, one sentence each; empty in a sound journal.
std::vector<std::string> contradictions(Legs legs);

/// "query \"udp\": 3 of 450 scenarios, and the counts of these"; empty without a restriction.
std::string restriction_text(const Report& report);

/// True where a reader has to look: red, unknown, or not as expected.
bool needs_attention(const Cell& cell);
/// Planned cells that have a result, the plan's own decisions included.
std::size_t reported(Legs legs);
/// A leg in a phrase: "Linux, 6.18.44, x86_64, 2026-11-21T11:00:00Z, incomplete".
std::string leg_text(const Run& leg);

}  // namespace loopscope::reports
