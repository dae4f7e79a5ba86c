// The lines of a journal, each from JSON to a value of the model.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "reports/model.hpp"

namespace loopscope::reports {

using Json = nlohmann::ordered_json;

/// Thrown by the readers below and caught by load(): what is wrong with the line.
struct BadLine {
  std::string what;
};

Header read_header(const Json& header);
Catalogue read_catalogue(const Json& catalogue);
Fact read_fact(const Json& fact);
/// The cells of a plan; those that it decides carry the outcome, the others are `notrun`.
std::vector<Cell> read_plan(const Json& plan);
Cell read_cell(const Json& cell);
Footer read_footer(const Json& footer);

}  // namespace loopscope::reports
