// Comparing two runs or reports: what changed from one to the other, facts of the machine first.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loops/base/result.hpp"
#include "reports/model.hpp"

namespace loopscope::reports {

enum class Change : std::uint8_t {
  regressed,       // further from kept than before: pass, diverges, not attempted, unknown, red
  fixed,           // nearer
  reason_changed,  // the same outcome for another reason, or another behaviour of several legal
                   // ones
  flaky,           // repeats agreed, and now do not
  appeared,        // not in the older run
  vanished,        // not in the newer run
  rule_changed,    // another outcome, and the scenario is not the same promise any more
};
std::string_view name(Change change);
/// In the order in which a reader wants them.
inline constexpr Change kChanges[] = {
    Change::regressed,    Change::flaky,    Change::fixed,   Change::reason_changed,
    Change::rule_changed, Change::appeared, Change::vanished};

/// One loop and scenario on one platform. The cells are of the first repeat; null where there is
/// none.
struct CellChange {
  Change change = Change::regressed;
  const Cell* before = nullptr;
  const Cell* after = nullptr;
  std::string column;   // "epoll", or "epoll @ linux-x86_64" where there are several legs
  std::string was, is;  // "pass", "fail: got no event", "pass, hang" of repeats that differ
  const Cell& cell() const { return after != nullptr ? *after : *before; }
};

/// A field of the host or a fact. Measured times are left out: they differ each time.
struct HostChange {
  std::string what, was, is;  // "kernel"; "pidfd.open"; "linux-x86_64: kernel" of several legs
};

struct RunDiff {
  std::vector<HostChange> host;
  std::vector<CellChange> cells;  // by change, then in the order of the plan
  std::size_t same = 0;           // loops and scenarios in which nothing changed
  std::size_t of(Change change) const;
};

/// Legs of one platform each are compared whatever it is; of several, those of the same platform.
/// lifetime  The cells point into the runs.
RunDiff diff(Legs before, Legs after);

/// A run or several, for the head of a comparison: ids, starts, systems.
std::string title_of(Legs legs);
/// "2 regressed, 1 fixed, 2447 unchanged".
std::string counts_of(const RunDiff& diff);

/// How a comparison is written. The last name is for the end of a file name.
struct DiffFormat {
  std::string_view name, extension;
  std::string (*render)(Legs before, Legs after, const RunDiff& diff);
};
std::span<const DiffFormat> diff_formats();  // text, json, markdown, html

}  // namespace loopscope::reports
