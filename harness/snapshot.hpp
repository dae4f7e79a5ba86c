// Snapshot: the state of this process that a loop must leave as it found it.
#pragma once

#include <string>
#include <vector>

#include "harness/statement.hpp"

namespace loopscope {

/// One thing that can be left behind, or changed, by name and value.
struct StateItem {
  std::string kind;   // descriptor, descriptor-flags, thread, child, signal, signal-mask, tty ...
  std::string what;   // "7 -> pipe:[4711]", "SIGINT"
  std::string value;  // "present", "default", "handler 0x55..."
  friend auto operator<=>(const StateItem&, const StateItem&) = default;
};
/// Sorted.
using Snapshot = std::vector<StateItem>;

/// Descriptors with what they refer to, threads, children, signal dispositions and mask, terminal
/// modes, timers, working directory, umask. Of the whole process; the mask is the caller's.
Snapshot take_snapshot();
/// Takes snapshots until nothing is left behind against `before`, for at most `patience`: a joined
/// thread may stay in the system's lists for a moment.
Snapshot settle_snapshot(const Snapshot& before, Duration patience);
/// What differs; a thing that is missing on one side reads "absent" there. Pure.
std::vector<Leak> differences(const Snapshot& before, const Snapshot& after);

}  // namespace loopscope
