// Comparing cells with the reference and with each other, and explaining what was not attempted.
#include "reports/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "reports/tally.hpp"

namespace loopscope::reports {
namespace {

/// Which loops stand out: the one whose behaviour no other loop shows, if all others agree.
std::string pattern_of(Legs legs, const std::vector<PlacedCell>& cells) {
  std::map<std::string, std::vector<PlacedCell>> by_behaviour;
  for (const PlacedCell& cell : cells) by_behaviour[behaviour(*cell)].push_back(cell);
  if (by_behaviour.size() != 2 || cells.size() < 3) return "the loops disagree";
  const auto& first = by_behaviour.begin()->second;
  const auto& second = by_behaviour.rbegin()->second;
  if (first.size() == second.size()) return "the loops disagree";
  const auto& odd = first.size() < second.size() ? first : second;
  std::vector<std::string> names;
  for (const PlacedCell& cell : odd) names.push_back(legs.column(*cell.leg, cell->loop));
  if (odd.size() == 1) return names.front() + " alone differs";
  return fmt::format("{} differ from the others", fmt::join(names, " and "));
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, std::min<std::size_t>(text.find('\n'), 120)));
}

/// Sort key and title of a cell that needs attention.
std::pair<int, std::string> cause_of(const Cell& cell) {
  const std::string reason = cell.reason.empty() ? "" : ": " + first_line(cell.reason);
  if (cell.standing == "stale_expectation") return {8, "An expectation is stale"};
  switch (cell.outcome) {
    case Outcome::crash:
      return {0, "The process died"};
    case Outcome::hang:
      return {1, "Killed at its limit"};
    case Outcome::fail:
      return {2, "A promise was broken"};
    case Outcome::leak:
      return {3, "Something was left behind"};
    case Outcome::broken:
      return {4, "Harness or adapter at fault" + reason};
    case Outcome::inconclusive:
      return {5, "This host's evidence cannot decide" + reason};
    case Outcome::notrun:
      return {6, "Planned, and the run ended before it"};
    default:
      return {7, fmt::format("Unexpected: {}", name(cell.outcome))};
  }
}

using CauseKey = std::pair<int, std::string>;

std::vector<Cause> group(std::map<CauseKey, std::vector<PlacedCell>> groups) {
  std::vector<Cause> causes;
  for (auto& [key, cells] : groups) causes.push_back({key.second, std::move(cells)});
  return causes;
}

std::string number(double value) {
  return std::floor(value) == value && std::fabs(value) < 1e15
             ? fmt::format("{}", static_cast<std::int64_t>(value))
         : std::fabs(value) >= 1e4 && std::fabs(value) < 1e15 ? fmt::format("{:.0f}", value)
                                                              : fmt::format("{:.4g}", value);
}

std::string value_text(const Fact& fact) {
  const auto* whole = std::get_if<std::int64_t>(&fact.value);
  const auto* real = std::get_if<double>(&fact.value);
  if (whole == nullptr && real == nullptr) return to_text(fact.value);
  const double value = whole != nullptr ? static_cast<double>(*whole) : *real;
  if (fact.unit == "ns") return duration_text(static_cast<std::int64_t>(value));
  return fact.unit.empty() || fact.unit == "none" || fact.unit == "count"
             ? number(value)
             : number(value) + " " + fact.unit;
}

void add_fact_steps(const Run& run, const std::string& id, std::vector<WhyStep>& steps) {
  const Fact* fact = run.fact(id);
  if (fact == nullptr) {
    steps.push_back({"needs the fact " + id, "not measured in this run"});
    return;
  }
  steps.push_back({"needs the fact " + id, fact_text(*fact)});
  for (const std::string& line : evidence_text(*fact)) steps.push_back({"measured", line});
  if (!fact->note.empty()) steps.push_back({"note", fact->note});
}

void add_capability_steps(const Run& run, const Cell& cell, std::vector<WhyStep>& steps) {
  const LoopRow* loop = run.loop(cell.loop);
  if (loop != nullptr && !loop->absent_because.empty()) {
    steps.push_back({"the loop " + cell.loop, "is absent: " + loop->absent_because});
    return;
  }
  const auto& rows = run.catalogue.capabilities;
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&](const auto& r) { return r.id == cell.missing_cap; });
  steps.push_back(
      {"needs the capability " + cell.missing_cap, row == rows.end() ? std::string{} : row->title});
  if (loop != nullptr) steps.push_back({"the loop " + cell.loop, "does not offer it"});
}

}  // namespace

bool was_judged(const Cell& cell) {
  return cell.outcome == Outcome::pass || cell.outcome == Outcome::diverges || is_red(cell.outcome);
}

std::string behaviour(const Cell& cell) {
  return std::string(name(cell.outcome)) + (cell.variant.empty() ? "" : ":" + cell.variant);
}

bool same_rule(const ScenarioRow* a, const ScenarioRow* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->promise == b->promise && a->source == b->source && a->level == b->level &&
         a->authority == b->authority;
}

std::string_view name(Relation relation) {
  switch (relation) {
    case Relation::only_this_loop:
      return "only_this_loop";
    case Relation::also_reference:
      return "also_reference";
    case Relation::only_reference:
      return "only_reference";
    case Relation::none:
      break;
  }
  return "none";
}

std::string reference_loop(const Run& run) {
  for (const LoopRow& loop : run.catalogue.loops) {
    if (loop.family != "reference") continue;
    const bool ran = std::any_of(run.cells.begin(), run.cells.end(), [&](const Cell& cell) {
      return cell.loop == loop.name && cell.ran;
    });
    if (ran) return loop.name;
  }
  return {};
}

