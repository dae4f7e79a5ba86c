// Scenarios that test the harness and no loop: each ends in one known way. Never in a selection
// unless named.
#pragma once

#include <span>

#include "harness/scenario.hpp"

namespace loopscope::testing {

/// Ids begin with "selftest.".
std::span<const Scenario> self_scenarios();

}  // namespace loopscope::testing
