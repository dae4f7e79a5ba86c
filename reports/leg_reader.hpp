// One run from the lines of its journal, or of its part of a merged document.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "reports/journal_lines.hpp"

namespace loopscope::reports {

/// Takes the lines in their order. Every function throws BadLine, or an exception of the JSON
/// library where a value has another type than it must have.
class LegReader {
 public:
  void line(const Json& object);
  bool header_seen() const { return header_seen_; }
  /// `cut`: the last line was cut in the middle, which makes the run incomplete.
  Run finish(bool cut);

 private:
  void add_fact(Fact fact);
  void add_plan(std::vector<Cell> cells);
  void add_cell(Cell cell);
  void resumed();
  std::string why_incomplete(bool cut) const;

  Run run_;
  bool header_seen_ = false;
  std::unordered_map<std::string, std::size_t> index_, fact_index_;
  std::vector<std::int64_t> epoch_;  // per cell: during which resumption its result came; -1: none
};

}  // namespace loopscope::reports
