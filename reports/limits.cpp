// What a run shows of the documented limits; where nothing bears on one, it says so.
#include "reports/limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "reports/compare.hpp"

namespace loopscope::reports {
namespace {

constexpr std::string_view kNotMeasured = "not measured here";

struct Votes {
  bool yes = false, no = false, shown = false;

  std::string status(std::string_view positive) const {
    if (yes && no) return "mixed";
    if (yes) return std::string(positive);
    if (no) return "refuses";
    return shown ? "shown" : "not_measured";
  }
};

std::string os_of(Legs legs) {
  const std::string os = text_of(legs.front().header.host, "os");
  return os == "Darwin" ? "macOS" : os;
}

/// Whether a claim about `platform` can be tested on the system of this run.
bool applies(std::string_view platform, const std::string& os) {
  if (platform.empty()) return true;
  if (platform == "Unix") return !os.empty() && os != "Windows";
  return platform == os;
}

bool is_refusal(std::string_view text) {
  // An errno name: "EPERM", or "EPERM (...)"; words such as "Error" are none.
  return text.size() > 2 && text[0] == 'E' && text[1] >= 'A' && text[1] <= 'Z';
}

void read_row(const FactTableRow& row, const Fact& fact, Votes& votes, LimitLevel& level) {
  std::vector<std::string> cells;
  for (const auto& [mechanism, answer] : row.cells) {
    if (answer.empty() || answer == "-" || answer == "n/a") continue;
    (is_refusal(answer) ? votes.no : votes.yes) = true;
    cells.push_back(mechanism + " " + answer);
  }
  if (cells.empty()) return;
  level.evidence.push_back(fmt::format("{}, {}: {}", fact.id, row.name, fmt::join(cells, ", ")));
}

void count_fact(const LimitFact& bearing, const Fact& fact, Votes& votes, LimitLevel& level) {
  if (bearing.rule == FactRule::table_row) {
    for (const FactTableRow& row : fact.table) {
      if (row.name.find(bearing.row) != std::string::npos) read_row(row, fact, votes, level);
    }
    return;
  }
  level.evidence.push_back(fact.id + ": " + fact_text(fact));
  if (bearing.rule == FactRule::shown) {
    votes.shown = votes.shown || fact.value.index() != 0;
    return;
  }
  if (const bool* answer = std::get_if<bool>(&fact.value)) {
    (*answer ? votes.yes : votes.no) = true;
  } else if (fact.value.index() != 0) {
    votes.yes = true;
  } else if (fact.reason == "denied" || fact.reason == "not_implemented" ||
             fact.reason == "not_supported" || fact.reason == "invalid") {
    votes.no = true;  // A null with an errno is a refusal; any other null is no answer.
  }
}

LimitLevel judge_system(const Limit& limit, Legs legs) {
  LimitLevel level;
  Votes votes;
  for (const LimitFact& bearing : limit.facts) {
    const Fact* fact = legs.fact(bearing.id);
    if (fact != nullptr) count_fact(bearing, *fact, votes, level);
  }
  level.status = votes.status("permits");
  if (level.status == "permits") {
    level.text = "This system permits it.";
  } else if (level.status == "refuses") {
    level.text = "This system refuses it.";
  } else if (level.status == "mixed") {
    level.text = "This system permits it through some mechanisms and refuses it through others.";
  } else if (level.status == "shown") {
    level.text = "Measured; the values decide nothing by themselves.";
  }
  return level;
}

using LoopNames = std::vector<std::string>;

/// Whether the cell's loop is one that the claim is about. One that is absent here neither delivers
/// nor refuses: io_uring does not lack UDP on Windows.
bool is_meant(Legs legs, const Cell& cell, std::string_view family) {
  const LoopRow* loop = legs.loop(cell.loop);
  if (loop == nullptr) return family.empty();
  return loop->absent_because.empty() && (family.empty() || loop->family == family);
}

void read_scenario(const LimitScenario& bearing, std::string_view family, Legs legs, Votes& votes,
                   LimitLevel& level, LoopNames& deliver) {
  std::map<Outcome, LoopNames> by_outcome;
  for (const PlacedCell& placed : cells_of(legs)) {
    const Cell& cell = *placed;
    if (cell.scenario != bearing.id || cell.repeat != 0) continue;
    if (!is_meant(legs, cell, family)) continue;
    by_outcome[cell.outcome].push_back(cell.loop);
    const bool judged = was_judged(cell);
    if (!judged && cell.outcome != Outcome::unsupported) continue;
    if (bearing.means == PassMeans::shows) {
      votes.shown = votes.shown || judged;
      continue;
    }
    const bool kept = cell.outcome == Outcome::pass;
    const bool delivers = bearing.means == PassMeans::delivers ? kept : judged && !kept;
    (delivers ? votes.yes : votes.no) = true;
    if (delivers) deliver.push_back(cell.loop);
  }
  if (by_outcome.empty()) return;
  std::vector<std::string> parts;
  for (const auto& [outcome, loops] : by_outcome) {
    parts.push_back(fmt::format("{} on {}", name(outcome), fmt::join(loops, ", ")));
  }
  const std::string_view means =
      bearing.means == PassMeans::refuses ? " (a pass means: refused cleanly)" : "";
  level.evidence.push_back(fmt::format("{}{}: {}", bearing.id, means, fmt::join(parts, "; ")));
}

LimitLevel judge_loops(const Limit& limit, Legs legs) {
  LimitLevel level;
  Votes votes;
  LoopNames deliver;
  for (const LimitScenario& bearing : limit.scenarios) {
    read_scenario(bearing, limit.family, legs, votes, level, deliver);
  }
  std::sort(deliver.begin(), deliver.end());
  deliver.erase(std::unique(deliver.begin(), deliver.end()), deliver.end());
  level.status = votes.status("delivers");
  if (!deliver.empty()) {
    level.text = fmt::format("{} here by {}.",
                             level.status == "delivers" ? "Delivered" : "Delivered in part",
                             fmt::join(deliver, ", "));
  } else if (level.status == "refuses") {
    level.text = "No loop that was run here delivers it.";
  } else if (level.status == "shown") {
    level.text = "The loops were watched doing it; the outcomes are below.";
  }
  return level;
}

void complete(LimitLevel& level, const std::string& why) {
  if (level.status != "not_measured") return;
  level.text = std::string(kNotMeasured) + why;
}

}  // namespace

std::vector<LimitResult> judge_limits(Legs platform) {
  const std::string os = os_of(platform);
  std::vector<LimitResult> results;
  for (const Limit& limit : limits()) {
    LimitResult result{&limit, {"not_measured", {}, {}}, {"not_measured", {}, {}}};
    std::string why;
    if (applies(limit.platform, os)) {
      result.system = judge_system(limit, platform);
      result.loops = judge_loops(limit, platform);
    } else {
      why = fmt::format(": a claim about {}, and this machine runs {}", limit.platform,
                        os.empty() ? "something unnamed" : os);
    }
    complete(result.system, why);
    complete(result.loops, why);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace loopscope::reports
