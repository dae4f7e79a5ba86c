// Merging, leg by leg: finding and sorting them first, then reading, checking and writing each.
#include "reports/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <ostream>
#include <set>
#include <thread>
#include <tuple>
#include <unordered_set>

#include "reports/compare.hpp"
#include "reports/merged.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports {
namespace {

/// A loop, scenario and repeat, by a hash of 128 bits: their texts would fill the memory.
using CellKey = std::pair<std::size_t, std::size_t>;
struct HashOfKey {
  std::size_t operator()(const CellKey& key) const { return key.first; }
};

CellKey key_of(const Cell& cell) {
  const std::string text = fmt::format("{}\n{}\n{}", cell.loop, cell.scenario, cell.repeat);
  return {std::hash<std::string>()(text), std::hash<std::string>()("\n" + text)};
}

/// A leg that was read, as text, with what has to be compared with other legs.
struct ReadLeg {
  std::string refused;  // empty when it is sound
  LegText text;
  Header header;
  std::vector<ScenarioRow> rules;
  std::vector<CellKey> keys;
  std::vector<std::pair<std::string, std::string>> names;  // loop and scenario of each key
  bool complete = false;
};

/// Where the counts of a journal stand; else where the leg begins.
std::size_t footer_line(const LegPlace& place) {
  if (place.form != LegPlace::Form::journal) return place.line;
  std::ifstream file(place.path, std::ios::binary);
  std::string text;
  std::size_t number = 0, found = place.line;
  while (std::getline(file, text)) {
    ++number;
    if (text.rfind("{\"footer\":", 0) == 0) found = number;
  }
  return found;
}

ReadLeg read_leg(const LegPlace& place, const MergeOptions& options) {
  ReadLeg read;
  Result<Run> loaded = load_leg(place);
  if (!loaded) {
    read.refused =
        loaded.error().is(Errc::protocol) ? loaded.error().detail : to_string(loaded.error());
    return read;
  }
  Run& run = *loaded;
  run.platform = place.platform;
  const std::vector<std::string> wrong = contradictions(run);
  if (!wrong.empty()) {
    read.refused = fmt::format("{}: line {}: the journal contradicts itself: {}", place.path,
                               footer_line(place), fmt::join(wrong, " "));
    return read;
  }
  if (options.redact) redact(run, *options.redact);
  read.text = leg_text_of(run);
  read.header = std::move(run.header);
  read.rules = std::move(run.catalogue.scenarios);
  read.complete = run.complete;
  for (Cell& cell : run.cells) {
    read.keys.push_back(key_of(cell));
    read.names.emplace_back(std::move(cell.loop), std::move(cell.scenario));
  }
  return read;
}

/// What the legs before say, against which the next one is held.
class Checker {
 public:
  explicit Checker(const MergeOptions& options) : options_(options) {}

  /// Empty when the leg fits; "same" when it is there already.
  std::string refuse(const LegPlace& place, const ReadLeg& leg) {
    if (place.platform != platform_) {
      platform_ = place.platform;
      cells_.clear();
    }
    if (std::string why = other_rule(place, leg); !why.empty()) return why;
    for (std::size_t i = 0; i < leg.keys.size(); ++i) {
      if (cells_.count(leg.keys[i]) == 0) continue;
      return fmt::format(
          "{}: line {}: {} on {} has a result on {} already, from another run; give one of them a "
          "name of its own: NAME={}",
          place.path, place.line, leg.names[i].second, leg.names[i].first, place.platform,
          place.path);
    }
    cells_.insert(leg.keys.begin(), leg.keys.end());
    for (const ScenarioRow& row : leg.rules) rules_.try_emplace(row.id, row, place.path);
    return {};
  }

 private:
  /// The first scenario that is another promise than in a leg before.
  std::string other_rule(const LegPlace& place, const ReadLeg& leg) const {
    if (options_.mixed_rules) return {};
    for (const ScenarioRow& row : leg.rules) {
      const auto known = rules_.find(row.id);
      if (known == rules_.end() || same_rule(&known->second.first, &row)) continue;
      return fmt::format(
          "{}: line {}: {} is another promise than in {}: the suites are of different revisions "
          "(--mixed-rev merges them)",
          place.path, place.line, row.id, known->second.second);
    }
    return {};
  }

