// One cell, one process: started, watched, killed as a group, and described to its last byte.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/outcome.hpp"
#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"

namespace loopscope {

struct ChildCommand {
  std::vector<std::string> arguments;              // the words after the program's name
  std::map<std::string, std::string> environment;  // added to what is inherited
  std::string directory;                           // working directory; empty: the parent's
  Duration limit{std::chrono::seconds(10)};
};

struct ThreadEvidence {
  long tid = 0;
  std::string name, state, wchan;
  std::vector<std::string> stack;  // innermost first; empty when the thread did not answer
};

/// What a hanging process looked like before it was killed.
struct Dossier {
  std::vector<ThreadEvidence> threads;
  std::vector<std::string> descriptors;  // "5 -> anon_inode:[eventpoll], watches 3 descriptors"
};

struct ChildReport {
  ChildEnd end;
  std::vector<std::string> lines;      // of the report channel
  std::string out, err;                // bounded
  std::vector<std::string> leftovers;  // processes that outlived it, killed: "pid 12 (sleep)"
  bool pipes_held = false;             // somebody still held its pipes after it had gone
  Dossier dossier;                     // of a child that was killed at its limit
  Duration took{0};
  long pid = 0;
};

/// Output of a child beyond this is counted and dropped.
inline constexpr std::size_t kOutputBound = std::size_t{256} * 1024;

/// When a child is to be killed: its limit counts the time that it had or could have had a
/// processor. kept_waiting, the time that it was ready and the host ran others, is added, up to
/// four limits: a loaded host is no hang, and a host that never runs it is no excuse either.
inline TimePoint fair_end(TimePoint began, Duration limit, Duration kept_waiting) {
  return saturating_add(began, limit + std::min(kept_waiting, 4 * limit));
}

/// Makes this process adopt orphans of its cells, so that none of them escapes to init.
void adopt_orphans();
/// Kills and reaps what is left of former cells; only while no cell runs. What it found.
std::vector<std::string> sweep_orphans();

/// The path of the program that runs now.
Result<std::string> own_executable();

}  // namespace loopscope
