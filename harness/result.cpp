// From a child's report to a verdict with evidence.
#include "harness/result.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/host.hpp"
#include "harness/scenario.hpp"

namespace loopscope {
namespace {

using Json = nlohmann::json;

void read_crash(const Json& crash, CellResult& result) {
  result.crash.push_back(fmt::format("signal {}, code {}, address {}, thread {}",
                                     crash.value("signal", 0), crash.value("code", 0),
                                     crash.value("address", "?"), crash.value("tid", 0L)));
  for (const Json& frame : crash["frames"]) {
    result.crash.push_back(host::demangled_frame(frame.get<std::string>()));
  }
}

void read_early(const Json& json, CellResult& result) {
  const std::optional<Outcome> outcome = outcome_by_name(json.value("said", ""));
  if (!outcome || result.early) return;
  result.early = Finding{.outcome = *outcome,
                         .what = json.value("what", ""),
                         .expected = json.value("expected", ""),
                         .observed = json.value("observed", ""),
                         .where = json.value("where", "")};
}

/// Sorts one line of the channel; returns what is wrong with it, if anything.
std::string read_line(const std::string& line, CellResult& result,
                      std::optional<CellStatement>& final) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return "a line that is not a JSON object: " + line.substr(0, 120);
  if (json.contains("mark")) {
    result.trace.push_back({json.value("t_ns", std::int64_t{0}), json["mark"].get<std::string>()});
  } else if (json.contains("said")) {
    read_early(json, result);
  } else if (json.contains("crash")) {
    read_crash(json["crash"], result);
  } else if (json.contains("final")) {
    if (final) return "a second final message";
    Result<CellStatement> statement = decode_statement(json["final"].dump());
    if (!statement.ok()) return to_string(statement.error());
    final = std::move(statement).value();
  }
  return {};
}

void count_leftovers(CellResult& result) {
  for (const std::string& process : result.child.leftovers) {
    result.said.leaks.push_back({"process", process, "absent", "running after the cell"});
  }
  if (result.child.pipes_held && result.child.leftovers.empty()) {
    result.said.leaks.push_back({"pipe", "output of the cell", "absent", "still held"});
  }
  const Outcome outcome = result.verdict.outcome;
  const bool kept = outcome == Outcome::pass || outcome == Outcome::diverges;
  if (kept && !result.said.leaks.empty()) {
    result.verdict = {Outcome::leak, describe_leaks(result.said.leaks)};
  }
}

}  // namespace

std::string_view name(Decision decision) {
  switch (decision) {
    case Decision::run:
      return "run";
    case Decision::skip:
      return "skip";
    case Decision::unsupported:
      return "unsupported";
  }
  return "unknown";
}

std::string_view name(Standing standing) {
  switch (standing) {
    case Standing::as_expected:
      return "as_expected";
    case Standing::unexpected:
      return "unexpected";
    case Standing::stale_expectation:
      return "stale_expectation";
  }
  return "unknown";
}

CellResult interpret(const PlannedCell& cell, ChildReport report, Duration limit) {
  CellResult result{.cell = cell, .limit = limit};
  result.child = std::move(report);
  std::optional<CellStatement> final;
  std::string wrong;
  for (const std::string& line : result.child.lines) {
    std::string problem;
    try {
      problem = read_line(line, result, final);
    } catch (const Json::exception& error) {
      problem = error.what();
    }
    if (wrong.empty()) wrong = problem;
  }
  std::optional<Outcome> said;
  if (final) said = final->outcome;
  result.verdict = classify(result.child.end, said);
  if (final) {
    result.said = std::move(*final);
    if (result.verdict.outcome == result.said.outcome) result.verdict.reason = result.said.reason;
  }
  const bool ended_well = result.child.end.exit_code == 0 && !result.child.end.killed_at_limit;
  if (!wrong.empty() && ended_well) result.verdict = {Outcome::broken, "protocol: " + wrong};
  count_leftovers(result);
  return result;
}

const Finding* shown_finding(const CellResult& result) {
  if (result.said.finding) return &*result.said.finding;
  if (result.early && !result.early->what.empty()) return &*result.early;
  return nullptr;
}

}  // namespace loopscope