  const MergeOptions& options_;
  std::string platform_;
  std::unordered_set<CellKey, HashOfKey> cells_;
  std::map<std::string, std::pair<ScenarioRow, std::string>> rules_;
};

struct Found {
  std::vector<LegPlace> legs;
  ExpectedLegs expected;
};

Found find_legs(const std::vector<MergeInput>& inputs, const MergeOptions& options,
                MergeResult& result) {
  Found found;
  for (const auto& [platform, why] : options.expected) {
    Run leg;
    leg.incomplete_because = why;
    if (options.redact) redact(leg, *options.redact);
    expect(found.expected, {{platform, leg.incomplete_because}});
  }
  for (const MergeInput& input : inputs) {
    Result<LegIndex> index = index_legs(input.path);
    if (!index) {
      const Error& error = index.error();
      result.refused.push_back(
          {input.path, error.is(Errc::protocol) ? error.detail : to_string(error)});
      continue;
    }
    expect(found.expected, index->expected);
    for (LegPlace& place : index->legs) {
      if (!input.platform.empty()) {
        if (place.form == LegPlace::Form::merged) {
          result.refused.push_back({input.path, input.path + ": line 1: a merged document has the "
                                                             "names of its legs; it gets none"});
          break;
        }
        place.platform = input.platform;
      }
      if (place.run_id.empty()) {
        result.refused.push_back(
            {input.path, fmt::format("{}: line {}: the run has no id", input.path, place.line)});
        continue;
      }
      found.legs.push_back(std::move(place));
    }
  }
  const auto key = [](const LegPlace& p) {
    return std::tie(p.platform, p.started_utc, p.run_id, p.path, p.offset);
  };
  std::sort(found.legs.begin(), found.legs.end(),
            [&](const LegPlace& a, const LegPlace& b) { return key(a) < key(b); });
  return found;
}

/// The run of every id, as it was written first.
struct Written {
  std::string platform, digest, path;
};

}  // namespace

MergeResult merge(const std::vector<MergeInput>& inputs, const MergeOptions& options,
                  std::ostream& out) {
  MergeResult result;
  const Found found = find_legs(inputs, options, result);
  MergedWriter writer(out, found.expected);
  Checker checker(options);
  std::map<std::string, Written> runs;
  std::set<std::string> present;
  ShardsSeen shards;
  const std::size_t ahead = std::max(1U, std::thread::hardware_concurrency());
  std::deque<std::future<ReadLeg>> reading;
  std::size_t next = 0;
  for (const LegPlace& place : found.legs) {
    while (next < found.legs.size() && reading.size() < ahead) {
      reading.push_back(std::async(std::launch::async, read_leg, std::cref(found.legs[next++]),
                                   std::cref(options)));
    }
    const ReadLeg leg = reading.front().get();
    reading.pop_front();
    std::string why = leg.refused;
    const auto known = runs.find(place.run_id);
    if (why.empty() && known != runs.end()) {
      const Written& before = known->second;
      if (before.platform == place.platform && before.digest == leg.text.digest) {
        ++result.same;
        continue;
      }
      why = fmt::format("{}: line {}: the run {} is in {} already, {}", place.path, place.line,
                        place.run_id, before.path,
                        before.platform == place.platform ? "with another content"
                                                          : "under the name " + before.platform);
    }
    if (why.empty()) why = checker.refuse(place, leg);
    if (!why.empty()) {
      result.refused.push_back({place.path, std::move(why)});
      continue;
    }
    writer.leg(place.platform, leg.text);
    runs[place.run_id] = {place.platform, leg.text.digest, place.path};
    present.insert(place.platform);
    shards.add(place.platform, leg.header);
    ++result.legs;
    result.cells += leg.keys.size();
    result.incomplete += leg.complete ? 0 : 1;
  }
  writer.end();
  for (const auto& [platform, why] : found.expected) {
    if (present.count(platform) == 0) {
      result.missing.push_back(platform + (why.empty() ? "" : ": " + why));
    }
  }
  for (const ShardsSeen::Missing& shard : shards.missing()) {
    result.missing.push_back(
        fmt::format("{}, shard {}/{}", shard.platform, shard.index, shard.count));
  }
  return result;
}

}  // namespace loopscope::reports
