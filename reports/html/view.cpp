// What the sections share: which machines and columns there are, and which cell stands where.
#include <algorithm>
#include <set>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

int severity(const Cell& cell) {
  if (needs_attention(cell)) return 20 + static_cast<int>(cell.outcome);
  return static_cast<int>(cell.outcome);
}

}  // namespace

View::View(const Report& report, Beside chosen)
    : all(report), catalogue(all.catalogue()), beside(std::move(chosen)) {
  for (const Legs& runs : all.by_platform()) add(runs);
  std::set<std::string_view> planned;
  for (const auto& [key, cells] : index_) planned.insert(std::get<1>(key));
  for (const ScenarioRow& row : catalogue.scenarios) {
    if (planned.count(row.id) != 0) scenarios.push_back(&row);
  }
}

void View::add(const Legs& runs) {
  const std::size_t at = platforms.size();
  platforms.push_back({runs.platform(), runs});
  std::set<std::string_view> ran;
  for (const Run& run : runs) {
    references_[&run] = reference_loop(run);
    for (const Cell& cell : run.cells) {
      index_[{at, cell.scenario, cell.loop}].push_back({&run, &cell});
      ran.insert(cell.loop);
    }
  }
  for (const LoopRow& row : catalogue.loops) {
    const LoopRow* loop = runs.loop(row.name);
    if (loop == nullptr) continue;
    if (ran.count(row.name) != 0 || !loop->absent_because.empty()) columns.push_back({at, loop});
  }
}

const std::vector<PlacedCell>& View::cells(std::string_view scenario, const Column& column) const {
  static const std::vector<PlacedCell> none;
  const auto found = index_.find({column.platform, scenario, column.loop->name});
  return found == index_.end() ? none : found->second;
}

PlacedCell View::worst(std::string_view scenario, const Column& column) const {
  const auto& repeats = cells(scenario, column);
  if (repeats.empty()) return {};
  return *std::max_element(repeats.begin(), repeats.end(), [](const auto& a, const auto& b) {
    return severity(*a) < severity(*b);
  });
}

std::string View::anchor(const PlacedCell& cell) const {
  std::string id = "c.";
  if (many_platforms()) id += slug(cell.leg->platform) + ".";
  id += slug(cell->loop) + "." + slug(cell->scenario);
  if (cell->repeat != 0) id += fmt::format("..{}", cell->repeat);
  return id;
}

std::string View::loop_text(std::string_view platform, std::string_view loop) const {
  return many_platforms() ? fmt::format("{} on {}", loop, platform) : std::string(loop);
}

bool View::has_reference() const {
  return std::any_of(references_.begin(), references_.end(),
                     [](const auto& row) { return !row.second.empty(); });
}

Relation View::relation_of(const PlacedCell& cell) const {
  return relation(*cell.leg, *cell, references_.at(cell.leg));
}

bool emulates(const LoopRow& loop, const ScenarioRow& scenario) {
  return std::any_of(scenario.needs.begin(), scenario.needs.end(), [&](const std::string& need) {
    return std::find(loop.emulated.begin(), loop.emulated.end(), need) != loop.emulated.end();
  });
}

bool is_plain(const Cell& cell) {
  return !cell.ran || (cell.outcome == Outcome::pass && !needs_attention(cell));
}

}  // namespace loopscope::reports::html
