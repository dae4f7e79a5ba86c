// Faulty loops: wrong on purpose, in one way each. They prove that a scenario can fail.
#pragma once

#include <span>
#include <string_view>

#include "loops/descriptor.hpp"

namespace loopscope::testing {

struct FaultyLoop {
  LoopDescriptor loop;      // name "faulty.lifo_soon"; otherwise as the poll loop
  std::string_view defect;  // one sentence: what is wrong
  std::span<const std::string_view> must_fail;  // scenario ids that have to catch it
  std::span<const std::string_view> must_pass;  // scenario ids or "prefix.*" that it keeps
};

struct FaultyFile {
  std::span<const FaultyLoop> loops;
};

std::span<const FaultyFile* const> all_faulty_files();  // generated
/// By exact name ("faulty.lifo_soon"); null when unknown.
const FaultyLoop* find_faulty(std::string_view name);

}  // namespace loopscope::testing
