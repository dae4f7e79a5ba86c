// Starting a program with its first descriptors alone.
#pragma once

#include <spawn.h>

namespace loopscope {

/// To be called last. The program has the descriptors below `first`; those above that are not
/// close-on-exec stay open only where the system has nothing against it.
/// returns  flags for posix_spawnattr_setflags
short close_from(posix_spawn_file_actions_t& files, int first);

}  // namespace loopscope
