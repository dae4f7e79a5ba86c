// Reading the lines of one run: what contradicts what was read before is refused.
#include "reports/leg_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/journal.hpp"

namespace loopscope::reports {
namespace {

std::string cell_key(const Cell& cell) {
  return fmt::format("{}\n{}\n{}", cell.loop, cell.scenario, cell.repeat);
}

std::string cell_title(const Cell& cell) {
  return cell.repeat == 0
             ? fmt::format("{} on {}", cell.scenario, cell.loop)
             : fmt::format("{} on {}, repeat {}", cell.scenario, cell.loop, cell.repeat);
}

}  // namespace

void LegReader::line(const Json& object) {
  if (!object.is_object()) throw BadLine{"not a JSON object"};
  if (!header_seen_) {
    if (!object.contains("header")) throw BadLine{"a journal begins with a header"};
    run_.header = read_header(object.at("header"));
    check_schema(run_.header.schema, kJournalSchema);
    run_.platform = platform_of(run_.header);
    header_seen_ = true;
    return;
  }
  if (object.contains("catalogue")) run_.catalogue = read_catalogue(object.at("catalogue"));
  if (object.contains("loops")) run_.catalogue = read_catalogue(object);
  if (object.contains("fact")) add_fact(read_fact(object.at("fact")));
  if (object.contains("plan")) add_plan(read_plan(object.at("plan")));
  if (object.contains("cell")) add_cell(read_cell(object.at("cell")));
  if (object.contains("resumed")) resumed();
  if (object.contains("footer")) run_.footer = read_footer(object.at("footer"));
}

Run LegReader::finish(bool cut) {
  run_.incomplete_because = why_incomplete(cut);
  run_.complete = run_.incomplete_because.empty();
  return std::move(run_);
}

void LegReader::add_fact(Fact fact) {
  const auto [at, fresh] = fact_index_.try_emplace(fact.id, run_.facts.size());
  if (fresh) {
    run_.facts.push_back(std::move(fact));
  } else {
    run_.facts[at->second] = std::move(fact);  // A resumed run asks again: the newer answer.
  }
}

void LegReader::add_plan(std::vector<Cell> cells) {
  if (!index_.empty() && run_.resumed == 0) throw BadLine{"a second plan"};
  for (Cell& cell : cells) {
    const bool fresh = index_.try_emplace(cell_key(cell), run_.cells.size()).second;
    if (!fresh && run_.resumed == 0) {
      throw BadLine{fmt::format("the plan lists {} twice", cell_title(cell))};
    }
    if (!fresh) continue;
    run_.cells.push_back(std::move(cell));
    epoch_.push_back(-1);
  }
}

void LegReader::add_cell(Cell cell) {
  const auto found = index_.find(cell_key(cell));
  if (found == index_.end()) {
    throw BadLine{fmt::format("a result for {}, which the plan does not have", cell_title(cell))};
  }
  std::int64_t& epoch = epoch_[found->second];
  if (epoch == run_.resumed) {
    throw BadLine{fmt::format("a second result for {}", cell_title(cell))};
  }
  epoch = run_.resumed;
  run_.cells[found->second] = std::move(cell);
}

void LegReader::resumed() {
  ++run_.resumed;
  run_.footer.reset();  // The footer of the interrupted run no longer ends the journal.
}

std::string LegReader::why_incomplete(bool cut) const {
  const auto missing = std::count_if(run_.cells.begin(), run_.cells.end(), [](const Cell& cell) {
    return cell.outcome == Outcome::notrun;
  });
  const std::string cells =
      missing == 0 ? "" : fmt::format("; {} planned cells have no result", missing);
  if (cut) return "the journal ends in the middle of a line" + cells;
  if (!run_.footer) return "the journal has no footer" + cells;
  if (run_.footer->interrupted) return "the run was interrupted" + cells;
  if (missing != 0) return cells.substr(2);
  return {};
}

}  // namespace loopscope::reports
