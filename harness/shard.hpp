// Shards: a run's scenarios dealt to several machines or jobs. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario.hpp"

namespace loopscope {

struct Shard {
  unsigned index = 1;  // from 1 to count
  unsigned count = 1;
};
/// "2/3". nullopt for anything else, and beyond 1000 shards.
std::optional<Shard> parse_shard(std::string_view text);
std::string to_string(const Shard& shard);

/// How long a scenario took in an earlier run, all loops together, in nanoseconds.
using Durations = std::map<std::string, std::int64_t, std::less<>>;

/// All scenarios, dealt: each to the shard that has least to do so far, the long ones first. The
/// same scenarios, durations and count are dealt alike everywhere. A scenario of unknown duration
/// counts as the median of the known ones.
struct Deal {
  std::vector<std::vector<const Scenario*>> hands;  // one for each shard, in the order given
  std::string digest;  // of who got what: shards of one run have the same
};
Deal deal(std::span<const Scenario* const> scenarios, unsigned shards, const Durations& durations);

}  // namespace loopscope
