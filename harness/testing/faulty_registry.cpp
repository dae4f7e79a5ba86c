// Finding faulty loops among all that were compiled in, and what catches them.
#include "harness/kills.hpp"
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

namespace loopscope {

KillTable kill_table() {
  KillTable table;
  for (const testing::FaultyFile* file : testing::all_faulty_files()) {
    for (const testing::FaultyLoop& faulty : file->loops) {
      for (const std::string_view id : faulty.must_fail) {
        table[std::string(id)].emplace_back(faulty.loop.name);
      }
    }
  }
  return table;
}

}  // namespace loopscope
