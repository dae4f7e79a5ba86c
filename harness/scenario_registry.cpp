// Finding a scenario among all that were compiled in.
#include "harness/scenario.hpp"
#include "harness/testing/self_scenarios.hpp"

namespace loopscope {

const Scenario* find_scenario(std::string_view id) {
  for (const ScenarioFile* file : all_scenario_files()) {
    for (const Scenario& scenario : file->scenarios) {
      if (scenario.id == id) return &scenario;
    }
  }
  for (const Scenario& scenario : testing::self_scenarios()) {
    if (scenario.id == id) return &scenario;
  }
  return nullptr;
}

}  // namespace loopscope
