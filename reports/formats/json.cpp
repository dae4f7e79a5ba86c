// Report format "json": everything that the HTML report shows, computed from the same functions.
// The shape is published as reports/schema/report.schema.json.
#include <nlohmann/json.hpp>

#include "reports/api_table.hpp"
#include "reports/compare.hpp"
#include "reports/format.hpp"
#include "reports/limits.hpp"
#include "reports/tally.hpp"

namespace loopscope::formats::json {
namespace {

using namespace reports;
using Json = nlohmann::ordered_json;

Json json_of(const Scalar& value) {
  return std::visit(
      [](const auto& held) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::monostate>) {
          return nullptr;
        } else {
          return held;
        }
      },
      value);
}

Json json_of(const Fields& fields) {
  Json object = Json::object();
  for (const auto& [key, value] : fields) object[key] = json_of(value);
  return object;
}

template <class T>
Json json_of(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// An array with one element for each row, made by `make`.
template <class Rows, class Make>
Json list(const Rows& rows, Make make) {
  Json array = Json::array();
  for (const auto& row : rows) array.push_back(make(row));
  return array;
}

Json loop_json(const LoopRow& loop) {
  return {{"name", loop.name},
          {"family", loop.family},
          {"mechanism", loop.mechanism},
          {"version", loop.version},
          {"native", loop.native},
          {"emulated", loop.emulated},
          {"absent_because", loop.absent_because},
          {"clock_resolution_ns", loop.clock_resolution_ns}};
}

Json scenario_json(const ScenarioRow& row) {
  return {{"id", row.id},
          {"group", row.group},
          {"topic", row.topic},
          {"promise", row.promise},
          {"source", row.source},
          {"level", row.level},
          {"authority", row.authority},
          {"severity", row.severity},
          {"needs", row.needs},
          {"api", row.api},
          {"facts", row.facts},
          {"timing", row.timing},
          {"exclusive", row.exclusive},
          {"limit_ms", row.limit_ms},
          {"kills", row.kills},
          {"file", row.file}};
}

Json catalogue_json(const Catalogue& catalogue) {
  Json object;
  object["loops"] = list(catalogue.loops, loop_json);
  object["scenarios"] = list(catalogue.scenarios, scenario_json);
  object["capabilities"] = list(catalogue.capabilities, [](const CapabilityRow& row) {
    return Json{{"id", row.id}, {"title", row.title}, {"anchor", row.anchor}};
  });
  object["api"] = list(catalogue.api, [](const ApiGroupRow& group) {
    return Json{{"title", group.title}, {"entries", group.entries}};
  });
  return object;
}

Json samples_json(const std::optional<Samples>& samples) {
  if (!samples) return nullptr;
  const Samples& s = *samples;
  return {{"n", s.n},     {"min", s.min}, {"p50", s.p50},
          {"p90", s.p90}, {"p99", s.p99}, {"max", s.max}};
}

Json curve_json(const std::optional<Curve>& curve) {
  if (!curve) return nullptr;
  return {{"over", curve->over}, {"points", list(curve->points, [](const CurvePoint& point) {
                                    return Json{
                                        {"x", point.x},
                                        {"value", point.value ? Json(*point.value) : Json(nullptr)},
                                        {"reason", point.reason},
                                        {"note", point.note},
                                        {"samples", samples_json(point.samples)}};
                                  })}};
}

Json fact_json(const Fact& fact) {
  Json object{{"id", fact.id},         {"question", fact.question},
              {"source", fact.source}, {"mechanism", fact.mechanism},
              {"group", fact.group},   {"why", fact.why},
              {"how", fact.how}};
  object["value"] = json_of(fact.value);
  object["unit"] = fact.unit;
  object["reason"] = fact.reason;
  object["method"] = fact.method;
  object["effect"] = fact.effect;
  object["privilege"] = fact.privilege;
  object["note"] = fact.note;
  object["evidence"] = list(fact.evidence, [](const FactEvidence& row) {
    return Json{{"call", row.call},
                {"result", row.result},
                {"errno", row.errno_value},
                {"errno_name", row.errno_name}};
  });
  object["table"] = list(fact.table, [](const FactTableRow& row) {
    Json cells = Json::object();
    for (const auto& [mechanism, answer] : row.cells) cells[mechanism] = answer;
    return Json{{"name", row.name}, {"cells", cells}};
  });
  object["samples"] = samples_json(fact.samples);
  object["curve"] = curve_json(fact.curve);
  object["conflicts"] = list(fact.conflicts, [](const FactConflict& row) {
    return Json{{"one", row.one},
                {"one_says", row.one_says},
                {"other", row.other},
                {"other_says", row.other_says}};
  });
  object["took_ns"] = fact.took_ns;
  return object;
}

Json backend_json(const Backend& backend) {
  return {{"requested", backend.requested},
          {"effective", backend.effective},
          {"proved", backend.proved},
          {"proof", list(backend.proof, [](const Proof& row) {
             return Json{{"how", row.how}, {"value", row.value}};
           })}};
}

Json dossier_json(const Dossier& dossier) {
  return {{"threads", list(dossier.threads,
                           [](const ThreadState& row) {
                             return Json{{"tid", row.tid},
                                         {"name", row.name},
                                         {"state", row.state},
                                         {"wchan", row.wchan},
                                         {"stack", row.stack}};
                           })},
          {"descriptors", dossier.descriptors},
          {"last_events", dossier.last_events}};
}

void add_evidence(const Cell& cell, Json& object) {
  object["backend"] = cell.backend ? backend_json(*cell.backend) : Json(nullptr);
  object["trace"] = list(cell.trace, [](const TraceEvent& row) {
    return Json{{"t_ns", row.t_ns}, {"what", row.what}};
  });
  object["trace_dropped"] = cell.trace_dropped;
  Json notes = Json::object();
  for (const Note& note : cell.notes) {
    notes[note.key] = {{"value", json_of(note.value)}, {"unit", note.unit}};
  }
  object["notes"] = std::move(notes);
  object["counters"] = json_of(cell.counters);
  object["leaks"] = list(cell.leaks, [](const Leak& row) {
    return Json{
        {"kind", row.kind}, {"what", row.what}, {"before", row.before}, {"after", row.after}};
  });
  object["end"] = nullptr;
  if (cell.end) {
    object["end"] = {{"exit_code", json_of(cell.end->exit_code)},
                     {"signal", json_of(cell.end->signal)},
                     {"killed_at_limit", cell.end->killed_at_limit}};
  }
  object["stderr"] = cell.err;
  object["stdout"] = cell.out;
  object["dossier"] = cell.dossier ? dossier_json(*cell.dossier) : Json(nullptr);
  object["control"] = cell.control.empty() ? Json(nullptr) : json_of(cell.control);
}

Json cell_json(const Run& run, const Cell& cell, std::string_view reference) {
  Json object{{"loop", cell.loop},
              {"scenario", cell.scenario},
              {"repeat", cell.repeat},
              {"seed", cell.seed},
              {"outcome", name(cell.outcome)},
              {"ran", cell.ran},
              {"reason", cell.reason},
              {"missing_cap", cell.missing_cap},
              {"missing_fact", cell.missing_fact},
              {"level", cell.level},
              {"authority", cell.authority},
              {"what", cell.what},
              {"expected", cell.expected},
              {"observed", cell.observed},
              {"where", cell.where},
              {"variant", cell.variant}};
  add_evidence(cell, object);
  object["took_ns"] = cell.took_ns;
  object["limit_ms"] = cell.limit_ms;
  object["pid"] = cell.pid;
  object["standing"] = cell.standing;
  object["expectation"] = nullptr;
  if (cell.expectation) {
    object["expectation"] = {{"outcome", cell.expectation->outcome},
                             {"why", cell.expectation->why},
                             {"source", cell.expectation->source}};
  }
  object["relation"] = name(relation(run, cell, reference));
  object["attention"] = needs_attention(cell);
  object["why"] = list(why_chain(run, cell), [](const WhyStep& step) {
    return Json{{"what", step.what}, {"answer", step.answer}};
  });
  object["rerun"] = cell.rerun;
  return object;
}

Json footer_json(const Footer& footer) {
  return {{"planned", footer.planned},
          {"reported", footer.reported},
          {"by_outcome", json_of(footer.by_outcome)},
          {"verdict", footer.verdict},
          {"exit_code", footer.exit_code},
          {"interrupted", footer.interrupted},
          {"ended_utc", footer.ended_utc},
          {"took_ns", footer.took_ns}};
}

Json tally_json(const Tally& tally) {
  Json object;
  if (!tally.loop.empty()) object["loop"] = tally.loop;
  for (const Outcome outcome : kOutcomes) {
    object[std::string(name(outcome))] = tally.of(outcome);
  }
  object["total"] = tally.total();
  return object;
}

Json level_json(const LimitLevel& level) {
  return {{"status", level.status}, {"text", level.text}, {"evidence", level.evidence}};
}

Json limit_json(const LimitResult& row) {
  const Limit& limit = *row.limit;
  return {{"id", limit.id},
          {"claim", limit.claim},
          {"platform", limit.platform},
          {"versions", limit.versions},
          {"source", limit.source},
          {"system", level_json(row.system)},
          {"loops", level_json(row.loops)},
          {"later", limit.later}};
}

Json api_json(const ApiRow& row) {
  Json cells = Json::object();
  for (const ApiCell& cell : row.cells) {
    cells[cell.loop] = {{"support", cell.support},
                        {"status", cell.status},
                        {"passed", cell.passed},
                        {"judged", cell.judged},
                        {"planned", cell.planned}};
  }
  return {{"group", row.group},
          {"entry", row.entry},
          {"capability", row.capability},
          {"scenarios", row.scenarios},
          {"loops", std::move(cells)}};
}

void add_header(const Header& header, Json& report) {
  report["run_id"] = header.run_id;
  report["started_utc"] = header.started_utc;
  report["loopscope"] = json_of(header.tool);
  report["host"] = json_of(header.host);
  report["slack_ms"] = header.slack_ms;
  report["jobs"] = header.jobs;
  report["repeat"] = header.repeat;
  report["limit_scale"] = header.limit_scale;
  report["argv"] = header.argv;
  report["selection"] = {{"loops", header.selected_loops},
                         {"scenarios", header.selected_scenarios}};
  report["environment_options"] = json_of(header.environment_options);
}

Result<std::string> render_json(const Run& run, const RenderOptions&) {
  const std::string reference = reference_loop(run);
  Json report;
  report["schema"] = "loopscope.report/1";
  report["verdict"] = verdict(run);
  report["complete"] = run.complete;
  report["incomplete_because"] = run.incomplete_because;
  report["contradictions"] = contradictions(run);
  report["restriction"] = nullptr;
  if (run.restriction) {
    report["restriction"] = {{"query", run.restriction->query},
                             {"scenarios", run.restriction->scenarios},
                             {"of", run.restriction->of}};
  }
  report["planned"] = run.cells.size();
  report["reported"] = reported(run);
  report["resumed"] = run.resumed;
  report["reference"] = reference;
  add_header(run.header, report);
  report["tallies"] = {{"all", tally_json(tally_all(run))},
                       {"loops", list(tally_by_loop(run), tally_json)}};
  report["catalogue"] = catalogue_json(run.catalogue);
  report["facts"] = list(run.facts, fact_json);
  report["cells"] =
      list(run.cells, [&](const Cell& cell) { return cell_json(run, cell, reference); });
  report["divergences"] = list(divergences(run), [](const Divergence& row) {
    Json loops = Json::object();
    for (const Cell* cell : row.cells) loops[cell->loop] = name(cell->outcome);
    return Json{{"scenario", row.scenario->id}, {"pattern", row.pattern}, {"loops", loops}};
  });
  report["limits"] = list(judge_limits(run), limit_json);
  report["api"] = list(api_table(run), api_json);
  report["footer"] = run.footer ? footer_json(*run.footer) : Json(nullptr);
  // The journal was checked to be valid UTF-8; were it not, a report is still better than none.
  return report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

extern const Format format{.name = "json",
                           .extension = ".json",
                           .description = "every result and every computed table, with a schema",
                           .render = render_json};

}  // namespace loopscope::formats::json
