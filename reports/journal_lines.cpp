// The lines of a journal: strict about types, lenient about keys that are missing or unknown.
#include "reports/journal_lines.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

namespace loopscope::reports {
namespace {

[[noreturn]] void refuse(const char* key, const char* want) {
  throw BadLine{fmt::format("\"{}\" must be {}", key, want)};
}

const Json* find(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

void get(const Json& object, const char* key, std::string& out) {
  if (const Json* value = find(object, key)) {
    if (!value->is_string()) refuse(key, "a string");
    out = value->get_ref<const std::string&>();
  }
}

void get(const Json& object, const char* key, bool& out) {
  if (const Json* value = find(object, key)) {
    if (!value->is_boolean()) refuse(key, "true or false");
    out = value->get<bool>();
  }
}

std::int64_t whole(const Json& value) {
  return value.is_number_float() ? static_cast<std::int64_t>(value.get<double>())
                                 : value.get<std::int64_t>();
}

void get(const Json& object, const char* key, std::int64_t& out) {
  if (const Json* value = find(object, key)) {
    if (!value->is_number()) refuse(key, "a number");
    out = whole(*value);
  }
}

void get(const Json& object, const char* key, std::optional<std::int64_t>& out) {
  std::int64_t number = 0;
  get(object, key, number);
  if (find(object, key) != nullptr) out = number;
}

void get(const Json& object, const char* key, double& out) {
  if (const Json* value = find(object, key)) {
    if (!value->is_number()) refuse(key, "a number");
    out = value->get<double>();
  }
}

/// Calls `each` with every element of the array `key`.
template <class Each>
void elements(const Json& object, const char* key, Each each) {
  if (const Json* value = find(object, key)) {
    if (!value->is_array()) refuse(key, "an array");
    for (const Json& element : *value) each(element);
  }
}

template <class Each>
void objects(const Json& object, const char* key, Each each) {
  elements(object, key, [&](const Json& element) {
    if (!element.is_object()) refuse(key, "an array of objects");
    each(element);
  });
}

template <class Each>
void members(const Json& object, const char* key, Each each) {
  if (const Json* value = find(object, key)) {
    if (!value->is_object()) refuse(key, "an object");
    for (const auto& [name, member] : value->items()) each(name, member);
  }
}

void get(const Json& object, const char* key, std::vector<std::string>& out) {
  elements(object, key, [&](const Json& element) {
    if (!element.is_string()) refuse(key, "an array of strings");
    out.push_back(element.get<std::string>());
  });
}

Scalar scalar(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
    return value.get<double>();
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    std::vector<std::string> list;
    for (const Json& element : value) {
      list.push_back(element.is_string() ? element.get<std::string>() : element.dump());
    }
    return list;
  }
  return value.is_null() ? Scalar{} : Scalar{value.dump()};
}

/// Nested objects are flattened: {"waits":{"poll":2}} becomes "waits.poll".
void flatten(const std::string& prefix, const Json& value, Fields& out) {
  if (!value.is_object()) {
    out.emplace_back(prefix, scalar(value));
    return;
  }
  for (const auto& [name, member] : value.items()) flatten(prefix + "." + name, member, out);
}

void get(const Json& object, const char* key, Fields& out) {
  members(object, key,
          [&](const std::string& name, const Json& member) { flatten(name, member, out); });
}

Outcome outcome_of(const std::string& word) {
  const std::optional<Outcome> outcome = outcome_by_name(word);
  if (!outcome) throw BadLine{fmt::format("unknown outcome \"{}\"", word)};
  return *outcome;
}

ScenarioRow read_scenario(const Json& row) {
  ScenarioRow scenario;
  get(row, "id", scenario.id);
  get(row, "group", scenario.group);
  get(row, "topic", scenario.topic);
  get(row, "promise", scenario.promise);
  get(row, "source", scenario.source);
  get(row, "level", scenario.level);
  get(row, "authority", scenario.authority);
  get(row, "severity", scenario.severity);
  get(row, "needs", scenario.needs);
  get(row, "api", scenario.api);
  get(row, "facts", scenario.facts);
  get(row, "kills", scenario.kills);
  get(row, "timing", scenario.timing);
  get(row, "exclusive", scenario.exclusive);
  get(row, "limit_ms", scenario.limit_ms);
  get(row, "file", scenario.file);
  return scenario;
}

Backend read_backend(const Json& object) {
  Backend backend;
  get(object, "requested", backend.requested);
  get(object, "effective", backend.effective);
  get(object, "proved", backend.proved);
  objects(object, "proof", [&](const Json& row) {
    Proof& proof = backend.proof.emplace_back();
    get(row, "how", proof.how);
    get(row, "value", proof.value);
  });
  return backend;
}

Dossier read_dossier(const Json& object) {
  Dossier dossier;
  objects(object, "threads", [&](const Json& row) {
    ThreadState& thread = dossier.threads.emplace_back();
    get(row, "tid", thread.tid);
    get(row, "name", thread.name);
    get(row, "state", thread.state);
    get(row, "wchan", thread.wchan);
    get(row, "stack", thread.stack);
  });
  elements(object, "descriptors",
           [&](const Json& row) { dossier.descriptors.push_back(to_text(scalar(row))); });
  elements(object, "last_events",
           [&](const Json& row) { dossier.last_events.push_back(to_text(scalar(row))); });
  return dossier;
}

/// The objects below a cell: evidence, each optional.
void read_evidence(const Json& object, Cell& cell) {
  if (const Json* backend = find(object, "backend")) cell.backend = read_backend(*backend);
  objects(object, "trace", [&](const Json& row) {
    TraceEvent& event = cell.trace.emplace_back();
    get(row, "t_ns", event.t_ns);
    get(row, "what", event.what);
  });
  members(object, "notes", [&](const std::string& name, const Json& member) {
    Note& note = cell.notes.emplace_back();
    note.key = name;
    if (!member.is_object()) {
      note.value = scalar(member);
      return;
    }
    if (const Json* value = find(member, "value")) note.value = scalar(*value);
    get(member, "unit", note.unit);
  });
  objects(object, "leaks", [&](const Json& row) {
    Leak& leak = cell.leaks.emplace_back();
    get(row, "kind", leak.kind);
    get(row, "what", leak.what);
    get(row, "before", leak.before);
    get(row, "after", leak.after);
  });
  if (const Json* end = find(object, "end")) {
    cell.end.emplace();
    get(*end, "exit_code", cell.end->exit_code);
    get(*end, "signal", cell.end->signal);
    get(*end, "killed_at_limit", cell.end->killed_at_limit);
  }
  if (const Json* dossier = find(object, "dossier")) cell.dossier = read_dossier(*dossier);
  if (const Json* expectation = find(object, "expectation")) {
    cell.expectation.emplace();
    get(*expectation, "outcome", cell.expectation->outcome);
    get(*expectation, "why", cell.expectation->why);
    get(*expectation, "source", cell.expectation->source);
  }
}

void read_identity(const Json& object, Cell& cell) {
  get(object, "loop", cell.loop);
  get(object, "scenario", cell.scenario);
  get(object, "repeat", cell.repeat);
  get(object, "seed", cell.seed);
  if (cell.loop.empty() || cell.scenario.empty()) {
    throw BadLine{"a cell needs \"loop\" and \"scenario\""};
  }
}

}  // namespace

const Json& part(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end()) {
    throw BadLine{fmt::format("\"{}\" is missing", key)};
  }
  return *found;
}

