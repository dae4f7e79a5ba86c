// Comparing two runs, cell by cell.
#include "reports/diff.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "reports/compare.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports {
namespace {

using Key = std::tuple<std::string, std::string, std::string>;  // platform, loop, scenario

/// All repeats of one loop and scenario.
struct Repeats {
  std::vector<PlacedCell> cells;
  std::size_t place = 0;  // of the first one among all cells
  std::set<Outcome> outcomes() const {
    std::set<Outcome> found;
    for (const PlacedCell& cell : cells) found.insert(cell->outcome);
    return found;
  }
};

/// `named`: platforms keep cells apart.
std::map<Key, Repeats> by_key(Legs legs, bool named) {
  std::map<Key, Repeats> found;
  std::size_t place = 0;
  for (const PlacedCell& cell : cells_of(legs)) {
    Repeats& repeats = found[{named ? cell.leg->platform : "", cell->loop, cell->scenario}];
    if (repeats.cells.empty()) repeats.place = place;
    repeats.cells.push_back(cell);
    ++place;
  }
  return found;
}

/// How far from kept.
int distance(Outcome outcome) {
  if (outcome == Outcome::pass) return 0;
  if (outcome == Outcome::diverges) return 1;
  if (outcome == Outcome::unsupported || outcome == Outcome::skip) return 2;
  return is_red(outcome) ? 4 : 3;
}

int distance(const Repeats& repeats) {
  int worst = 0;
  for (const Outcome outcome : repeats.outcomes()) worst = std::max(worst, distance(outcome));
  return worst;
}

std::string words(const Repeats& repeats) {
  const Cell& first = *repeats.cells.front();
  std::string text;
  for (const Outcome outcome : repeats.outcomes()) {
    text += (text.empty() ? "" : ", ") + std::string(name(outcome));
  }
  const std::string& why = first.variant.empty() ? first.reason : first.variant;
  return why.empty() ? text : text + ": " + why;
}

/// What of a cell is its reason: what it observed may be a time, and differs each time.
std::vector<std::string> reason(const Repeats& repeats) {
  const Cell& first = *repeats.cells.front();
  std::vector<std::string> parts{first.variant, first.what, first.missing_cap, first.missing_fact};
  for (const Leak& leak : first.leaks) parts.push_back(leak.kind);
  return parts;
}

/// Nothing when nothing changed.
std::optional<Change> change_between(const Repeats& was, const Repeats& is) {
  const std::string& id = was.cells.front()->scenario;
  const Run &before = *was.cells.front().leg, &after = *is.cells.front().leg;
  if (was.outcomes() == is.outcomes()) {
    if (reason(was) == reason(is)) return std::nullopt;
    return Change::reason_changed;
  }
  if (!same_rule(before.scenario(id), after.scenario(id))) return Change::rule_changed;
  if (was.outcomes().size() == 1 && is.outcomes().size() > 1) return Change::flaky;
  if (distance(is) == distance(was)) return Change::reason_changed;
  return distance(is) > distance(was) ? Change::regressed : Change::fixed;
}

/// Samples of how long something takes differ each time.
bool is_measurement(const Fact& fact) { return fact.samples.has_value(); }

double number_of(const Fact& fact) {
  if (const double* real = std::get_if<double>(&fact.value)) return *real;
  const std::int64_t* whole = std::get_if<std::int64_t>(&fact.value);
  return whole == nullptr ? 0 : static_cast<double>(*whole);
}

/// A tick or a resolution is measured too: it is another one when it is twice or half of it.
bool same_answer(const Fact& was, const Fact& is) {
  if (fact_text(was) == fact_text(is)) return true;
  const bool times = was.unit == is.unit && (was.unit == "ns" || was.unit == "us");
  const double a = number_of(was), b = number_of(is);
  return times && a > 0 && b > 0 && std::max(a, b) < 2 * std::min(a, b);
}

/// Facts explain most of the rest, so they come first.
std::vector<HostChange> host_changes(const Run& before, const Run& after) {
  std::vector<HostChange> found;
  for (const Fact& fact : before.facts) {
    const Fact* now = after.fact(fact.id);
    if (is_measurement(fact) || (now != nullptr && is_measurement(*now))) continue;
    if (now != nullptr && same_answer(fact, *now)) continue;
    found.push_back({fact.id, fact_text(fact), now == nullptr ? "not asked" : fact_text(*now)});
  }
  for (const Fact& fact : after.facts) {
    if (before.fact(fact.id) != nullptr || is_measurement(fact)) continue;
    found.push_back({fact.id, "not asked", fact_text(fact)});
  }
  std::vector<std::string> keys;
  for (const Fields* fields : {&before.header.host, &after.header.host}) {
    for (const auto& [key, value] : *fields) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  for (const std::string& key : keys) {
    const std::string was = text_of(before.header.host, key), is = text_of(after.header.host, key);
    if (was != is) found.push_back({key, was, is});
  }
  return found;
}

bool several_platforms(Legs legs) {
  return std::any_of(legs.begin(), legs.end(),
                     [&](const Run& leg) { return leg.platform != legs.platform(); });
}

/// Of each platform that both have, its first legs; and which platforms came and went.
std::vector<HostChange> host_changes(Legs before, Legs after, bool named) {
  if (!named) return host_changes(before.front(), after.front());
  std::map<std::string, std::pair<const Run*, const Run*>> platforms;
  for (const Legs& part : before.by_platform()) platforms[part.platform()].first = &part.front();
  for (const Legs& part : after.by_platform()) platforms[part.platform()].second = &part.front();
  std::vector<HostChange> found;
  for (const auto& [platform, legs] : platforms) {
    const auto [was, is] = legs;
    if (was == nullptr || is == nullptr) {
      found.push_back(
          {platform, was == nullptr ? "absent" : "present", is == nullptr ? "absent" : "present"});
      continue;
    }
    for (HostChange& change : host_changes(*was, *is)) {
      found.push_back({platform + ": " + change.what, change.was, change.is});
    }
  }
  return found;
}

}  // namespace

std::string_view name(Change change) {
  constexpr std::string_view kNames[] = {"regressed", "fixed",    "reason-changed", "flaky",
                                         "appeared",  "vanished", "rule-changed"};
  return kNames[static_cast<std::size_t>(change)];
}

std::size_t RunDiff::of(Change change) const {
  return static_cast<std::size_t>(std::count_if(
      cells.begin(), cells.end(), [&](const CellChange& cell) { return cell.change == change; }));
}

RunDiff diff(Legs before, Legs after) {
  RunDiff result;
  const bool named = several_platforms(before) || several_platforms(after);
  result.host = host_changes(before, after, named);
  const auto old = by_key(before, named), now = by_key(after, named);
  // In the order of the plan: the newer one, and of what vanished the older one.
  std::vector<std::pair<std::size_t, CellChange>> changes;
  const auto add = [&](Change change, const Repeats* was, const Repeats* is) {
    const Repeats& shown = is != nullptr ? *is : *was;
    const PlacedCell& first = shown.cells.front();
    const auto cell = [](const Repeats* of) -> const Cell* {
      return of == nullptr ? nullptr : &*of->cells.front();
    };
    changes.push_back({shown.place,
                       {change, cell(was), cell(is),
                        named ? first->loop + " @ " + first.leg->platform : first->loop,
                        was == nullptr ? "" : words(*was), is == nullptr ? "" : words(*is)}});
  };
  for (const auto& [key, was] : old) {
    const auto found = now.find(key);
    if (found == now.end()) {
      add(Change::vanished, &was, nullptr);
    } else if (const std::optional<Change> change = change_between(was, found->second)) {
      add(*change, &was, &found->second);
    } else {
      ++result.same;
    }
  }
  for (const auto& [key, is] : now) {
    if (old.count(key) == 0) add(Change::appeared, nullptr, &is);
  }
  std::stable_sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second.change, a.first) < std::tie(b.second.change, b.first);
  });
  for (auto& [place, change] : changes) result.cells.push_back(std::move(change));
  return result;
}

}  // namespace loopscope::reports
