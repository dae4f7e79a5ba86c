// Expectations: known divergences as data, each with a reason and a source.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/result.hpp"
#include "loops/base/result.hpp"

namespace loopscope {

/// The expectations of one loop: harness/expectations/<loop>.json.
struct ExpectationFile {
  std::string_view loop;
  std::string_view text;
};
/// Those that were compiled in. Generated.
std::span<const ExpectationFile> embedded_expectations();

/// errors  protocol: what is wrong, and in which entry. Every entry needs scenario, platform,
///         outcome, why and source, and an outcome that a cell can end in. "before" may name the
///         library's version that ended the divergence; "sometimes": true makes what is better as
///         expected, for what depends on the moment; "when" is an object of facts, each with a glob
///         over its answer, {"uring.setup": "no EPERM"}, or "!" and a glob over what it is not;
///         "leaks" is a glob over what is left behind.
Result<std::vector<Expectation>> parse_expectations(std::string_view json);

/// True for what `version` of the loop's library still does. A version that cannot be read, or
/// none, counts as one that does. Pure.
bool applies_to(const Expectation& expectation, std::string_view version);

/// What the probe answered here, by the ids of facts: "yes", "4000000", "no EPERM".
using FactTexts = std::map<std::string, std::string, std::less<>>;
/// True where all facts of its "when" are as it says. One without an answer is "-". Pure.
bool holds(const Expectation& expectation, const FactTexts& facts);

/// False for a leak of something else than the expected one. Pure.
bool covers(const Expectation& expectation, Outcome outcome, std::span<const Leak> leaks);

/// The first that applies to the scenario on this platform; null when none does.
const Expectation* find_expectation(std::span<const Expectation> expectations,
                                    std::string_view scenario, std::string_view platform);

/// Without an expectation, what is red or unknown is unexpected. With one, only its own outcome is
/// as expected; anything better makes it stale, unless it is expected only sometimes. Pure.
Standing compare(const Verdict& verdict, const Expectation* expectation);

/// Expectations that can match none of the scenarios, on any platform.
std::vector<Expectation> unmatched(std::span<const Expectation> expectations,
                                   std::span<const std::string> scenarios);

}  // namespace loopscope
