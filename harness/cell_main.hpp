// What runs inside a cell's process: one scenario against one loop, and everything it leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/context.hpp"
#include "harness/scenario.hpp"
#include "harness/wait_monitor.hpp"

namespace loopscope {

struct CellRequest {
  const LoopDescriptor* loop = nullptr;
  const Scenario* scenario = nullptr;
  std::uint64_t seed = 1;
  Duration slack = std::chrono::milliseconds(250);
  bool allow_fallback = false;
};

/// One difference between the process before make() and after the loop was destroyed.
struct Leak {
  std::string kind;    // descriptor, thread, child, signal, signal-mask, tty ...
  std::string what;    // "7 -> pipe:[4711]"
  std::string before;  // "absent"
  std::string after;   // "present"
};

struct Proof {
  std::string how, value;
};

/// Which mechanism the loop really used, and how that is known.
struct BackendProof {
  std::string requested, effective;
  bool proved = false;   // false when no source could be read; never true for want of a doubt
  std::string fallback;  // why the cell is broken; empty when nothing speaks against the loop
  std::vector<Proof> proof;
};

/// All that a cell has to say at its end.
struct CellStatement {
  Outcome outcome = Outcome::pass;
  std::string reason;
  std::optional<Finding> finding;
  std::vector<Leak> leaks;
  BackendProof backend;
  waits::Tally waits;
  Duration cpu{0};
  std::size_t max_rss_bytes = 0;
  std::vector<Note> notes;
  std::optional<HostControl::Seen> control;
  std::vector<TraceEvent> trace;  // for a cell without a parent; the channel had it already
  std::size_t trace_dropped = 0;
};

/// Runs the cell in this process. Never throws.
CellStatement run_cell(const CellRequest& request);
/// The last line on the report channel.
void send_final(const CellStatement& statement);

}  // namespace loopscope
