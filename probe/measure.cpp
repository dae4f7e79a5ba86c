// The order of the work: select, ask in children, and go on behind a fact that died.
#include "probe/measure.hpp"

#include <algorithm>

#include "probe/checks.hpp"

namespace loopscope {

namespace {

/// Glob with * and ?, over the whole text.
bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

MeasuredFact describe(const ProbeFile& file, const Fact& fact) {
  return {.id = std::string(fact.id),
          .question = std::string(fact.question),
          .source = std::string(fact.source),
          .mechanism = std::string(file.mechanism),
          .group = std::string(file.group),
          .why = std::string(fact.why),
          .how = std::string(fact.how),
          .privilege = std::string(fact.privilege),
          .result = {.effect = fact.effect.value_or(file.effect)}};
}

FactResult (*how_to_ask(const Fact& fact))(ProbeContext&) {
  if (fact.ask != nullptr) return fact.ask;
  for (const PlatformAnswer& answer : platform_answers()) {
    if (answer.id == fact.id) return answer.ask;
  }
  return nullptr;
}

/// Why the fact is not asked now; nullopt: it is.
std::optional<FactResult> left_out(const ProbeFile& file, const Fact& fact,
                                   const ProbeOptions& options) {
  if (how_to_ask(fact) == nullptr) {
    return FactResult{.reason = Reason::not_applicable, .note = std::string(file.absent_because)};
  }
  if (fact.effect.value_or(file.effect) == Effect::traces && !options.intrusive) {
    return FactResult{.reason = Reason::not_asked, .note = "leaves traces: ask with --intrusive"};
  }
  if (fact.thorough && !options.thorough) {
    return FactResult{.reason = Reason::not_asked, .note = "takes long: ask with --thorough"};
  }
  return std::nullopt;
}

FactResult died(const Isolated& run) {
  const Reason reason = run.end == ProbeEnd::timeout   ? Reason::timeout
                        : run.end == ProbeEnd::crashed ? Reason::crashed
                                                       : Reason::failed;
  return {.reason = reason,
          .note = "the process that asked it: " + run.how,
          .evidence = {{"child process", run.how, 0}}};
}

/// Asks the facts of one file; children follow each other until each fact has an answer.
std::vector<TimedResult> ask_all(std::span<const Fact* const> facts, const ProbeOptions& options) {
  std::vector<TimedResult> answers;
  while (answers.size() < facts.size()) {
    const Isolated run = ask_in_child(facts.subspan(answers.size()), options, answers);
    if (run.end == ProbeEnd::finished || answers.size() >= facts.size()) continue;
    const auto took = run.end == ProbeEnd::timeout ? std::chrono::nanoseconds(options.deadline)
                                                   : std::chrono::nanoseconds(0);
    answers.push_back({died(run), took.count()});
  }
  return answers;
}

void measure_file(const ProbeFile& file, std::string_view selection, const ProbeOptions& options,
                  std::vector<MeasuredFact>& out) {
  std::vector<Fact> able;  // with what answers them here
  std::vector<std::size_t> places;
  for (const Fact& fact : file.facts) {
    if (!selects(selection, fact.id)) continue;
    out.push_back(describe(file, fact));
    if (std::optional<FactResult> why_not = left_out(file, fact, options)) {
      why_not->effect = out.back().result.effect;
      out.back().result = *std::move(why_not);
      continue;
    }
    able.push_back(fact);
    able.back().ask = how_to_ask(fact);
    places.push_back(out.size() - 1);
  }
  std::vector<const Fact*> asked;
  for (const Fact& fact : able) asked.push_back(&fact);
  std::vector<TimedResult> answers = ask_all(asked, options);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    MeasuredFact& fact = out[places[i]];
    answers[i].result.effect = std::max(answers[i].result.effect, fact.result.effect);
    fact.result = std::move(answers[i].result);
    fact.took_ns = answers[i].took_ns;
  }
}

}  // namespace

bool selects(std::string_view selection, std::string_view id) {
  if (selection.empty()) return true;
  while (!selection.empty()) {
    const std::size_t comma = selection.find(',');
    const std::string_view one = selection.substr(0, comma);
    if (glob(one, id) || (one.ends_with('.') && id.starts_with(one))) return true;
    if (comma == std::string_view::npos) return false;
    selection.remove_prefix(comma + 1);
  }
  return false;
}

std::vector<MeasuredFact> measure_files(std::span<const ProbeFile* const> files,
                                        std::string_view selection, const ProbeOptions& options) {
  std::vector<MeasuredFact> out;
  for (const ProbeFile* file : files) measure_file(*file, selection, options, out);
  compare_facts(out);
  return out;
}

std::vector<MeasuredFact> measure_facts(std::string_view selection, const ProbeOptions& options) {
  return measure_files(all_probe_files(), selection, options);
}

const MeasuredFact* find_fact(std::span<const MeasuredFact> facts, std::string_view id) {
  const auto found =
      std::find_if(facts.begin(), facts.end(), [&](const MeasuredFact& f) { return f.id == id; });
  return found == facts.end() ? nullptr : &*found;
}

bool fact_is_true(const MeasuredFact& fact) { return holds(fact.result.value); }

bool fact_is_true(std::span<const MeasuredFact> facts, std::string_view id) {
  const MeasuredFact* fact = find_fact(facts, id);
  return fact != nullptr && fact_is_true(*fact);
}

}  // namespace loopscope
