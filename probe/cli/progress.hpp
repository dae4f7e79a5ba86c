// Progress of a run on standard error: one updating line on a terminal, plain lines otherwise.
#pragma once

#include <string>

#include "harness/result.hpp"

namespace loopscope::cli {

class Progress {
 public:
  /// total: cells to run.
  explicit Progress(std::size_t total);
  /// Ends the updating line, so that other text can follow.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Counts a finished cell; prints its message when it is not as expected.
  void cell(const CellResult& result);
  /// Prints text between the progress lines.
  void say(const std::string& text);

 private:
  void show(const CellResult& result);
  void wipe();

  std::size_t total_, done_ = 0, unexpected_ = 0;
  bool terminal_, colour_;
  bool line_open_ = false;
  std::size_t next_plain_ = 0;  // cells done when the next plain line is due
  TimePoint began_, shown_{};
};

}  // namespace loopscope::cli