Relation relation(const Run& run, const Cell& cell, std::string_view reference) {
  if (reference.empty() || cell.loop == reference || !was_judged(cell)) return Relation::none;
  const Cell* other = run.find(reference, cell.scenario);
  if (other == nullptr || !was_judged(*other)) return Relation::none;
  const bool here = cell.outcome == Outcome::pass;
  const bool there = other->outcome == Outcome::pass;
  if (here && there) return Relation::none;
  if (here) return Relation::only_reference;
  return there ? Relation::only_this_loop : Relation::also_reference;
}

std::vector<Divergence> divergences(Legs legs) {
  std::map<std::string_view, std::vector<PlacedCell>> judged;
  std::vector<std::string_view> order;
  for (const Run& leg : legs) {
    for (const ScenarioRow& row : leg.catalogue.scenarios) {
      if (judged.try_emplace(row.id).second) order.push_back(row.id);
    }
  }
  for (const PlacedCell& cell : cells_of(legs)) {
    const auto at = judged.find(cell->scenario);
    if (at != judged.end() && cell->repeat == 0 && was_judged(*cell)) at->second.push_back(cell);
  }
  std::vector<Divergence> found;
  for (const std::string_view id : order) {
    const std::vector<PlacedCell>& cells = judged[id];
    const bool agree = std::all_of(cells.begin(), cells.end(), [&](const PlacedCell& cell) {
      return behaviour(*cell) == behaviour(*cells.front());
    });
    if (!agree) found.push_back({legs.scenario(id), cells, pattern_of(legs, cells)});
  }
  return found;
}

std::vector<WhyStep> why_chain(const Run& run, const Cell& cell) {
  std::vector<WhyStep> steps;
  const bool decided = cell.outcome == Outcome::skip || cell.outcome == Outcome::unsupported;
  if (!decided && !is_unknown(cell.outcome)) return steps;
  steps.push_back(
      {fmt::format("{} on {}", cell.scenario, cell.loop),
       fmt::format("{}{}", name(cell.outcome), cell.reason.empty() ? "" : ": " + cell.reason)});
  if (!cell.missing_cap.empty()) add_capability_steps(run, cell, steps);
  if (!cell.missing_fact.empty()) add_fact_steps(run, cell.missing_fact, steps);
  if (cell.backend && cell.outcome == Outcome::broken) {
    steps.push_back({"backend", fmt::format("{} was asked for, {} was found",
                                            cell.backend->requested, cell.backend->effective)});
    for (const Proof& proof : cell.backend->proof) steps.push_back({proof.how, proof.value});
  }
  return steps;
}

std::vector<Cause> attention_by_cause(Legs legs) {
  std::map<CauseKey, std::vector<PlacedCell>> groups;
  for (const PlacedCell& cell : cells_of(legs)) {
    if (needs_attention(*cell)) groups[cause_of(*cell)].push_back(cell);
  }
  return group(std::move(groups));
}

std::vector<Cause> known_by_cause(Legs legs) {
  std::map<CauseKey, std::vector<PlacedCell>> groups;
  for (const PlacedCell& cell : cells_of(legs)) {
    if (needs_attention(*cell) || !cell->expectation || cell->outcome == Outcome::pass) continue;
    groups[{0, cell->expectation->why}].push_back(cell);
  }
  return group(std::move(groups));
}

std::vector<Cause> not_attempted_by_cause(Legs legs) {
  std::map<CauseKey, std::vector<PlacedCell>> groups;
  for (const PlacedCell& cell : cells_of(legs)) {
    if (cell->outcome == Outcome::skip) {
      const bool fact = !cell->missing_fact.empty();
      groups[{0, fact ? "the fact " + cell->missing_fact : first_line(cell->reason)}].push_back(
          cell);
    } else if (cell->outcome == Outcome::unsupported) {
      const bool cap = !cell->missing_cap.empty();
      const std::string what = cap ? "lacks " + cell->missing_cap : first_line(cell->reason);
      groups[{1, cell->loop + ": " + what}].push_back(cell);
    }
  }
  return group(std::move(groups));
}

std::string fact_text(const Fact& fact) {
  std::string text = fact.value.index() == 0 ? "no answer" : value_text(fact);
  if (!fact.reason.empty() && fact.reason != "none") text += " (" + fact.reason + ")";
  return text;
}

std::vector<std::string> evidence_text(const Fact& fact) {
  std::vector<std::string> lines;
  for (const FactEvidence& evidence : fact.evidence) {
    std::string line = evidence.call + ": " + evidence.result;
    const bool named = evidence.errno_name.empty() ||
                       evidence.result.find(evidence.errno_name) != std::string::npos;
    if (!named) line += " " + evidence.errno_name;
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string size_text(std::int64_t bytes) {
  const double size = static_cast<double>(bytes);
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  if (bytes < 1024 * 1024) return fmt::format("{:.4g} KiB", size / 1024);
  return fmt::format("{:.4g} MiB", size / (1024 * 1024));
}

std::string duration_text(std::int64_t nanoseconds) {
  const double ns = static_cast<double>(nanoseconds);
  const double size = std::fabs(ns);
  if (size < 1e3) return fmt::format("{} ns", nanoseconds);
  if (size < 1e6) return fmt::format("{:.3g} us", ns / 1e3);
  if (size < 1e9) return fmt::format("{:.3g} ms", ns / 1e6);
  return fmt::format("{:.3g} s", ns / 1e9);
}

}  // namespace loopscope::reports
