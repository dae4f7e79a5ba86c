// CellStatement: all that a cell has to say at its end, and its one line on the report channel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/context.hpp"
#include "harness/wait_monitor.hpp"
#include "loops/base/result.hpp"

namespace loopscope {

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
  bool sibling_hangs = false;  // a thread is lost: leave the process without unwinding
};

/// "left behind: descriptor 7 -> pipe:[4711], and 2 more". Precondition: not empty.
std::string describe_leaks(const std::vector<Leak>& leaks);

/// {"final":{...}}; without the trace, which the channel had already.
std::string encode(const CellStatement& statement);
/// What encode() made, without the outer object. error: protocol, with what is wrong.
Result<CellStatement> decode_statement(std::string_view final_object);

}  // namespace loopscope
