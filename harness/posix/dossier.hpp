// The hang dossier: where each thread of a process is, and what it holds.
#pragma once

#include <sys/types.h>

#include "harness/child.hpp"

namespace loopscope {

/// Reads what /proc tells of the process, and asks each of its threads for a backtrace, which
/// arrives on the report channel.
Dossier interrogate(pid_t pid);
/// Takes the {"stack":...} lines out of `lines` and gives each to its thread.
void add_stacks(std::vector<std::string>& lines, Dossier& dossier);

}  // namespace loopscope
