// Asks facts in a child process, so that a fact may hang or crash and takes nobody with it.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "probe/probe.hpp"
#include "probe/serialise.hpp"

namespace loopscope {

enum class ProbeEnd : std::uint8_t { finished, timeout, crashed, not_started };

/// How facts are asked.
struct ProbeOptions {
  /// What one fact may take before its process is killed.
  std::chrono::milliseconds deadline{500};
  bool thorough = false;   // more samples, and the facts that take long
  bool intrusive = false;  // also the facts that leave traces
};

/// How a child ended; `how` says it for a reader: "killed by signal 11", "no answer in 500 ms".
struct Isolated {
  ProbeEnd end = ProbeEnd::finished;
  std::string how{};
};

/// Asks `facts` in their order, in one child in a process group of its own with a folder of its
/// own; group and folder are gone afterwards.
///
/// options   The deadline is for each single fact. The child is killed when one exceeds it.
/// answers   Appended to: one answer for each fact that finished, in order.
Isolated ask_in_child(std::span<const Fact* const> facts, const ProbeOptions& options,
                      std::vector<TimedResult>& answers);

/// What the child of ask_in_child does where it is a program of its own: answers the facts with
/// these ids, one after the other, on an inherited handle. Its exit code. Windows.
int answer_facts(std::span<const std::string> ids, const std::string& folder,
                 const ProbeOptions& options, int report_fd);

}  // namespace loopscope
