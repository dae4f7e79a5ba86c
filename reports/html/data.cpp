// The data for the scripts of the page. Thousands of cells tell nearly the same story with other
// numbers; so a cell is a template, which many share, and the numbers that fill it.
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "reports/compare.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::reports::html {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTraceKept = 60;      // events of a cell; report.json has all that there are
constexpr std::size_t kOutputKept = 16384;  // bytes of what a child wrote
constexpr std::size_t kLongestNumber = 15;  // digits that a double holds exactly
constexpr char kNumberInText = '\x7f';
constexpr char kLoopInText = '\x01', kScenarioInText = '\x02';

/// As the rest of the page shows it.
Json shown(const Json& value) {
  if (value.is_string()) return visible(value.get_ref<const std::string&>());
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& item : value) out.push_back(shown(item));
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [key, item] : value.items()) out[visible(key)] = shown(item);
  return out;
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A number in as few characters as it has: 1840000 is 184e4. The least of what a time of
/// nanoseconds says is noise, so times are rounded to four digits.
std::string short_number(std::int64_t value) {
  std::string digits = fmt::format("{}", value);
  std::size_t end = digits.find_last_not_of('0') + 1;
  if (end == 0 || digits.size() - end < 3) return digits;
  return digits.substr(0, end) + fmt::format("e{}", digits.size() - end);
}

std::int64_t rounded(std::int64_t ns) {
  std::int64_t step = 1;
  while (ns / step >= 10000 || ns / step <= -10000) step *= 10;
  return (ns + (ns < 0 ? -step : step) / 2) / step * step;
}

/// Names that differ from cell to cell and stand in what is otherwise the same text.
struct Names {
  std::string_view loop, scenario;
};

void replace_all(std::string& text, std::string_view what, char by) {
  if (what.empty()) return;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    text.replace(at, what.size(), 1, by);
  }
}

/// Takes the numbers out of a value: a number becomes {}, one inside of a text a sign.
class Emptier {
 public:
  Emptier(const Names& names, std::vector<std::string>& numbers)
      : names_(names), numbers_(numbers) {}

  Json empty(const Json& value) {
    if (value.is_string()) return text(value.get_ref<const std::string&>());
    if (value.is_number_integer()) return number(short_number(value.get<std::int64_t>()));
    if (value.is_number()) return number(dump(value));
    Json out = value;
    if (value.is_structured()) {
      for (auto& item : out) item = empty(item);
    }
    return out;
  }

 private:
  Json number(std::string digits) {
    numbers_.push_back(std::move(digits));
    return Json::object();
  }

  std::string text(const std::string& from) {
    std::string value = visible(from);  // has no sign of ours
    replace_all(value, names_.scenario, kScenarioInText);
    replace_all(value, names_.loop, kLoopInText);
    std::string out;
    for (std::size_t at = 0; at < value.size();) {
      std::size_t end = at;
      while (end < value.size() && value[end] >= '0' && value[end] <= '9') ++end;
      if (end == at) {
        out += value[at++];
      } else if (end - at > kLongestNumber || (value[at] == '0' && end - at > 1)) {
        out.append(value, at, end - at);
        at = end;
      } else {
        numbers_.push_back(value.substr(at, end - at));
        out += kNumberInText;
        at = end;
      }
    }
    return out;
  }

  Names names_;  // as the page shows them
  std::vector<std::string>& numbers_;
};

Json scalar(const Scalar& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
  if (const auto* real = std::get_if<double>(&value)) {
    const auto near = static_cast<std::int64_t>(*real);
    return static_cast<double>(near) == *real ? Json(near) : Json(*real);
  }
  return to_text(value);
}

/// [key, value, unit] in the order in which a reader wants them.
Json measured(std::string key, const Scalar& value, std::string unit) {
  for (const std::string_view suffix : {"_ns", "_bytes"}) {
    if (key.size() <= suffix.size() || !unit.empty()) continue;
    if (key.compare(key.size() - suffix.size(), suffix.size(), suffix) != 0) continue;
    key.resize(key.size() - suffix.size());
    unit = suffix.substr(1);
  }
  Json number = scalar(value);
  if (unit == "ns" && number.is_number_integer()) number = rounded(number.get<std::int64_t>());
  return Json::array({key, number, unit});
}

