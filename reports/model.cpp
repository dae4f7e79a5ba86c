// Run: look-ups, and scalars as text.
#include "reports/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "reports/text.hpp"

namespace loopscope::reports {
namespace {

struct ToText {
  std::string operator()(std::monostate) const { return "-"; }
  std::string operator()(bool value) const { return value ? "yes" : "no"; }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return fmt::format("{:g}", value); }
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(const std::vector<std::string>& values) const {
    return fmt::format("{}", fmt::join(values, ", "));
  }
};

bool is_platform_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("_.+=-").find(c) != std::string_view::npos;
}

}  // namespace

std::string to_text(const Scalar& value) { return std::visit(ToText{}, value); }

std::string text_of(const Fields& fields, std::string_view key) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == key; });
  return found == fields.end() ? std::string{} : to_text(found->second);
}

const Cell* Run::find(std::string_view loop, std::string_view scenario, std::int64_t repeat) const {
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.scenario == scenario && cell.loop == loop && cell.repeat == repeat;
  });
  return found == cells.end() ? nullptr : &*found;
}

const Fact* Run::fact(std::string_view id) const {
  const auto found =
      std::find_if(facts.begin(), facts.end(), [&](const Fact& f) { return f.id == id; });
  return found == facts.end() ? nullptr : &*found;
}

const ScenarioRow* Run::scenario(std::string_view id) const {
  const auto& rows = catalogue.scenarios;
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.id == id; });
  return found == rows.end() ? nullptr : &*found;
}

const LoopRow* Run::loop(std::string_view name) const {
  const auto& rows = catalogue.loops;
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

std::string platform_of(const Header& header) {
  std::string os = text_of(header.host, "os");
  if (os == "Darwin") os = "macos";
  std::string label = fmt::format("{}-{}", os, text_of(header.host, "arch"));
  for (const auto& [key, value] : header.environment_options) {
    if (key == "LOOPSCOPE_URING") label += "+uring=" + to_text(value);
    if (key == "LOOPSCOPE_CHILD_WATCHER") label += "+child=" + to_text(value);
  }
  label = lower_case(label);
  for (char& c : label) {
    if (!is_platform_character(c)) c = '_';
  }
  return label;
}

bool is_platform_name(std::string_view label) {
  return !label.empty() && std::all_of(label.begin(), label.end(), is_platform_character);
}

void ShardsSeen::add(const std::string& platform, const Header& header) {
  if (header.shard_count == 0) return;
  seen_[{platform, header.shard_deal, header.shard_count}].insert(header.shard_index);
}

std::vector<ShardsSeen::Missing> ShardsSeen::missing() const {
  std::vector<Missing> out;
  for (const auto& [run, indices] : seen_) {
    const auto& [platform, deal, count] = run;
    for (std::int64_t index = 1; index <= count; ++index) {
      if (indices.count(index) == 0) out.push_back({platform, index, count});
    }
  }
  return out;
}

Report report_of(Run run) {
  Report report;
  report.legs.push_back(std::move(run));
  return report;
}

void sort_legs(Report& report) {
  const auto key = [](const Run& leg) {
    return std::tie(leg.platform, leg.header.started_utc, leg.header.run_id);
  };
  std::stable_sort(report.legs.begin(), report.legs.end(),
                   [&](const Run& a, const Run& b) { return key(a) < key(b); });
}

std::vector<Legs> Legs::by_platform() const {
  std::vector<Legs> parts;
  for (std::size_t begin = 0, end = 0; begin < runs_.size(); begin = end) {
    while (end < runs_.size() && runs_[end].platform == runs_[begin].platform) ++end;
    parts.emplace_back(runs_.subspan(begin, end - begin));
  }
  return parts;
}

const Fact* Legs::fact(std::string_view id) const {
  for (const Run& leg : runs_) {
    if (const Fact* found = leg.fact(id)) return found;
  }
  return nullptr;
}

const ScenarioRow* Legs::scenario(std::string_view id) const {
  const ScenarioRow* newest = nullptr;
  std::string_view started;
  for (const Run& leg : runs_) {
    if (newest != nullptr && leg.header.started_utc <= started) continue;
    const ScenarioRow* found = leg.scenario(id);
    if (found == nullptr) continue;
    newest = found;
    started = leg.header.started_utc;
  }
  return newest;
}

const LoopRow* Legs::loop(std::string_view name) const {
  const LoopRow* any = nullptr;
  for (const Run& leg : runs_) {
    const LoopRow* found = leg.loop(name);
    if (found != nullptr && found->absent_because.empty()) return found;
    if (any == nullptr) any = found;
  }
  return any;
}

Catalogue Legs::catalogue() const {
  if (!several()) return front().catalogue;
  Catalogue all;
  std::set<std::string_view> loops, scenarios, capabilities, api;
  for (const Run& leg : runs_) {
    for (const LoopRow& row : leg.catalogue.loops) {
      if (loops.insert(row.name).second) all.loops.push_back(*loop(row.name));
    }
    for (const ScenarioRow& row : leg.catalogue.scenarios) {
      if (scenarios.insert(row.id).second) all.scenarios.push_back(*scenario(row.id));
    }
    for (const CapabilityRow& row : leg.catalogue.capabilities) {
      if (capabilities.insert(row.id).second) all.capabilities.push_back(row);
    }
    for (const ApiGroupRow& row : leg.catalogue.api) {
      if (api.insert(row.title).second) all.api.push_back(row);
    }
  }
  return all;
}

std::string Legs::column(const Run& leg, std::string_view loop) const {
  return several() ? fmt::format("{} @ {}", loop, leg.platform) : std::string(loop);
}

bool Legs::complete() const {
  return std::all_of(begin(), end(), [](const Run& leg) { return leg.complete; });
}

std::string Legs::incomplete_because() const {
  if (!several()) return front().incomplete_because;
  std::vector<std::string> parts;
  for (const Run& leg : runs_) {
    if (leg.complete) continue;
    parts.push_back(fmt::format("{}: {}", leg.platform, leg.incomplete_because));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::size_t Legs::planned() const {
  std::size_t sum = 0;
  for (const Run& leg : runs_) sum += leg.cells.size();
  return sum;
}

std::vector<PlacedCell> cells_of(Legs legs) {
  std::vector<PlacedCell> cells;
  cells.reserve(legs.planned());
  for (const Run& leg : legs) {
    for (const Cell& cell : leg.cells) cells.push_back({&leg, &cell});
  }
  return cells;
}

}  // namespace loopscope::reports
