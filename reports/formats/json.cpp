// Report format "json": everything that the HTML report shows, computed from the same functions.
// The shape is published as reports/schema/report.schema.json.
#include <nlohmann/json.hpp>

#include "reports/api_table.hpp"
#include "reports/compare.hpp"
#include "reports/format.hpp"
#include "reports/journal_lines.hpp"
#include "reports/limits.hpp"
#include "reports/tally.hpp"

namespace loopscope::formats::json {
namespace {

using namespace reports;

/// An array with one element for each row, made by `make`.
template <class Rows, class Make>
Json list(const Rows& rows, Make make) {
  Json array = Json::array();
  for (const auto& row : rows) array.push_back(make(row));
  return array;
}

Json tally_json(const Tally& tally) {
  Json object;
  if (!tally.loop.empty()) object = {{"loop", tally.loop}, {"platform", tally.platform}};
  for (const Outcome outcome : kOutcomes) {
    object[std::string(name(outcome))] = tally.of(outcome);
  }
  object["total"] = tally.total();
  return object;
}

Json level_json(const LimitLevel& level) {
  return {{"status", level.status}, {"text", level.text}, {"evidence", level.evidence}};
}

/// The limits, and what each platform shows of them.
Json limits_json(Legs legs) {
  Json rows = Json::array();
  for (const Legs& platform : legs.by_platform()) {
    const std::vector<LimitResult> results = judge_limits(platform);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Limit& limit = *results[i].limit;
      if (rows.size() == i) {
        rows.push_back({{"id", limit.id},
                        {"claim", limit.claim},
                        {"platform", limit.platform},
                        {"versions", limit.versions},
                        {"source", limit.source},
                        {"later", limit.later},
                        {"shown", Json::array()}});
      }
      rows[i]["shown"].push_back({{"platform", platform.platform()},
                                  {"system", level_json(results[i].system)},
                                  {"loops", level_json(results[i].loops)}});
    }
  }
  return rows;
}

Json api_json(const ApiRow& row) {
  return {{"group", row.group},
          {"entry", row.entry},
          {"capability", row.capability},
          {"scenarios", row.scenarios},
          {"loops", list(row.cells, [](const ApiCell& cell) {
             return Json{{"loop", cell.loop},       {"platform", cell.platform},
                         {"support", cell.support}, {"status", cell.status},
                         {"passed", cell.passed},   {"judged", cell.judged},
                         {"planned", cell.planned}};
           })}};
}

Json leg_json(const Run& leg) {
  Json object{{"platform", leg.platform},    {"verdict", verdict(leg)},
              {"complete", leg.complete},    {"incomplete_because", leg.incomplete_because},
              {"planned", leg.cells.size()}, {"reported", reported(leg)},
              {"resumed", leg.resumed},      {"reference", reference_loop(leg)}};
  object["redaction"] = redaction_json(leg);
  object["header"] = header_json(leg.header);
  object["loops"] = list(leg.catalogue.loops, loop_json);
  object["facts"] = list(leg.facts, fact_json);
  object["footer"] = leg.footer ? footer_json(*leg.footer) : Json(nullptr);
  return object;
}

Json placed_json(const PlacedCell& placed, std::string_view reference) {
  Json object{{"platform", placed.leg->platform}};
  object.update(cell_json(*placed));
  object["ran"] = placed->ran;
  object["relation"] = name(relation(*placed.leg, *placed, reference));
  object["attention"] = needs_attention(*placed);
  object["why"] = list(why_chain(*placed.leg, *placed), [](const WhyStep& step) {
    return Json{{"what", step.what}, {"answer", step.answer}};
  });
  return object;
}

/// Cells in the order of the legs; `leg` is the place of theirs.
Json cells_json(const Report& report) {
  Json cells = Json::array();
  for (std::size_t i = 0; i < report.legs.size(); ++i) {
    const Run& leg = report.legs[i];
    const std::string reference = reference_loop(leg);
    for (const Cell& cell : leg.cells) {
      Json object{{"leg", i}};
      object.update(placed_json({&leg, &cell}, reference));
      cells.push_back(std::move(object));
    }
  }
  return cells;
}

Result<std::string> render_json(const Report& report, const RenderOptions&) {
  const Legs legs(report);
  Json page;
  page["schema"] = kReportSchema;
  page["verdict"] = verdict(legs);
  page["complete"] = legs.complete();
  page["incomplete_because"] = legs.incomplete_because();
  page["contradictions"] = contradictions(legs);
  page["restriction"] = nullptr;
  if (report.restriction) {
    page["restriction"] = {{"query", report.restriction->query},
                           {"scenarios", report.restriction->scenarios},
                           {"of", report.restriction->of}};
  }
  page["planned"] = legs.planned();
  page["reported"] = reported(legs);
  page["tallies"] = {{"all", tally_json(tally_all(legs))},
                     {"loops", list(tally_by_loop(legs), tally_json)}};
  page["legs"] = list(legs, leg_json);
  page["catalogue"] = rules_json(legs.catalogue());
  page["cells"] = cells_json(report);
  page["divergences"] = list(divergences(legs), [](const Divergence& row) {
    return Json{{"scenario", row.scenario->id},
                {"pattern", row.pattern},
                {"loops", list(row.cells, [](const PlacedCell& cell) {
                   return Json{{"loop", cell->loop},
                               {"platform", cell.leg->platform},
                               {"outcome", name(cell->outcome)},
                               {"variant", cell->variant}};
                 })}};
  });
  page["limits"] = limits_json(legs);
  page["api"] = list(api_table(legs), api_json);
  // The journal was checked to be valid UTF-8; were it not, a report is still better than none.
  return page.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace

extern const Format format{.name = "json",
                           .extension = ".json",
                           .description = "every result and every computed table, with a schema",
                           .render = render_json};

}  // namespace loopscope::formats::json
