// The runner: N cells at a time, those that must be alone after all others.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "harness/result.hpp"

namespace loopscope {

struct RunnerOptions {
  std::string executable;  // that answers `serve-cells`
  std::string invoked_as;  // how a person starts it again: for the rerun command
  std::string temp_root;   // an existing directory; each cell gets one below
  unsigned jobs = 1;
  Duration slack{std::chrono::milliseconds(250)};
  double limit_scale = 1.0;
  bool allow_fallback = false;
  /// What every cell is told about its loops, as its options: {"--child-watcher", "sigchld"}.
  std::vector<std::string> loop_choices{};
  std::function<Duration(const PlannedCell&)> limit_for{};  // instead of the scenario's own limit
  std::function<bool()> stop;  // polled; true ends the run: running cells are killed
};

/// Called once per finished cell, never two at a time. False ends the run.
using OnResult = std::function<bool(CellResult)>;

/// Runs every cell whose decision is `run`, in order as far as N at a time have one. A cell that
/// was stopped has no result.
void run_cells(std::span<const PlannedCell> cells, const RunnerOptions& options,
               const OnResult& on_result);

/// The command that runs this cell again, in one process.
std::string rerun_command(const PlannedCell& cell, const RunnerOptions& options);

}  // namespace loopscope
