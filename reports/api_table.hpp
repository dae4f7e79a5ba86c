// The table API entry x loop, computed from the scenarios that name an entry.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/model.hpp"

namespace loopscope::reports {

struct ApiCell {
  std::string loop, platform;
  std::string support;  // "native", "emulated", "absent"; "" for what every loop must have
  std::string status;   // the worst outcome of the entry's scenarios; "untested" without any
  std::size_t passed = 0, judged = 0, planned = 0;
  friend bool operator==(const ApiCell&, const ApiCell&) = default;
};

struct ApiRow {
  std::string group, entry, capability;  // capability: the one that carries the entry, or ""
  std::vector<std::string> scenarios;    // those that name the entry
  std::vector<ApiCell> cells;            // by platform: one for each loop of the catalogue
  friend bool operator==(const ApiRow&, const ApiRow&) = default;
};

std::vector<ApiRow> api_table(Legs legs);
/// The capability that an entry of the API index belongs to; "" when every loop must have it.
std::string_view capability_of(std::string_view entry);

}  // namespace loopscope::reports
