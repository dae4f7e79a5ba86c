// The sheet of one fact.
#include "probe/cli/about_fact.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "harness/scenario.hpp"
#include "probe/checks.hpp"
#include "probe/cli/sheet.hpp"
#include "probe/environment.hpp"
#include "probe/render.hpp"

namespace loopscope::cli {
namespace {

/// The calls that were made, each once, in their order.
std::vector<std::string> calls_of(const FactResult& result) {
  std::vector<std::string> calls;
  for (const Evidence& item : result.evidence) {
    if (std::find(calls.begin(), calls.end(), item.call) == calls.end()) calls.push_back(item.call);
  }
  return calls;
}

std::string how_measured(const MeasuredFact& fact) {
  constexpr std::size_t kMost = 8;  // The evidence below has all of them.
  if (!fact.how.empty()) return fact.how;
  if (fact.result.reason == Reason::not_applicable)
    return "not on this system: " + fact.result.note;
  if (fact.result.reason == Reason::not_asked) return "on request: " + fact.result.note;
  std::vector<std::string> calls = calls_of(fact.result);
  const std::string rest = calls.size() > kMost ? ", ..." : "";
  calls.resize(std::min(calls.size(), kMost));
  return calls.empty() ? std::string(meaning(fact.result.method))
                       : fmt::format("{}{}", fmt::join(calls, ", "), rest);
}

std::string privilege_line(const MeasuredFact& fact) {
  if (fact.privilege.empty()) return "none is needed";
  const auto held = effective_capabilities();
  if (!held) return fact.privilege + "; whether this process has it is not known";
  const bool has = std::find(held->begin(), held->end(), fact.privilege) != held->end();
  return fact.privilege + (has ? ", which this process has" : ", which this process lacks");
}

/// What no answer can mean: the reasons that this fact can have.
void add_nulls(Sheet& sheet, const MeasuredFact& fact) {
  const bool elsewhere = fact.result.reason == Reason::not_applicable;
  for (const Reason reason :
       {Reason::not_applicable, Reason::not_asked, Reason::not_implemented, Reason::denied,
        Reason::invalid, Reason::not_supported, Reason::timeout, Reason::crashed, Reason::failed}) {
    if (elsewhere != (reason == Reason::not_applicable)) continue;
    if (reason == Reason::not_asked && fact.result.effect != Effect::traces &&
        fact.result.reason != reason) {
      continue;
    }
    sheet.line("no answer", fmt::format("{:<15} {}", name(reason), meaning(reason)));
  }
}

void add_answer(Sheet& sheet, const FactResult& result) {
  sheet.line("here", value_text(result))
      .line("reason", result.reason == Reason::none ? "" : name(result.reason))
      .line("note", result.note)
      .line("samples", samples_text(result.samples, result.unit));
  for (const CurvePoint& point : result.curve) {
    sheet.line("curve", fmt::format("{} {}", result.curve_over, point_text(point, result.unit)));
  }
  for (const Evidence& evidence : result.evidence) {
    sheet.line("evidence", fmt::format("{} = {}", evidence.call, evidence.result));
  }
  for (const Conflict& conflict : result.conflicts) {
    sheet.line("conflict", fmt::format("{} says {}, {} says {}", conflict.one, conflict.one_says,
                                       conflict.other, conflict.other_says));
  }
}

void add_relations(Sheet& sheet, std::string_view id) {
  for (const Implication& rule : all_implications()) {
    const std::string end = rule.then ? "" : " is false";
    if (selects(rule.if_fact, id)) {
      sheet.line("implies", fmt::format("{}{}: {}", rule.then_fact, end, rule.why));
    }
    if (rule.then_fact == id) {
      sheet.line(rule.then ? "implied by" : "ruled out by",
                 fmt::format("{}: {}", rule.if_fact, rule.why));
    }
  }
  for (const ScenarioFile* file : all_scenario_files()) {
    for (const Scenario& scenario : file->scenarios) {
      const auto& facts = scenario.facts;
      if (std::find(facts.begin(), facts.end(), id) != facts.end()) {
        sheet.line("needed by", scenario.id);
      }
    }
  }
}

}  // namespace

std::string about_fact(std::string_view id, const ProbeOptions& options) {
  std::string text;
  for (const MeasuredFact& fact : measure_facts(id, options)) {
    if (fact.id != id) continue;
    Sheet sheet(fmt::format("fact {}", fact.id));
    sheet.line("question", fact.question)
        .line("why", fact.why)
        .line("measured by", how_measured(fact))
        .line("method",
              fmt::format("{}: {}", name(fact.result.method), meaning(fact.result.method)))
        .line("effect",
              fmt::format("{}: {}", name(fact.result.effect), meaning(fact.result.effect)))
        .line("privilege", privilege_line(fact))
        .line("source", fact.source);
    add_answer(sheet, fact.result);
    add_nulls(sheet, fact);
    add_relations(sheet, id);
    text += sheet.text();
  }
  return text;
}

}  // namespace loopscope::cli
