// Reading expectations and holding verdicts against them.
#include "harness/expectation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "harness/patterns.hpp"

namespace loopscope {
namespace {

using Json = nlohmann::json;

Error refused(std::string what) {
  return make_error(Errc::protocol, "expectations", std::move(what));
}

Result<std::string> text_of(const Json& entry, const char* key, std::size_t index) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_string() || found->get<std::string>().empty()) {
    return refused(fmt::format("entry {}: \"{}\" is missing, or is not a text", index, key));
  }
  return found->get<std::string>();
}

bool can_be_expected(Outcome outcome) {
  return outcome != Outcome::pass && outcome != Outcome::skip && outcome != Outcome::unsupported &&
         outcome != Outcome::notrun && outcome != Outcome::broken;
}

/// "1.44.2" as {1, 44, 2}; what follows the numbers ("-dev") is left out. nullopt: no number.
// Signed: of unsigned ones GCC 12 compares only as many bytes as there are numbers, where the
// processor is big-endian. source: libstdc++-v3/include/bits/stl_algobase.h of GCC 12.2,
// lexicographical_compare_three_way, its call of __builtin_memcmp
std::optional<std::vector<int>> numbers_of(std::string_view version) {
  std::vector<int> numbers;
  while (true) {
    int number = 0;
    const char* end = version.data() + version.size();
    const auto [rest, error] = std::from_chars(version.data(), end, number);
    if (error != std::errc()) break;
    numbers.push_back(number);
    if (rest == end || *rest != '.') break;
    version.remove_prefix(static_cast<std::size_t>(rest - version.data()) + 1);
  }
  if (numbers.empty()) return std::nullopt;
  return numbers;
}

Result<Expectation> read_entry(const Json& entry, std::size_t index) {
  if (!entry.is_object()) return refused(fmt::format("entry {}: not an object", index));
  Expectation expectation;
  std::string outcome;
  struct Field {
    const char* key;
    std::string* to;
  };
  for (const Field field : {Field{"scenario", &expectation.scenario},
                            Field{"platform", &expectation.platform}, Field{"outcome", &outcome},
                            Field{"why", &expectation.why}, Field{"source", &expectation.source}}) {
    Result<std::string> text = text_of(entry, field.key, index);
    if (!text.ok()) return text.error();
    *field.to = std::move(text).value();
  }
  const std::optional<Outcome> known = outcome_by_name(outcome);
  if (!known || !can_be_expected(*known)) {
    return refused(
        fmt::format("entry {}: \"{}\" is no outcome to expect; known are diverges, fail, "
                    "leak, hang, crash and inconclusive",
                    index, outcome));
  }
  expectation.outcome = *known;
  if (const auto sometimes = entry.find("sometimes"); sometimes != entry.end()) {
    if (!sometimes->is_boolean()) {
      return refused(fmt::format("entry {}: \"sometimes\" is neither true nor false", index));
    }
    expectation.sometimes = sometimes->get<bool>();
  }
  if (const auto when = entry.find("when"); when != entry.end()) {
    if (!when->is_object()) {
      return refused(fmt::format("entry {}: \"when\" is no object of facts", index));
    }
    for (const auto& [fact, answer] : when->items()) {
      if (!answer.is_string()) {
        return refused(fmt::format("entry {}: \"when\": {} is no text", index, fact));
      }
      expectation.when.emplace_back(fact, answer.get<std::string>());
    }
  }
  if (entry.contains("leaks")) {
    Result<std::string> leaks = text_of(entry, "leaks", index);
    if (!leaks.ok()) return leaks.error();
    expectation.leaks = std::move(leaks).value();
  }
  if (entry.contains("before")) {
    Result<std::string> before = text_of(entry, "before", index);
    if (!before.ok()) return before.error();
    if (!numbers_of(*before)) {
      return refused(fmt::format("entry {}: \"before\" is no version: {}", index, *before));
    }
    expectation.before = std::move(before).value();
  }
  return expectation;
}

}  // namespace

Result<std::vector<Expectation>> parse_expectations(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return refused("not JSON");
  if (!json.is_object() || json.value("schema", "") != "loopscope.expectations/1") {
    return refused("\"schema\" is not \"loopscope.expectations/1\"");
  }
  const auto list = json.find("expectations");
  if (list == json.end() || !list->is_array()) return refused("\"expectations\" is no array");
  std::vector<Expectation> result;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Result<Expectation> entry = read_entry((*list)[i], i);
    if (!entry.ok()) return entry.error();
    result.push_back(std::move(entry).value());
  }
  return result;
}

bool applies_to(const Expectation& expectation, std::string_view version) {
  const auto end = numbers_of(expectation.before);
  const auto now = numbers_of(version);
  return !end || !now || *now < *end;
}

bool holds(const Expectation& expectation, const FactTexts& facts) {
  return std::all_of(expectation.when.begin(), expectation.when.end(), [&](const auto& condition) {
    const auto fact = facts.find(condition.first);
    std::string_view glob = condition.second;
    const bool wanted = !glob.starts_with('!');
    if (!wanted) glob.remove_prefix(1);
    return matches(glob, fact == facts.end() ? "-" : fact->second) == wanted;
  });
}

bool covers(const Expectation& expectation, Outcome outcome, std::span<const Leak> leaks) {
  if (outcome != Outcome::leak || expectation.leaks.empty()) return true;
  return std::all_of(leaks.begin(), leaks.end(), [&](const Leak& leak) {
    return matches(expectation.leaks, leak.kind + " " + leak.what);
  });
}

const Expectation* find_expectation(std::span<const Expectation> expectations,
                                    std::string_view scenario, std::string_view platform) {
  const auto found = std::find_if(expectations.begin(), expectations.end(), [&](const auto& one) {
    return matches(one.scenario, scenario) && matches(one.platform, platform);
  });
  return found == expectations.end() ? nullptr : &*found;
}

Standing compare(const Verdict& verdict, const Expectation* expectation) {
  const Outcome outcome = verdict.outcome;
  if (expectation != nullptr) {
    if (outcome == expectation->outcome) return Standing::as_expected;
    if (outcome == Outcome::pass || outcome == Outcome::diverges) {
      return expectation->sometimes ? Standing::as_expected : Standing::stale_expectation;
    }
  }
  return is_red(outcome) || is_unknown(outcome) ? Standing::unexpected : Standing::as_expected;
}

std::vector<Expectation> unmatched(std::span<const Expectation> expectations,
                                   std::span<const std::string> scenarios) {
  std::vector<Expectation> result;
  for (const Expectation& expectation : expectations) {
    const bool used = std::any_of(scenarios.begin(), scenarios.end(), [&](const std::string& id) {
      return matches(expectation.scenario, id);
    });
    if (!used) result.push_back(expectation);
  }
  return result;
}

}  // namespace loopscope