/// The limit of the scenario stands with the scenario.
Json numbers_of(const Cell& cell, std::int64_t usual_limit_ms) {
  Json list = Json::array();
  const auto add = [&](Json row) { list.push_back(std::move(row)); };
  if (!cell.ran) return list;
  add(measured("took_ns", cell.took_ns, ""));
  if (cell.limit_ms != usual_limit_ms) {
    add(Json::array({"limit", cell.limit_ms * 1000000, "ns"}));
  }
  if (cell.end && cell.end->exit_code.value_or(0) != 0) {
    add(measured("exit code", *cell.end->exit_code, ""));
  }
  if (cell.end && cell.end->signal) add(measured("signal", *cell.end->signal, ""));
  for (const Note& note : cell.notes) add(measured(note.key, note.value, note.unit));
  // A process that ended before it could say measured nothing: its zeros are no counts.
  const bool silent = cell.backend && cell.backend->effective.empty();
  if (!silent) {
    for (const auto& [key, value] : cell.counters) add(measured(key, value, ""));
  }
  for (const auto& [key, value] : cell.control) add(measured("control " + key, value, ""));
  return list;
}

Json backend_of(const Cell& cell) {
  if (!cell.backend) return nullptr;
  Json proof = Json::array();
  for (const Proof& row : cell.backend->proof) proof.push_back({row.how, row.value});
  return {{"requested", cell.backend->requested},
          {"effective", cell.backend->effective},
          {"proved", cell.backend->proved},
          {"proof", proof}};
}

Json trace_of(const Cell& cell) {
  Json list = Json::array();
  for (std::size_t i = 0; i < std::min(cell.trace.size(), kTraceKept); ++i) {
    list.push_back({rounded(cell.trace[i].t_ns), cell.trace[i].what});
  }
  const auto rest = static_cast<std::int64_t>(cell.trace.size() - list.size()) + cell.trace_dropped;
  return rest == 0 ? list : Json{{"events", list}, {"dropped", rest}};
}

Json core_of(const View& view, const PlacedCell& placed) {
  const Cell& cell = *placed;
  Json core = {{"outcome", name(cell.outcome)}};
  const auto say = [&](const char* key, const std::string& text) {
    if (!text.empty()) core[key] = text;
  };
  if (cell.repeat != 0) core["repeat"] = cell.repeat;
  say("standing", cell.standing == "as_expected" && !cell.expectation ? "" : cell.standing);
  say("reason", cell.reason);
  say("what", cell.what);
  say("where", cell.where);
  say("expected", cell.expected);
  say("observed", cell.observed);
  say("variant", cell.variant);
  if (needs_attention(cell)) core["attention"] = true;
  if (cell.expectation) {
    core["expectation"] = {cell.expectation->outcome, cell.expectation->why,
                           cell.expectation->source};
  }
  const Relation versus = view.relation_of(placed);
  if (versus != Relation::none) core["relation"] = name(versus);
  const auto steps = why_chain(*placed.leg, cell);
  for (std::size_t i = 0; steps.size() > 1 && i < steps.size(); ++i) {
    core["why"].push_back({steps[i].what, steps[i].answer});
  }
  say("rerun", cell.rerun);
  return core;
}

Json dossier_of(const Dossier& dossier) {
  Json threads = Json::array();
  for (const ThreadState& thread : dossier.threads) {
    threads.push_back({{"title", fmt::format("thread {} {}{}{}", thread.tid, thread.name,
                                             thread.state.empty() ? "" : ", " + thread.state,
                                             thread.wchan.empty() || thread.wchan == "0"
                                                 ? ""
                                                 : ", waiting in " + thread.wchan)},
                       {"lines", thread.stack}});
  }
  threads.push_back({{"title", "descriptors"}, {"lines", dossier.descriptors}});
  threads.push_back({{"title", "last events"}, {"lines", dossier.last_events}});
  return threads;
}

Json remains_of(const Cell& cell) {
  Json rest = Json::object();
  for (const Leak& leak : cell.leaks) {
    rest["leaks"].push_back({leak.kind, leak.what, leak.before, leak.after});
  }
  if (cell.end && cell.end->killed_at_limit) rest["killed"] = true;
  if (cell.dossier) rest["dossier"] = dossier_of(*cell.dossier);
  if (!cell.err.empty()) rest["stderr"] = cell.err.substr(0, kOutputKept);
  if (!cell.out.empty()) rest["stdout"] = cell.out.substr(0, kOutputKept);
  return rest.empty() ? Json() : rest;
}

/// Texts that are wanted by number.
class Pool {
 public:
  std::size_t add(std::string text) {
    const auto [at, fresh] = ids_.try_emplace(std::move(text), ids_.size());
    if (fresh) order_.push_back(&at->first);
    return at->second;
  }
  const std::vector<const std::string*>& texts() const { return order_; }

 private:
  std::unordered_map<std::string, std::size_t> ids_;
  std::vector<const std::string*> order_;
};

/// Inside of a script element nothing may look like its end.
void put_json(Page& page, std::string_view json) {
  for (std::size_t at = 0; at < json.size();) {
    const std::size_t end = std::min(json.find('<', at), json.size());
    page.raw(json.substr(at, end - at));
    if (end < json.size()) page.raw("\\u003c");
    at = end + 1;
  }
}

