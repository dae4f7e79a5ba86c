// The lines of a journal, each from JSON to a value of the model and back.
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

/// What stands under a key that has to be there.
const Json& part(const Json& object, const char* key);

Header read_header(const Json& header);
Catalogue read_catalogue(const Json& catalogue);
Fact read_fact(const Json& fact);
/// The cells of a plan; those that it decides carry the outcome, the others are `notrun`.
std::vector<Cell> read_plan(const Json& plan);
Cell read_cell(const Json& cell);
Footer read_footer(const Json& footer);
LoopRow read_loop(const Json& row);

/// What the readers above turn into the same values again. Free-form fields are flat.
Json header_json(const Header& header);
/// A catalogue without its loops: what is the same on every machine.
Json rules_json(const Catalogue& catalogue);
Json loop_json(const LoopRow& loop);
Json fact_json(const Fact& fact);
Json plan_json(const std::vector<Cell>& cells);
Json cell_json(const Cell& cell);
Json footer_json(const Footer& footer);

/// {policy, fields}, or null without a redaction.
Json redaction_json(const Run& run);
/// What a leg of a merged document says before its header: whether it is complete, and why not.
Json run_json(const Run& run);
void read_run(const Json& object, Run& run);
/// The run of a report.json of one run. Refused are other schemas, parts of a run, several legs.
Run read_report(const Json& report);

/// With the major version that this build reads and writes at the end.
inline constexpr std::string_view kReportSchema = "loopscope.report/2";
/// Throws BadLine when `schema` is of another family or of a newer major than `known`.
void check_schema(const std::string& schema, std::string_view known);

}  // namespace loopscope::reports
