// What runs inside a cell's process: one scenario against one loop, and everything it leaves.
#pragma once

#include <cstdint>

#include "harness/scenario.hpp"
#include "harness/statement.hpp"

namespace loopscope {

struct CellRequest {
  const LoopDescriptor* loop = nullptr;
  const Scenario* scenario = nullptr;
  std::uint64_t seed = 1;
  Duration slack = std::chrono::milliseconds(250);
  double limit_scale = 1.0;  // multiplies the scenario's limit
  bool allow_fallback = false;
};

/// Runs the cell in this process. Never throws.
CellStatement run_cell(const CellRequest& request);

}  // namespace loopscope