void put_pool(Page& page, std::string_view key, const Pool& pool) {
  page.raw(",\n\"").raw(key).raw("\":[");
  for (std::size_t i = 0; i < pool.texts().size(); ++i) {
    page.raw(i == 0 ? "\n" : ",\n");
    put_json(page, *pool.texts()[i]);
  }
  page.raw("]");
}

Json numbers_of_names(const std::vector<std::string>& names, Pool& pool) {
  Json list = Json::array();
  for (const std::string& name : names) list.push_back(pool.add(dump(visible(name))));
  return list;
}

Json column_json(const Column& column, Pool& names) {
  const LoopRow& loop = *column.loop;
  return {{"platform", column.platform},
          {"loop", loop.name},
          {"family", loop.family},
          {"mechanism", loop.mechanism},
          {"version", loop.version},
          {"absent", loop.absent_because},
          {"native", numbers_of_names(loop.native, names)},
          {"emulated", numbers_of_names(loop.emulated, names)}};
}

Json scenario_json(const ScenarioRow& row, Pool& names) {
  return {{"id", row.id},
          {"group", row.group},
          {"topic", row.topic},
          {"level", row.level},
          {"severity", row.severity},
          {"authority", row.authority},
          {"limit", row.limit_ms * 1000000},
          {"needs", numbers_of_names(row.needs, names)},
          {"api", numbers_of_names(row.api, names)},
          {"facts", numbers_of_names(row.facts, names)}};
}

/// A platform with its facts as a reader would tick them: what is there, what is not, what is
/// unknown.
Json platform_json(const Platform& platform) {
  Json facts = Json::object();
  for (const Run& run : platform.runs) {
    for (const Fact& fact : run.facts) {
      const bool* answer = std::get_if<bool>(&fact.value);
      if (facts.contains(fact.id)) continue;
      if (answer != nullptr) {
        facts[fact.id] = *answer ? 1 : 0;
      } else if (fact.value.index() == 0 && fact.table.empty()) {
        facts[fact.id] = fact.reason;
      }
    }
  }
  return {{"name", platform.name}, {"facts", facts}};
}

void put_cells(Page& page, const View& view, Pool& parts, Pool& templates) {
  std::string_view between = "\n";
  for (std::size_t s = 0; s < view.scenarios.size(); ++s) {
    for (std::size_t c = 0; c < view.columns.size(); ++c) {
      const Column& column = view.columns[c];
      for (const PlacedCell& cell : view.cells(view.scenarios[s]->id, column)) {
        std::vector<std::string> numbers;
        const std::string loop = visible(cell->loop), scenario = visible(cell->scenario);
        Emptier emptier({loop, scenario}, numbers);
        std::string shape = "[";
        for (const Json& part :
             {core_of(view, cell), backend_of(*cell), trace_of(*cell),
              numbers_of(*cell, view.scenarios[s]->limit_ms), remains_of(*cell)}) {
          if (shape.size() > 1) shape += ',';
          shape += fmt::format("{}", parts.add(dump(emptier.empty(part))));
        }
        page.raw(between).raw(fmt::format("[{},{},{}", s, c, templates.add(shape + "]")));
        for (const std::string& number : numbers) page.raw(",").raw(number);
        page.raw("]");
        between = ",\n";
      }
    }
  }
}

}  // namespace

void write_data(Page& page, const View& view) {
  Pool names, parts, templates;
  Json head = {{"platforms", Json::array()},
               {"columns", Json::array()},
               {"scenarios", Json::array()},
               {"capabilities", Json::array()},
               {"api", Json::array()}};
  for (const Platform& platform : view.platforms) {
    head["platforms"].push_back(platform_json(platform));
  }
  for (const Column& column : view.columns) head["columns"].push_back(column_json(column, names));
  for (const ScenarioRow* row : view.scenarios) {
    head["scenarios"].push_back(scenario_json(*row, names));
  }
  for (const CapabilityRow& row : view.catalogue.capabilities) {
    head["capabilities"].push_back({row.id, row.title});
  }
  for (const ApiGroupRow& row : view.catalogue.api) head["api"].push_back({row.title, row.entries});
  std::string json = dump(shown(head));
  json.pop_back();  // the lists follow
  page.raw("<script type=\"application/json\" id=\"data\">");
  put_json(page, json);
  page.raw(",\n\"cells\":[");
  put_cells(page, view, parts, templates);
  page.raw("]");
  put_pool(page, "templates", templates);
  put_pool(page, "parts", parts);
  put_pool(page, "names", names);
  page.raw("}</script>\n");
}

}  // namespace loopscope::reports::html
