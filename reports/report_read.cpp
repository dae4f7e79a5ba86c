// Reading a report.json back: the run that it was made of, without what was computed.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "reports/journal_lines.hpp"

namespace loopscope::reports {
namespace {

Cell read_reported(const Json& row, std::size_t number) {
  try {
    Cell cell = read_cell(row);
    cell.ran = part(row, "ran").get<bool>();
    return cell;
  } catch (const BadLine& error) {
    throw BadLine{fmt::format("cells[{}]: {}", number, error.what)};
  } catch (const Json::exception& error) {
    throw BadLine{fmt::format("cells[{}]: {}", number, error.what())};
  }
}

}  // namespace

Json redaction_json(const Run& run) {
  if (!run.redaction) return nullptr;
  return {{"policy", "names and home folders"}, {"fields", run.redaction->fields}};
}

Json run_json(const Run& run) {
  return {{"complete", run.complete},
          {"incomplete_because", run.incomplete_because},
          {"resumed", run.resumed},
          {"redaction", redaction_json(run)}};
}

void read_run(const Json& object, Run& run) {
  run.complete = part(object, "complete").get<bool>();
  run.incomplete_because = part(object, "incomplete_because").get<std::string>();
  run.resumed = part(object, "resumed").get<std::int64_t>();
  const Json& redaction = part(object, "redaction");
  if (redaction.is_null()) return;
  run.redaction = Redaction{part(redaction, "fields").get<std::vector<std::string>>()};
}

Run read_report(const Json& report) {
  check_schema(part(report, "schema").get<std::string>(), kReportSchema);
  if (part(report, "schema").get<std::string>() != kReportSchema) {
    throw BadLine{fmt::format("the schema is {}, and {} is read; render it again from its journal",
                              report.at("schema").dump(), kReportSchema)};
  }
  if (!part(report, "restriction").is_null()) {
    throw BadLine{"a query left only a part of the run in this report; take its journal"};
  }
  const Json& legs = part(report, "legs");
  if (legs.size() != 1) {
    throw BadLine{fmt::format("a report of {} legs; take the merged document that it was made of",
                              legs.size())};
  }
  const Json& leg = legs.at(0);
  Run run;
  read_run(leg, run);
  run.header = read_header(part(leg, "header"));
  run.platform = platform_of(run.header);
  run.catalogue = read_catalogue(part(report, "catalogue"));
  for (const Json& row : part(leg, "loops")) run.catalogue.loops.push_back(read_loop(row));
  for (const Json& row : part(leg, "facts")) run.facts.push_back(read_fact(row));
  const Json& cells = part(report, "cells");
  for (std::size_t i = 0; i < cells.size(); ++i) run.cells.push_back(read_reported(cells[i], i));
  if (const Json& footer = part(leg, "footer"); !footer.is_null()) run.footer = read_footer(footer);
  return run;
}

}  // namespace loopscope::reports
