// Report format "rows": one flat JSON object for each cell, for DuckDB, Spark, BigQuery and sqlite.
// Every row has every key, and a key has one type: such readers guess the columns from the rows.
#include <nlohmann/json.hpp>

#include "reports/format.hpp"
#include "reports/tally.hpp"

namespace loopscope::formats::rows {
namespace {

using namespace reports;
using Json = nlohmann::ordered_json;

Json text_or_null(std::string_view text) { return text.empty() ? Json(nullptr) : Json(text); }

/// What is the same in every row: of which run and which machine it is.
Json of_run(const Report& report, const Run& run) {
  return {{"run_id", run.header.run_id},
          {"platform", run.platform},
          {"started_utc", run.header.started_utc},
          {"os", text_or_null(text_of(run.header.host, "os"))},
          {"kernel", text_or_null(text_of(run.header.host, "kernel"))},
          {"arch", text_or_null(text_of(run.header.host, "arch"))},
          {"loopscope", text_or_null(text_of(run.header.tool, "version"))},
          {"commit", text_or_null(text_of(run.header.tool, "commit"))},
          {"complete", run.complete},
          {"incomplete_because", text_or_null(run.incomplete_because)},
          {"query", text_or_null(report.restriction ? report.restriction->query : "")}};
}

Json row_of(const Report& report, const PlacedCell& placed) {
  const Run& run = *placed.leg;
  const Cell& cell = *placed;
  static const ScenarioRow kUnknown;
  const ScenarioRow* known = run.scenario(cell.scenario);
  const ScenarioRow& scenario = known == nullptr ? kUnknown : *known;
  Json row = of_run(report, run);
  row.update(Json{
      {"loop", cell.loop},
      {"scenario", cell.scenario},
      {"group", text_or_null(scenario.group)},
      {"topic", text_or_null(scenario.topic)},
      {"repeat", cell.repeat},
      {"seed", cell.seed},
      {"outcome", name(cell.outcome)},
      {"standing", text_or_null(cell.standing)},
      {"needs_attention", needs_attention(cell)},
      {"level", text_or_null(cell.level.empty() ? scenario.level : cell.level)},
      {"authority", text_or_null(cell.authority.empty() ? scenario.authority : cell.authority)},
      {"severity", text_or_null(scenario.severity)},
      {"timing", scenario.timing},
      {"reason", text_or_null(cell.reason)},
      {"variant", text_or_null(cell.variant)},
      {"expected", text_or_null(cell.expected)},
      {"observed", text_or_null(cell.observed)},
      {"missing_cap", text_or_null(cell.missing_cap)},
      {"missing_fact", text_or_null(cell.missing_fact)},
      {"backend", text_or_null(cell.backend ? cell.backend->effective : "")},
      {"backend_proved", cell.backend && cell.backend->proved},
      {"leaks", cell.leaks.size()},
      {"took_ns", cell.took_ns},
      {"rerun", text_or_null(cell.rerun)}});
  return row;
}

Result<std::string> render_rows(const Report& report, const RenderOptions&) {
  std::string page;
  for (const PlacedCell& cell : cells_of(report))
    page += row_of(report, cell).dump(-1, ' ', true) + '\n';
  return page;
}

}  // namespace

extern const Format format{.name = "rows",
                           .extension = ".ndjson",
                           .description = "a flat JSON object for each cell, for databases",
                           .render = render_rows};

}  // namespace loopscope::formats::rows
