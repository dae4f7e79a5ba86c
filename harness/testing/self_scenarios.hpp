// Scenarios that test the harness and no loop: each ends in one known way. Never in a selection
// unless named.
#pragma once

#include <span>

#include "harness/scenario.hpp"

namespace loopscope::testing {

/// Ids begin with "selftest.".
std::span<const Scenario> self_scenarios();
/// Those among them that leave things behind, in the ways of the platform.
std::span<const Scenario> platform_self_scenarios();

constexpr Scenario self_scenario(std::string_view id, void (*body)(Context&),
                                 std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  return {.id = id,
          .promise = "The harness reports how this body ends.",
          .source = "harness/testing/self_scenarios.hpp",
          .body = body,
          .limit = limit};
}

}  // namespace loopscope::testing