void check_schema(const std::string& schema, std::string_view known) {
  const std::size_t slash = known.find('/') + 1;
  const std::string_view family = known.substr(0, slash);
  if (schema.rfind(family, 0) != 0) {
    throw BadLine{fmt::format("the schema is \"{}\", not {}", schema, known)};
  }
  int major = 0, newest = 0;
  std::from_chars(known.data() + slash, known.data() + known.size(), newest);
  const char* begin = schema.data() + family.size();
  const auto [end, code] = std::from_chars(begin, schema.data() + schema.size(), major);
  if (code != std::errc{} || end == begin) {
    throw BadLine{fmt::format("the schema \"{}\" has no version number", schema)};
  }
  if (major > newest) {
    throw BadLine{fmt::format("the schema is {}, this loopscope reads up to {}; use a newer one",
                              schema, known)};
  }
}

Header read_header(const Json& object) {
  Header header;
  get(object, "schema", header.schema);
  get(object, "run_id", header.run_id);
  get(object, "started_utc", header.started_utc);
  get(object, "loopscope", header.tool);
  get(object, "host", header.host);
  get(object, "slack_ms", header.slack_ms);
  get(object, "jobs", header.jobs);
  get(object, "repeat", header.repeat);
  get(object, "limit_scale", header.limit_scale);
  get(object, "argv", header.argv);
  if (const Json* selection = find(object, "selection")) {
    get(*selection, "loops", header.selected_loops);
    get(*selection, "scenarios", header.selected_scenarios);
  }
  get(object, "environment_options", header.environment_options);
  if (const Json* shard = find(object, "shard"); shard != nullptr && !shard->is_null()) {
    get(*shard, "index", header.shard_index);
    get(*shard, "count", header.shard_count);
    get(*shard, "deal", header.shard_deal);
  }
  return header;
}

