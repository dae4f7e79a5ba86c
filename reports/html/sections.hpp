// The sections of the HTML report, in the order of the page. Each writes static markup.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reports/html/writer.hpp"
#include "reports/model.hpp"

namespace loopscope::reports::html {

/// What several sections need, computed once.
struct View {
  explicit View(const Run& of);

  const Run& run;
  std::string reference;
  std::vector<const LoopRow*> loops;  // columns: those that have cells, and the absent ones
  /// The cells of a scenario on a loop, all repeats.
  const std::vector<const Cell*>& cells(std::string_view scenario, std::string_view loop) const;
  /// The repeat that stands for all: the most severe one.
  const Cell* worst(std::string_view scenario, std::string_view loop) const;
  /// True when the loop emulates a capability that the scenario needs.
  bool emulated(const ScenarioRow& scenario, const LoopRow& loop) const;

 private:
  std::map<std::pair<std::string_view, std::string_view>, std::vector<const Cell*>> index_;
};

void write_overview(Page& page, const View& view);
void write_attention(Page& page, const View& view);
void write_matrix(Page& page, const View& view);
void write_cells(Page& page, const View& view);
void write_facts(Page& page, const View& view);
void write_limits(Page& page, const View& view);
void write_api(Page& page, const View& view);
void write_legend(Page& page, const View& view);

}  // namespace loopscope::reports::html
