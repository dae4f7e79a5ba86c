// Pure functions on a profile, a machine and the table of the loops.
#include "probe/requirements.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "probe/render.hpp"

namespace loopscope {
namespace {

constexpr std::string_view kProcessLimit = "limit.nofile.hard";

/// Null where the loop does not say what it waits with.
const WaitRow* wait_of(const LoopDescriptor& loop) {
  for (const std::string_view call : loop.wait_calls) {
    for (const WaitRow& row : wait_rows()) {
      if (row.call == call) return &row;
    }
  }
  return nullptr;
}

/// The id on this loop; empty when the loop does not say what it waits with.
std::string on_loop(const std::string& id, const LoopDescriptor& loop) {
  if (!has_placeholder(id)) return id;
  const WaitRow* row = wait_of(loop);
  return row == nullptr ? std::string() : expanded(id, *row);
}

std::string answer_text(const KnownFact& fact) {
  std::string text = value_text({.value = fact.value});
  if (!fact.unit.empty() && fact.unit != "count") text += " " + fact.unit;
  if (!fact.reason.empty() && fact.reason != "none") text += fmt::format(" ({})", fact.reason);
  if (!fact.note.empty()) text += ": " + fact.note;
  return text;
}

struct Finding {
  Met met;
  std::string because;
};

Finding not_answered(const KnownFact* fact) {
  if (fact == nullptr) return {Met::unknown, "the report does not have it"};
  // A fact of another system is a no on this one; every other null is no answer.
  const bool elsewhere = fact->reason == "not_applicable";
  return {elsewhere ? Met::missing : Met::unknown,
          fmt::format("{}{}{}", fact->reason, fact->note.empty() ? "" : ": ", fact->note)};
}

bool answered(const KnownFact* fact) {
  return fact != nullptr && !std::holds_alternative<std::monostate>(fact->value);
}

Finding judge_fact(const KnownFact* fact, bool wanted) {
  if (!answered(fact)) return not_answered(fact);
  return {holds(fact->value) == wanted ? Met::satisfied : Met::missing, answer_text(*fact)};
}

std::optional<double> number_of(const KnownFact& fact, const std::string& of) {
  if (!of.empty()) {
    if (!fact.samples) return std::nullopt;
    const Quantiles& q = *fact.samples;
    for (const auto& [name, value] : {std::pair{"min", q.min},
                                      {"p50", q.p50},
                                      {"p90", q.p90},
                                      {"p99", q.p99},
                                      {"max", q.max}}) {
      if (of == name) return value;
    }
    return std::nullopt;
  }
  if (const auto* whole = std::get_if<std::int64_t>(&fact.value)) {
    return static_cast<double>(*whole);
  }
  const auto* real = std::get_if<double>(&fact.value);
  return real == nullptr ? std::nullopt : std::optional(*real);
}

Finding judge_number(const KnownFact* fact, const Requirement& requirement) {
  if (!answered(fact)) return not_answered(fact);
  const std::optional<double> number = number_of(*fact, requirement.of);
  if (!number) {
    return {Met::unknown, requirement.of.empty() ? "the answer is no number: " + answer_text(*fact)
                                                 : "the report has no samples of it"};
  }
  const bool within = (!requirement.at_least || *number >= *requirement.at_least) &&
                      (!requirement.at_most || *number <= *requirement.at_most);
  const std::string what = requirement.of.empty() ? "" : requirement.of + " ";
  const std::string unit = fact->unit == "count" ? "" : " " + fact->unit;
  return {within ? Met::satisfied : Met::missing, fmt::format("{}{:.15g}{}", what, *number, unit)};
}

/// The limit of the process, and that of the mechanism where it has one of its own.
Finding judge_descriptors(const LoopDescriptor& loop, const Machine& machine,
                          const Requirement& requirement) {
  const Finding process = judge_number(machine.find(kProcessLimit), requirement);
  const WaitRow* wait = wait_of(loop);
  if (wait == nullptr) return {Met::unknown, "the loop does not say what it waits with"};
  if (wait->descriptor_limit_fact.empty() || process.met == Met::missing) {
    return {process.met, fmt::format("{} {}", kProcessLimit, process.because)};
  }
  const Finding own = judge_number(machine.find(wait->descriptor_limit_fact), requirement);
  return {own.met == Met::satisfied ? process.met : own.met,
          fmt::format("{} {}", wait->descriptor_limit_fact, own.because)};
}

std::string needs_of(const Requirement& requirement) {
  using Kind = Requirement::Kind;
  if (requirement.kind == Kind::capability) return "native or emulated";
  if (requirement.kind == Kind::fact) return requirement.answer ? "yes" : "no";
  std::string text = requirement.of.empty() ? "" : requirement.of + " ";
  if (requirement.at_least) text += fmt::format("at least {:.15g}", *requirement.at_least);
  if (requirement.at_least && requirement.at_most) text += " and ";
  if (requirement.at_most) text += fmt::format("at most {:.15g}", *requirement.at_most);
  return text;
}

Finding judge_capability(const LoopDescriptor& loop, const std::string& id, bool& emulated) {
  const std::optional<Cap> cap = cap_by_id(id);
  if (!cap) return {Met::unknown, "no such capability"};
  const Support support = loop.support(*cap);
  emulated = support == Support::emulated;
  if (support != Support::absent) return {Met::satisfied, std::string(name(support))};
  for (const Absence& absence : loop.absences) {
    if (absence.cap == *cap) return {Met::missing, std::string(absence.why)};
  }
  return {Met::missing, "absent"};
}

Judged judge(const Requirement& requirement, const LoopDescriptor& loop, const Machine& machine) {
  using Kind = Requirement::Kind;
  Judged out{.kind = name(requirement.kind),
             .must = requirement.must,
             .id = on_loop(requirement.id, loop),
             .needs = needs_of(requirement),
             .because = {},
             .own = requirement.kind == Kind::capability || requirement.kind == Kind::descriptors};
  Finding found{Met::unknown, "the loop does not say what it waits with"};
  if (requirement.kind == Kind::capability) {
    found = judge_capability(loop, requirement.id, out.emulated);
  } else if (requirement.kind == Kind::descriptors) {
    found = judge_descriptors(loop, machine, requirement);
  } else if (out.id.empty()) {
    out.id = requirement.id;
    out.own = true;
  } else {
    out.own = out.id != requirement.id;
    const KnownFact* fact = machine.find(out.id);
    found = requirement.kind == Kind::fact ? judge_fact(fact, requirement.answer)
                                           : judge_number(fact, requirement);
  }
  out.met = found.met;
  out.because = std::move(found.because);
  return out;
}

/// Is the loop there, and has the machine what it rests on?
Judged judge_loop(const LoopDescriptor& loop, const Machine& machine,
                  const std::function<Refusal>& refusal) {
  Judged out{.kind = "loop",
             .id = std::string(loop.name),
             .needs = "present",
             .met = Met::satisfied,
             .because = std::string(loop.mechanism),
             .own = true};
  if (loop.make == nullptr) {
    out.met = Met::missing;
    out.because = fmt::format("not in this build: {}", loop.absent_because);
    return out;
  }
  if (std::string why = refusal ? refusal(loop) : std::string(); !why.empty()) {
    out.met = Met::missing;
    out.because = std::move(why);
    return out;
  }
  const WaitRow* wait = wait_of(loop);
  if (wait == nullptr) return out;
  for (const std::string_view id : wait->rests_on) {
    if (id.empty()) continue;
    const Finding found = judge_fact(machine.find(id), true);
    if (found.met == Met::satisfied || out.met == Met::missing) continue;
    out.met = found.met;
    out.because = fmt::format("{}: {}", id, found.because);
  }
  return out;
}

auto order_of(const LoopFit& fit) {
  const bool absent = fit.judged.front().met == Met::missing;
  return std::tuple(!fit.fits(), absent, fit.count(true, Met::missing),
                    fit.count(true, Met::unknown),
                    -static_cast<long>(fit.count(false, Met::satisfied)), fit.emulated());
}

}  // namespace

std::string_view name(Met met) {
  constexpr std::array<std::string_view, 3> kNames{"satisfied", "missing", "unknown"};
  return kNames.at(static_cast<std::size_t>(met));
}

bool LoopFit::fits() const {
  return std::all_of(judged.begin(), judged.end(),
                     [](const Judged& one) { return !one.must || one.met == Met::satisfied; });
}

std::size_t LoopFit::count(bool must, Met met) const {
  return static_cast<std::size_t>(
      std::count_if(judged.begin(), judged.end(),
                    [&](const Judged& one) { return one.must == must && one.met == met; }));
}

std::size_t LoopFit::emulated() const {
  return static_cast<std::size_t>(
      std::count_if(judged.begin(), judged.end(), [](const Judged& one) { return one.emulated; }));
}

std::vector<std::string> facts_needed(const Profile& profile,
                                      std::span<const LoopDescriptor* const> loops) {
  std::vector<std::string> ids;
  const auto add = [&](std::string_view id) {
    if (!id.empty() && std::find(ids.begin(), ids.end(), id) == ids.end()) ids.emplace_back(id);
  };
  for (const LoopDescriptor* loop : loops) {
    for (const Requirement& requirement : profile.requirements) {
      if (requirement.kind == Requirement::Kind::descriptors) add(kProcessLimit);
      if (requirement.kind == Requirement::Kind::fact ||
          requirement.kind == Requirement::Kind::number) {
        add(on_loop(requirement.id, *loop));
      }
    }
    const WaitRow* wait = wait_of(*loop);
    if (wait == nullptr) continue;
    for (const std::string_view id : wait->rests_on) add(id);
    add(wait->descriptor_limit_fact);
  }
  return ids;
}

std::vector<LoopFit> rank(const Profile& profile, const Machine& machine,
                          std::span<const LoopDescriptor* const> loops,
                          const std::function<Refusal>& refusal) {
  std::vector<LoopFit> fits;
  for (const LoopDescriptor* loop : loops) {
    LoopFit fit{.loop = loop, .judged = {judge_loop(*loop, machine, refusal)}};
    for (const Requirement& requirement : profile.requirements) {
      fit.judged.push_back(judge(requirement, *loop, machine));
    }
    fits.push_back(std::move(fit));
  }
  std::stable_sort(fits.begin(), fits.end(),
                   [](const LoopFit& a, const LoopFit& b) { return order_of(a) < order_of(b); });
  return fits;
}

}  // namespace loopscope
