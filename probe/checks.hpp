// Checks between facts: what one answer implies for another one, and where two do not agree.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probe/probe.hpp"

namespace loopscope {

/// Where `if_fact` is true, `then_fact` is true as well, or false when `then` is false. Only what
/// must be so on every machine stands here: a filter may refuse any single call.
struct Implication {
  std::string_view if_fact;  // an id, or a glob over ids
  std::string_view then_fact;
  bool then = true;
  std::string_view why;
};
std::span<const Implication> all_implications();

/// A pair of answers that cannot both be right.
struct Violation {
  std::string if_fact, if_says, then_fact, then_says, why;
};

struct ImplicationChecks {
  std::size_t checked = 0;  // pairs of which both facts have an answer
  std::vector<Violation> violations;
};

/// Holds the answers against the implications. A fact that is null or was not asked decides
/// nothing. (The rules are an argument for the sake of the tests.)
ImplicationChecks check_implications(std::span<const MeasuredFact> facts,
                                     std::span<const Implication> rules = all_implications());

/// Adds to the facts those conflicts that only show between two of them.
void compare_facts(std::span<MeasuredFact> facts);

}  // namespace loopscope
