// Facts as JSON: the journal's lines and the document of `loopscope probe --format json`.
#include <cmath>
#include <nlohmann/json.hpp>

#include "loops/base/error.hpp"
#include "probe/checks.hpp"
#include "probe/identity.hpp"
#include "probe/render.hpp"
#include "probe/statistics.hpp"

namespace loopscope {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json, int indent) {
  // Texts of the system (paths, names) may hold any octet; a journal may not.
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json to_json(double value) {
  // Integers without a fraction: 300000 rather than 300000.0.
  if (std::isfinite(value) && value == std::trunc(value) && std::fabs(value) < 9e15) {
    return static_cast<std::int64_t>(value);
  }
  return value;
}

Json to_json(const FactValue& value) {
  struct Visitor {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(bool flag) const { return flag; }
    Json operator()(std::int64_t number) const { return number; }
    Json operator()(double number) const { return to_json(number); }
    Json operator()(const std::string& text) const { return text; }
    Json operator()(const std::vector<std::string>& list) const { return list; }
  };
  return std::visit(Visitor{}, value);
}

Json to_json(const Evidence& item) {
  std::string errno_name;
  if (item.errno_value != 0) {
    errno_name = error_name(std::error_code(item.errno_value, errno_category()));
  }
  return {{"call", item.call},
          {"result", item.result},
          {"errno", item.errno_value},
          {"errno_name", errno_name}};
}

Json to_json(const FactRow& row) {
  Json cells = Json::object();
  for (const auto& [column, cell] : row.cells) cells[column] = cell;
  return {{"name", row.name}, {"cells", std::move(cells)}};
}

Json samples_json(const std::vector<double>& samples) {
  const auto q = quantiles(samples);
  if (!q) return nullptr;
  return {{"n", q->n},
          {"min", to_json(q->min)},
          {"p50", to_json(q->p50)},
          {"p90", to_json(q->p90)},
          {"p99", to_json(q->p99)},
          {"max", to_json(q->max)}};
}

Json to_json(const CurvePoint& point) {
  return {{"x", to_json(point.x)},
          {"value", point.value ? to_json(*point.value) : Json(nullptr)},
          {"reason", name(point.reason)},
          {"note", point.note},
          {"samples", samples_json(point.samples)}};
}

Json curve_json(const FactResult& r) {
  if (r.curve.empty()) return nullptr;
  Json points = Json::array();
  for (const CurvePoint& point : r.curve) points.push_back(to_json(point));
  return {{"over", r.curve_over}, {"points", std::move(points)}};
}

Json to_json(const Conflict& conflict) {
  return {{"one", conflict.one},
          {"one_says", conflict.one_says},
          {"other", conflict.other},
          {"other_says", conflict.other_says}};
}

Json to_json(const MeasuredFact& fact) {
  const FactResult& r = fact.result;
  Json evidence = Json::array();
  for (const Evidence& item : r.evidence) evidence.push_back(to_json(item));
  Json table = Json::array();
  for (const FactRow& row : r.table) table.push_back(to_json(row));
  Json conflicts = Json::array();
  for (const Conflict& conflict : r.conflicts) conflicts.push_back(to_json(conflict));
  return {{"id", fact.id},
          {"question", fact.question},
          {"source", fact.source},
          {"mechanism", fact.mechanism},
          {"group", fact.group},
          {"why", fact.why},
          {"how", fact.how},
          {"value", to_json(r.value)},
          {"unit", name(r.unit)},
          {"reason", name(r.reason)},
          {"method", name(r.method)},
          {"effect", name(r.effect)},
          {"privilege", fact.privilege},
          {"note", r.note},
          {"evidence", std::move(evidence)},
          {"table", std::move(table)},
          {"samples", samples_json(r.samples)},
          {"curve", curve_json(r)},
          {"conflicts", std::move(conflicts)},
          {"took_ns", fact.took_ns}};
}

Json to_json(const HostBlock& host) {
  Json object = Json::object();
  for (const auto& [key, value] : host) object[key] = to_json(value);
  return object;
}

}  // namespace

namespace {

/// What the answers say of each other.
Json checks_json(std::span<const MeasuredFact> facts) {
  const ImplicationChecks checks = check_implications(facts);
  Json violations = Json::array();
  for (const Violation& one : checks.violations) {
    violations.push_back({{"if", one.if_fact},
                          {"if_says", one.if_says},
                          {"then", one.then_fact},
                          {"then_says", one.then_says},
                          {"why", one.why}});
  }
  Json conflicts = Json::array();
  for (const MeasuredFact& fact : facts) {
    if (!fact.result.conflicts.empty()) conflicts.push_back(fact.id);
  }
  return {{"implications", {{"checked", checks.checked}, {"violations", std::move(violations)}}},
          {"conflicts", std::move(conflicts)}};
}

}  // namespace

std::string fact_json(const MeasuredFact& fact) { return dump(to_json(fact), -1); }

std::string host_json(const HostBlock& host) { return dump(to_json(host), -1); }

std::string probe_json(std::span<const MeasuredFact> facts, const HostBlock& host,
                       std::chrono::nanoseconds took) {
  Json list = Json::array();
  for (const MeasuredFact& fact : facts) list.push_back(to_json(fact));
  const Json document{{"schema", "loopscope.probe/1"}, {"identity", identity_of(facts, host)},
                      {"host", to_json(host)},         {"took_ns", took.count()},
                      {"facts", std::move(list)},      {"checks", checks_json(facts)}};
  return dump(document, 2) + "\n";
}

}  // namespace loopscope
