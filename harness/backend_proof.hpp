// Effective-backend proof: what the loop declares, held against what the system shows.
#pragma once

#include <map>
#include <string>

#include "harness/statement.hpp"
#include "loops/descriptor.hpp"

namespace loopscope {

/// What was seen of a loop: its wait descriptor, the descriptors that make() opened, its waits.
struct BackendEvidence {
  bool seen = false;               // there was a loop to look at
  std::string mechanism, version;  // the loop's own words
  os::NativeSocket wait_descriptor = os::kInvalid;
  std::string wait_link;     // "anon_inode:[eventpoll]"; empty: not readable
  std::string wait_details;  // of fdinfo: how many descriptors it watches
  std::map<os::NativeSocket, std::string> opened_by_make;  // number to link
  bool monitored = false;      // the wait monitor works on this platform
  waits::Tally waits;          // inside runs of the loop
  waits::Tally sibling_waits;  // of another instance, when the loop never waited
};

/// Descriptor number to what it refers to, of this process.
std::map<os::NativeSocket, std::string> descriptor_links();
/// Evidence of a loop that was just made.
BackendEvidence look_at(EventLoop& loop,
                        const std::map<os::NativeSocket, std::string>& before_make);
/// Makes another loop from the descriptor and turns it once, in a thread that is given a second.
/// False when it did not come back: the caller must then leave the process without unwinding.
bool turn_sibling(const LoopDescriptor& descriptor);
/// Pure. proof.fallback is set when anything contradicts the declaration.
BackendProof judge_backend(const LoopDescriptor& descriptor, const BackendEvidence& evidence);

}  // namespace loopscope
