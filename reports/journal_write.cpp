// The lines of a journal, from values of the model to JSON: what the readers take.
#include <nlohmann/json.hpp>

#include "reports/journal_lines.hpp"

namespace loopscope::reports {
namespace {

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

/// An object that is made member by member, each key once: without looking for it among the others,
/// which is half of the time that a cell takes.
class Members {
 public:
  Members() { members_.reserve(40); }
  void add(const char* key, Json value) { members_.Container::emplace_back(key, std::move(value)); }
  Json take() { return Json(std::move(members_)); }

 private:
  Json::object_t members_;
};

Json expectation_json(const Expectation& expectation) {
  return {
      {"outcome", expectation.outcome}, {"why", expectation.why}, {"source", expectation.source}};
}

Json end_json(const End& end) {
  return {{"exit_code", json_of(end.exit_code)},
          {"signal", json_of(end.signal)},
          {"killed_at_limit", end.killed_at_limit}};
}

void add_evidence(const Cell& cell, Members& object) {
  object.add("backend", cell.backend ? backend_json(*cell.backend) : Json(nullptr));
  object.add("trace", list(cell.trace, [](const TraceEvent& row) {
               return Json{{"t_ns", row.t_ns}, {"what", row.what}};
             }));
  object.add("trace_dropped", cell.trace_dropped);
  Json notes = Json::object();
  for (const Note& note : cell.notes) {
    notes[note.key] = {{"value", json_of(note.value)}, {"unit", note.unit}};
  }
  object.add("notes", std::move(notes));
  object.add("counters", json_of(cell.counters));
  object.add(
      "leaks", list(cell.leaks, [](const Leak& row) {
        return Json{
            {"kind", row.kind}, {"what", row.what}, {"before", row.before}, {"after", row.after}};
      }));
  object.add("end", cell.end ? end_json(*cell.end) : Json(nullptr));
  object.add("stderr", cell.err);
  object.add("stdout", cell.out);
  object.add("dossier", cell.dossier ? dossier_json(*cell.dossier) : Json(nullptr));
  object.add("control", cell.control.empty() ? Json(nullptr) : json_of(cell.control));
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

}  // namespace

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

Json rules_json(const Catalogue& catalogue) {
  Json object;
  object["scenarios"] = list(catalogue.scenarios, scenario_json);
  object["capabilities"] = list(catalogue.capabilities, [](const CapabilityRow& row) {
    return Json{{"id", row.id}, {"title", row.title}, {"anchor", row.anchor}};
  });
  object["api"] = list(catalogue.api, [](const ApiGroupRow& group) {
    return Json{{"title", group.title}, {"entries", group.entries}};
  });
  return object;
}

namespace {

Json samples_json(const std::optional<Samples>& samples) {
  if (!samples) return nullptr;
  const Samples& s = *samples;
  return {{"n", s.n},     {"min", s.min}, {"p50", s.p50},
          {"p90", s.p90}, {"p99", s.p99}, {"max", s.max}};
}

Json curve_json(const std::optional<Curve>& curve) {
  if (!curve) return nullptr;
  return {{"over", curve->over}, {"points", list(curve->points, [](const CurvePoint& point) {
                                    return Json{{"x", point.x},
                                                {"value", json_of(point.value)},
                                                {"reason", point.reason},
                                                {"note", point.note},
                                                {"samples", samples_json(point.samples)}};
                                  })}};
}

}  // namespace

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

Json header_json(const Header& header) {
  Json shard;
  if (header.shard_count != 0) {
    shard = {
        {"index", header.shard_index}, {"count", header.shard_count}, {"deal", header.shard_deal}};
  }
  return {
      {"schema", header.schema},
      {"run_id", header.run_id},
      {"started_utc", header.started_utc},
      {"loopscope", json_of(header.tool)},
      {"host", json_of(header.host)},
      {"slack_ms", header.slack_ms},
      {"jobs", header.jobs},
      {"repeat", header.repeat},
      {"limit_scale", header.limit_scale},
      {"argv", header.argv},
      {"selection", {{"loops", header.selected_loops}, {"scenarios", header.selected_scenarios}}},
      {"environment_options", json_of(header.environment_options)},
      {"shard", std::move(shard)}};
}

Json plan_json(const std::vector<Cell>& cells) {
  Json rows = Json::array();
  for (const Cell& cell : cells) {
    // What the plan decided keeps its decision; anything else was to run.
    const bool decided = !cell.ran && cell.outcome != Outcome::notrun;
    rows.push_back({{"loop", cell.loop},
                    {"scenario", cell.scenario},
                    {"repeat", cell.repeat},
                    {"seed", cell.seed},
                    {"decision", decided ? name(cell.outcome) : "run"},
                    {"reason", decided ? cell.reason : ""},
                    {"missing_cap", decided ? cell.missing_cap : ""},
                    {"missing_fact", decided ? cell.missing_fact : ""}});
  }
  return {{"cells", std::move(rows)}};
}

Json cell_json(const Cell& cell) {
  Members object;
  object.add("loop", cell.loop);
  object.add("scenario", cell.scenario);
  object.add("repeat", cell.repeat);
  object.add("seed", cell.seed);
  object.add("outcome", name(cell.outcome));
  object.add("reason", cell.reason);
  object.add("missing_cap", cell.missing_cap);
  object.add("missing_fact", cell.missing_fact);
  object.add("level", cell.level);
  object.add("authority", cell.authority);
  object.add("what", cell.what);
  object.add("expected", cell.expected);
  object.add("observed", cell.observed);
  object.add("where", cell.where);
  object.add("variant", cell.variant);
  add_evidence(cell, object);
  object.add("took_ns", cell.took_ns);
  object.add("limit_ms", cell.limit_ms);
  object.add("pid", cell.pid);
  object.add("standing", cell.standing);
  object.add("expectation", cell.expectation ? expectation_json(*cell.expectation) : Json(nullptr));
  object.add("rerun", cell.rerun);
  return object.take();
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

}  // namespace loopscope::reports
