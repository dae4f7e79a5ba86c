// CellStatement to and from its JSON line.
#include "harness/statement.hpp"

#include <nlohmann/json.hpp>

namespace loopscope {
namespace {

using Json = nlohmann::json;

Json encode_backend(const BackendProof& backend) {
  Json proof = Json::array();
  for (const Proof& one : backend.proof) proof.push_back({{"how", one.how}, {"value", one.value}});
  return {{"requested", backend.requested},
          {"effective", backend.effective},
          {"proved", backend.proved},
          {"proof", std::move(proof)}};
}

BackendProof decode_backend(const Json& json) {
  BackendProof backend{.requested = json.at("requested"),
                       .effective = json.at("effective"),
                       .proved = json.at("proved")};
  for (const Json& one : json.at("proof"))
    backend.proof.push_back({one.at("how"), one.at("value")});
  return backend;
}

Json encode_leaks(const std::vector<Leak>& leaks) {
  Json result = Json::array();
  for (const Leak& leak : leaks) {
    result.push_back(
        {{"kind", leak.kind}, {"what", leak.what}, {"before", leak.before}, {"after", leak.after}});
  }
  return result;
}

Json encode_notes(const std::vector<Note>& notes) {
  Json result = Json::object();
  for (const Note& note : notes) {
    Json value;
    std::visit([&](const auto& held) { value = held; }, note.value);
    result[note.key] = {{"value", std::move(value)}, {"unit", note.unit}};
  }
  return result;
}

Json encode_waits(const waits::Tally& tally) {
  Json result = Json::object();
  for (std::size_t i = 0; i < waits::kCalls; ++i) {
    if (tally.calls[i] != 0) {
      result[std::string(waits::name(static_cast<waits::Call>(i)))] = tally.calls[i];
    }
  }
  return result;
}

waits::Tally decode_waits(const Json& json) {
  waits::Tally tally;
  for (std::size_t i = 0; i < waits::kCalls; ++i) {
    tally.calls[i] = json.value(std::string(waits::name(static_cast<waits::Call>(i))), 0U);
  }
  return tally;
}

void decode_finding(const Json& json, CellStatement& statement) {
  Finding finding{.outcome = statement.outcome,
                  .what = json.at("what"),
                  .variant = json.at("variant"),
                  .expected = json.at("expected"),
                  .observed = json.at("observed"),
                  .where = json.at("where")};
  if (!finding.what.empty()) statement.finding = std::move(finding);
}

CellStatement decode(const Json& json) {
  CellStatement statement;
  const std::optional<Outcome> outcome = outcome_by_name(json.at("outcome").get<std::string>());
  if (!outcome) throw Json::other_error::create(599, "unknown outcome", &json);
  statement.outcome = *outcome;
  statement.reason = json.at("reason");
  decode_finding(json, statement);
  statement.backend = decode_backend(json.at("backend"));
  for (const Json& leak : json.at("leaks")) {
    statement.leaks.push_back(
        {leak.at("kind"), leak.at("what"), leak.at("before"), leak.at("after")});
  }
  for (const auto& [key, note] : json.at("notes").items()) {
    const Json& value = note.at("value");
    Note decoded{.key = key, .unit = note.at("unit")};
    if (value.is_number()) {
      decoded.value = value.get<double>();
    } else {
      decoded.value = value.is_string() ? value.get<std::string>() : value.dump();
    }
    statement.notes.push_back(std::move(decoded));
  }
  const Json& counters = json.at("counters");
  statement.waits = decode_waits(counters.at("waits"));
  statement.cpu = Duration(counters.at("cpu_ns").get<std::int64_t>());
  statement.max_rss_bytes = counters.at("max_rss_bytes");
  if (const Json& control = json.at("control"); control.is_object()) {
    statement.control = HostControl::Seen{Duration(control.at("worst_late_ns").get<std::int64_t>()),
                                          control.at("waits")};
  }
  statement.trace_dropped = json.at("trace_dropped");
  return statement;
}

}  // namespace

std::string encode(const CellStatement& statement) {
  const Finding finding = statement.finding.value_or(Finding{});
  Json control = nullptr;
  if (statement.control) {
    control = {{"worst_late_ns", statement.control->worst.count()},
               {"waits", statement.control->waits}};
  }
  const Json json = {{"outcome", name(statement.outcome)},
                     {"reason", statement.reason},
                     {"what", finding.what},
                     {"expected", finding.expected},
                     {"observed", finding.observed},
                     {"where", finding.where},
                     {"variant", finding.variant},
                     {"backend", encode_backend(statement.backend)},
                     {"leaks", encode_leaks(statement.leaks)},
                     {"notes", encode_notes(statement.notes)},
                     {"counters",
                      {{"waits", encode_waits(statement.waits)},
                       {"cpu_ns", statement.cpu.count()},
                       {"max_rss_bytes", statement.max_rss_bytes}}},
                     {"control", control},
                     {"trace_dropped", statement.trace_dropped}};
  return Json{{"final", json}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<CellStatement> decode_statement(std::string_view final_object) {
  try {
    return decode(Json::parse(final_object));
  } catch (const Json::exception& error) {
    return make_error(Errc::protocol, "a cell's final message", error.what());
  }
}

}  // namespace loopscope