LoopRow read_loop(const Json& row) {
  LoopRow loop;
  get(row, "name", loop.name);
  get(row, "family", loop.family);
  get(row, "mechanism", loop.mechanism);
  get(row, "version", loop.version);
  get(row, "absent_because", loop.absent_because);
  get(row, "native", loop.native);
  get(row, "emulated", loop.emulated);
  get(row, "clock_resolution_ns", loop.clock_resolution_ns);
  return loop;
}

Catalogue read_catalogue(const Json& object) {
  Catalogue catalogue;
  objects(object, "loops", [&](const Json& row) { catalogue.loops.push_back(read_loop(row)); });
  objects(object, "scenarios",
          [&](const Json& row) { catalogue.scenarios.push_back(read_scenario(row)); });
  objects(object, "capabilities", [&](const Json& row) {
    CapabilityRow& capability = catalogue.capabilities.emplace_back();
    get(row, "id", capability.id);
    get(row, "title", capability.title);
    get(row, "anchor", capability.anchor);
  });
  objects(object, "api", [&](const Json& row) {
    ApiGroupRow& group = catalogue.api.emplace_back();
    get(row, "title", group.title);
    get(row, "entries", group.entries);
  });
  return catalogue;
}

namespace {

const Json* find_object(const Json& object, const char* key) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_object() ? value : nullptr;
}

std::optional<Samples> read_samples(const Json& object) {
  const Json* row = find_object(object, "samples");
  if (row == nullptr) return std::nullopt;
  Samples samples;
  get(*row, "n", samples.n);
  get(*row, "min", samples.min);
  get(*row, "p50", samples.p50);
  get(*row, "p90", samples.p90);
  get(*row, "p99", samples.p99);
  get(*row, "max", samples.max);
  return samples;
}

std::optional<Curve> read_curve(const Json& object) {
  const Json* row = find_object(object, "curve");
  if (row == nullptr) return std::nullopt;
  Curve curve;
  get(*row, "over", curve.over);
  objects(*row, "points", [&](const Json& each) {
    CurvePoint& point = curve.points.emplace_back();
    get(each, "x", point.x);
    if (find(each, "value") != nullptr) get(each, "value", point.value.emplace());
    get(each, "reason", point.reason);
    get(each, "note", point.note);
    point.samples = read_samples(each);
  });
  return curve;
}

}  // namespace

