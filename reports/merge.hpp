// Merging: journals, reports and merged documents of many machines into one document.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "reports/merged.hpp"
#include "reports/redact.hpp"

namespace loopscope::reports {

struct MergeInput {
  std::string path;
  std::string platform;  // what to call it instead of platform_of(); not for a merged document
};

struct MergeOptions {
  ExpectedLegs expected;             // one that nothing is of becomes notrun, with its reason
  bool mixed_rules = false;          // promises may differ between legs
  std::optional<LocalNames> redact;  // names to take out; none: everything stays
};

/// What was not merged, and why: "PATH: line 7: ...".
struct Refusal {
  std::string path, why;
};

struct MergeResult {
  std::size_t legs = 0, cells = 0;   // in the document
  std::size_t same = 0;              // legs that were there already, to the last byte
  std::size_t incomplete = 0;        // legs that are incomplete
  std::vector<std::string> missing;  // expected platforms without a leg, shards of those with one
  std::vector<Refusal> refused;
};

/// Writes the merged document of what is sound. The same set of legs gives the same bytes, whatever
/// their order, grouping or repetition.
///
/// Refused are: what cannot be read; a run without an id; a journal that contradicts itself; one
/// run id with two contents or under two platforms; a loop, scenario and repeat that has a result
/// on that platform already; a scenario whose promise is another one than in a leg before it. Of
/// two that exclude each other the first in the order of the document stays.
///
/// Memory: a few legs, and 16 bytes for each cell of one platform. Reads with several threads.
MergeResult merge(const std::vector<MergeInput>& inputs, const MergeOptions& options,
                  std::ostream& out);

}  // namespace loopscope::reports
