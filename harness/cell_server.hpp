// CellServer: what starts the processes of the cells, one at a time. One file for each mechanism.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "harness/child.hpp"
#include "loops/base/result.hpp"

namespace loopscope {

/// For one cell at a time, and for the thread that started it.
class CellServer {
 public:
  /// Ready to start cells of this program.
  static Result<std::unique_ptr<CellServer>> start(const std::string& executable);
  virtual ~CellServer() = default;
  /// Runs a cell in a process of its own, with its descendants kept together, standard input that
  /// is empty, and a report channel; waits until it has ended or was killed at its limit.
  ///
  /// cancel   Polled about every 50 ms; true kills it and what it started.
  /// errors   The child could not be started: pipes, processes. `cancelled` after a cancel.
  virtual Result<ChildReport> run(const ChildCommand& command,
                                  const std::function<bool()>& cancel) = 0;
  /// It has ended, and no cell can be had from it any more.
  virtual bool gone() const = 0;
};

}  // namespace loopscope