Fact read_fact(const Json& object) {
  Fact fact;
  get(object, "id", fact.id);
  if (fact.id.empty()) throw BadLine{"a fact needs an \"id\""};
  get(object, "question", fact.question);
  get(object, "source", fact.source);
  get(object, "mechanism", fact.mechanism);
  get(object, "group", fact.group);
  get(object, "why", fact.why);
  get(object, "how", fact.how);
  if (const Json* value = find(object, "value")) fact.value = scalar(*value);
  get(object, "unit", fact.unit);
  get(object, "reason", fact.reason);
  get(object, "method", fact.method);
  get(object, "effect", fact.effect);
  get(object, "privilege", fact.privilege);
  get(object, "note", fact.note);
  get(object, "took_ns", fact.took_ns);
  objects(object, "evidence", [&](const Json& row) {
    FactEvidence& evidence = fact.evidence.emplace_back();
    get(row, "call", evidence.call);
    get(row, "result", evidence.result);
    get(row, "errno", evidence.errno_value);
    get(row, "errno_name", evidence.errno_name);
  });
  objects(object, "table", [&](const Json& row) {
    FactTableRow& line = fact.table.emplace_back();
    get(row, "name", line.name);
    members(row, "cells", [&](const std::string& name, const Json& member) {
      line.cells.emplace_back(name, to_text(scalar(member)));
    });
  });
  fact.samples = read_samples(object);
  fact.curve = read_curve(object);
  objects(object, "conflicts", [&](const Json& row) {
    FactConflict& conflict = fact.conflicts.emplace_back();
    get(row, "one", conflict.one);
    get(row, "one_says", conflict.one_says);
    get(row, "other", conflict.other);
    get(row, "other_says", conflict.other_says);
  });
  return fact;
}

std::vector<Cell> read_plan(const Json& object) {
  std::vector<Cell> cells;
  objects(object, "cells", [&](const Json& row) {
    Cell& cell = cells.emplace_back();
    read_identity(row, cell);
    std::string decision;
    get(row, "decision", decision);
    get(row, "reason", cell.reason);
    get(row, "missing_cap", cell.missing_cap);
    get(row, "missing_fact", cell.missing_fact);
    if (decision == "skip") {
      cell.outcome = Outcome::skip;
    } else if (decision == "unsupported") {
      cell.outcome = Outcome::unsupported;
    } else if (decision != "run") {
      throw BadLine{fmt::format("unknown decision \"{}\"", decision)};
    }
  });
  return cells;
}

Cell read_cell(const Json& object) {
  Cell cell;
  read_identity(object, cell);
  std::string outcome;
  get(object, "outcome", outcome);
  cell.outcome = outcome_of(outcome);
  cell.ran = true;
  get(object, "reason", cell.reason);
  get(object, "missing_cap", cell.missing_cap);
  get(object, "missing_fact", cell.missing_fact);
  get(object, "level", cell.level);
  get(object, "authority", cell.authority);
  get(object, "what", cell.what);
  get(object, "expected", cell.expected);
  get(object, "observed", cell.observed);
  get(object, "where", cell.where);
  get(object, "variant", cell.variant);
  get(object, "trace_dropped", cell.trace_dropped);
  get(object, "counters", cell.counters);
  get(object, "stderr", cell.err);
  get(object, "stdout", cell.out);
  get(object, "control", cell.control);
  get(object, "took_ns", cell.took_ns);
  get(object, "limit_ms", cell.limit_ms);
  get(object, "pid", cell.pid);
  get(object, "standing", cell.standing);
  get(object, "rerun", cell.rerun);
  read_evidence(object, cell);
  return cell;
}

Footer read_footer(const Json& object) {
  Footer footer;
  get(object, "planned", footer.planned);
  get(object, "reported", footer.reported);
  get(object, "by_outcome", footer.by_outcome);
  get(object, "verdict", footer.verdict);
  get(object, "exit_code", footer.exit_code);
  get(object, "interrupted", footer.interrupted);
  get(object, "ended_utc", footer.ended_utc);
  get(object, "took_ns", footer.took_ns);
  return footer;
}

}  // namespace loopscope::reports
