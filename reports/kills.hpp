// The kill matrix: which faulty loop failed which scenario, as a document of the self-test.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loops/base/result.hpp"
#include "reports/model.hpp"

namespace loopscope::reports {

/// A scenario on a faulty loop. A must that is not right says that one of the two is wrong.
struct KillTrial {
  std::string faulty, scenario;
  bool must_fail = false;  // the scenario has to catch it; otherwise the loop has to pass
  bool right = false;      // it was so, or it was not attempted
  std::string outcome, reason;
  friend bool operator==(const KillTrial&, const KillTrial&) = default;
};

struct FaultyRow {
  std::string name, defect;
  friend bool operator==(const FaultyRow&, const FaultyRow&) = default;
};

struct Kills {
  std::vector<FaultyRow> loops;
  std::vector<KillTrial> trials;       // by loop, then by scenario
  std::optional<Redaction> redaction;  // none: the reasons are as they were given
  friend bool operator==(const Kills&, const Kills&) = default;
};

/// One JSON object; reports/schema/kills.schema.json.
std::string to_json(const Kills& kills);
/// errors  Errc::protocol for a document of another kind or a newer major version; the detail says
///         what is wrong.
Result<Kills> kills_from_json(std::string_view text);

}  // namespace loopscope::reports
