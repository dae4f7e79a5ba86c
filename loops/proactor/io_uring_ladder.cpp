// From the level that uses most to the one that uses least, until everything of one works.
#include "loops/proactor/io_uring_ladder.hpp"

#include <array>
#include <cerrno>
#include <map>
#include <mutex>

#include "loops/os/process_id.hpp"
#include "loops/proactor/io_uring_refusal.hpp"
#include "loops/proactor/io_uring_trial.hpp"

namespace loopscope::uring {
namespace {

constexpr UringLevel kAll[] = {UringLevel::defer,   UringLevel::coop, UringLevel::plain,
                               UringLevel::oneshot, UringLevel::copy, UringLevel::basic};

struct Flag {
  unsigned bit;
  std::string_view name;
};
constexpr Flag kFlags[] = {{IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER"},
                           {IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"},
                           {IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN"},
                           {IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG"},
                           {IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL"},
                           {IORING_SETUP_R_DISABLED, "R_DISABLED"},
                           {kSetupNoSqArray, "NO_SQARRAY"}};

Abilities abilities_of(UringLevel level) {
  Abilities abilities{.level = level,
                      .single_issuer = level == UringLevel::defer,
                      .multishot = level < UringLevel::oneshot,
                      .buffer_ring = level < UringLevel::copy,
                      .wait_timeout = level < UringLevel::basic};
  if (level == UringLevel::defer) {
    abilities.setup_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                            IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
                            IORING_SETUP_R_DISABLED | kSetupNoSqArray;
  } else if (level == UringLevel::coop) {
    abilities.setup_flags =
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL;
  }
  return abilities;
}

std::string words_of(const Abilities& abilities) {
  std::string words(name(abilities.level));
  words += ": CQSIZE CLAMP";
  for (const Flag& flag : kFlags) {
    if ((abilities.setup_flags & flag.bit) != 0) words += " " + std::string(flag.name);
  }
  words += abilities.multishot ? "; multishot accept, receive, poll" : "; one shot each";
  words += abilities.buffer_ring ? "; ring of buffers" : "; memory of the operation";
  words += abilities.wait_timeout ? "; timeout of the wait call" : "; timeout operation";
  return words;
}

/// Does this level work as it is?
Result<void> works(const Abilities& abilities) {
  Result<Ring> ring = Ring::open(abilities.setup_flags, 8, 16);
  if (!ring.ok()) return ring.error();
  if ((ring->features() & IORING_FEAT_NODROP) == 0) {
    return errno_error_of(EOPNOTSUPP, "io_uring_setup", "without IORING_FEAT_NODROP");
  }
  if (abilities.wait_timeout && (ring->features() & IORING_FEAT_EXT_ARG) == 0) {
    return errno_error_of(EOPNOTSUPP, "io_uring_setup", "without IORING_FEAT_EXT_ARG");
  }
  if ((abilities.setup_flags & IORING_SETUP_R_DISABLED) != 0) {
    if (const int failed = ring->enable(); failed < 0) {
      return errno_error_of(-failed, "io_uring_register(ENABLE_RINGS)");
    }
  }
  return try_out(*ring, abilities);
}

/// Of no use to go on below: io_uring as a whole is refused, or something has run out.
bool is_final(const Error& error) {
  if (error.op != "io_uring_setup" && error.op != "io_uring_enter") {
    return error.is_errno(EMFILE) || error.is_errno(ENFILE);
  }
  return !error.is_errno(EINVAL) && !error.is_errno(EOPNOTSUPP);
}

Result<Abilities> try_level(UringLevel level) {
  Abilities abilities = abilities_of(level);
  Result<void> working = works(abilities);
  if (!working.ok() && working.error().is_errno(EINVAL) &&
      (abilities.setup_flags & kSetupNoSqArray) != 0) {
    abilities.setup_flags &= ~kSetupNoSqArray;  // Linux 6.1 to 6.5
    working = works(abilities);
  }
  if (!working.ok()) return explain_refusal(working.error(), gather_evidence());
  abilities.words = words_of(abilities);
  return abilities;
}

Result<Abilities> first_that_works() {
  std::string refused;
  Error last = errno_error_of(EINVAL, "io_uring");
  for (const UringLevel level : kAll) {
    Result<Abilities> tried = try_level(level);
    if (tried.ok()) {
      if (!refused.empty()) tried->words += "; refused:" + refused;
      return tried;
    }
    last = tried.error();
    if (is_final(last)) return last;
    refused += " " + std::string(name(level)) + " (" + to_string(last) + ")";
  }
  last.detail += "; refused before:" + refused;
  return last;
}

struct Learnt {
  std::mutex mutex;
  unsigned generation = os::fork_generation();
  std::map<UringLevel, Abilities> levels;
};

}  // namespace

Result<Abilities> climb(UringLevel level) {
  static Learnt learnt;
  const std::lock_guard lock(learnt.mutex);
  if (learnt.generation != os::fork_generation()) {
    // A child may be under a filter of its own.
    learnt.levels.clear();
    learnt.generation = os::fork_generation();
  }
  if (const auto known = learnt.levels.find(level); known != learnt.levels.end()) {
    return known->second;
  }
  Result<Abilities> found = level == UringLevel::automatic ? first_that_works() : try_level(level);
  if (found.ok()) learnt.levels.emplace(level, *found);
  return found;
}

}  // namespace loopscope::uring
