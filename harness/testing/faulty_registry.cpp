// Finding a faulty loop among all that were compiled in.
#include "harness/testing/faulty.hpp"

namespace loopscope::testing {

const FaultyLoop* find_faulty(std::string_view name) {
  for (const FaultyFile* file : all_faulty_files()) {
    for (const FaultyLoop& faulty : file->loops) {
      if (faulty.loop.name == name) return &faulty;
    }
  }
  return nullptr;
}

}  // namespace loopscope::testing
