// Scenario: one promise of an event loop as data and a body of a few lines.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "harness/context.hpp"
#include "harness/outcome.hpp"
#include "loops/capability.hpp"

namespace loopscope {

using Names = std::span<const std::string_view>;

/// What a scenario may take much of.
enum class Resource : std::uint8_t { none, descriptors, memory, processes };
inline constexpr std::size_t kResources = 4;

struct Scenario {
  std::string_view id;       // the catalogue's id: "sched.soon.fifo"; never reused
  std::string_view promise;  // one sentence, present tense, testable
  std::string_view source;   // where that promise is written down
  CapSet needs{};
  void (*body)(Context&);
  Level level = Level::must;
  Authority authority = Authority::asyncio_doc;
  Severity severity = Severity::core;
  Names api{};          // entries of the low-level API index that it exercises, see api_index.hpp
  Names facts{};        // probe facts that must be true; else the cell is a skip with that reason
  bool timing = false;  // runs alone: its verdict depends on the host's timing
  Resource exclusive = Resource::none;      // runs beside no other that takes much of the same
  std::chrono::milliseconds limit{10'000};  // then the process group is killed
};

/// One file of scenarios; one loopscope_scenarios line.
struct ScenarioFile {
  std::string_view group;  // "A2"
  std::string_view topic;  // "Scheduling"
  std::span<const Scenario> scenarios;
};

std::span<const ScenarioFile* const> all_scenario_files();  // generated
/// By exact id, among the harness's own "selftest." ones too; null when unknown.
const Scenario* find_scenario(std::string_view id);

}  // namespace loopscope
