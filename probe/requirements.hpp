// Holding a profile against a machine and its event loops: what fits, and why not.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loops/descriptor.hpp"
#include "probe/machine.hpp"
#include "probe/profile.hpp"

namespace loopscope {

enum class Met : std::uint8_t { satisfied, missing, unknown };
std::string_view name(Met met);

/// A requirement held against one loop on one machine.
struct Judged {
  std::string_view kind;  // that of the requirement, or "loop": that it is there at all
  bool must = true;
  std::string id;     // with the placeholder replaced
  std::string needs;  // "yes", "native or emulated", "at least 4096"
  Met met = Met::unknown;
  std::string because;    // what was found, with its reason
  bool emulated = false;  // of a capability: our adapter does it, not the library
  bool own = false;       // about this loop, not about the machine alone
};

/// A loop and how it stands.
struct LoopFit {
  const LoopDescriptor* loop;
  std::vector<Judged> judged;  // the loop itself first, then the profile's order
  /// Everything that must be is satisfied. What is unknown never counts as satisfied.
  bool fits() const;
  std::size_t count(bool must, Met met) const;
  std::size_t emulated() const;
};

/// The facts that have to be known: those of the profile, for every loop, and those that the loops
/// themselves rest on.
std::vector<std::string> facts_needed(const Profile& profile,
                                      std::span<const LoopDescriptor* const> loops);

/// Why a loop that this build has cannot be made here; empty when it can.
using Refusal = std::string(const LoopDescriptor& loop);

/// Judges every loop. refusal: asked for every loop that is there; empty on another machine. The
/// order: those that fit, then those that are there and lack least; among equals those
/// that satisfy more wants, then those that emulate less, then the order of `loops`.
std::vector<LoopFit> rank(const Profile& profile, const Machine& machine,
                          std::span<const LoopDescriptor* const> loops,
                          const std::function<Refusal>& refusal = {});

}  // namespace loopscope
