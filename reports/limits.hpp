// The documented limits C1 to C30 of asyncio, and what this machine shows of each at three levels.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reports/model.hpp"

namespace loopscope::reports {

/// How a fact bears on a limit.
enum class FactRule : std::uint8_t {
  yes_permits,  // a true, or a value that is not empty, says that the system permits it
  table_row,    // a row of a table: mechanisms that accept, and mechanisms that refuse
  shown,        // a number or a word for the reader; it decides nothing
};

struct LimitFact {
  std::string_view id;
  FactRule rule = FactRule::yes_permits;
  std::string_view row = {};  // part of the name of the table's row
};

/// What a pass of a scenario says about a limit.
enum class PassMeans : std::uint8_t { delivers, refuses, shows };

struct LimitScenario {
  std::string_view id;
  PassMeans means = PassMeans::delivers;
};

/// A documented limit, as data.
struct Limit {
  std::string_view id;                       // "C1"
  std::string_view claim;                    // one sentence
  std::string_view platform;                 // "" everywhere, else "Windows", "macOS", "Unix"
  std::string_view versions;                 // the versions of Python whose documentation claims it
  std::string_view source;                   // where it is claimed
  std::span<const LimitFact> facts;          // level 1: does the system permit it?
  std::span<const LimitScenario> scenarios;  // level 2: does a loop deliver it?
  std::string_view later;                    // level 3: did a later asyncio lift it?
  std::string_view family = {};              // level 2 looks at loops of this family only
};
std::span<const Limit> limits();

/// What this run shows of one level.
struct LimitLevel {
  std::string status;  // "permits", "delivers", "refuses", "mixed", "shown", "not_measured"
  std::string text;    // one sentence, computed
  std::vector<std::string> evidence;  // "poll.kind_matrix, regular file: epoll EPERM"
  friend bool operator==(const LimitLevel&, const LimitLevel&) = default;
};

struct LimitResult {
  const Limit* limit = nullptr;
  LimitLevel system;  // level 1
  LimitLevel loops;   // level 2
};
/// One result for each limit, in order. The legs are those of one platform. Where nothing bears on
/// a limit the text is "not measured here", never a guess.
std::vector<LimitResult> judge_limits(Legs platform);

}  // namespace loopscope::reports
