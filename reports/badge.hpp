// What a badge says: how many promises of published texts were kept, by whom and where.
#pragma once

#include <string>
#include <string_view>

#include "reports/model.hpp"

namespace loopscope::reports {

struct Badge {
  std::string_view label = "loopscope";
  std::string message;      // "must 310/310 · epoll (proved) · Linux"
  std::string_view colour;  // "brightgreen", "red", "lightgrey"
};

/// Counts cells of level must that ran, in loops that are no reference; without any, says so. One
/// number for all would hide what is missing, so what is red or unknown decides the colour.
Badge badge_of(const Report& report);

}  // namespace loopscope::reports
