// Closing by default: Darwin's posix_spawn(2) keeps what an action names. Source: macOS man 3
// posix_spawnattr_setflags, POSIX_SPAWN_CLOEXEC_DEFAULT.
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include "harness/posix/spawn_closing.hpp"

namespace loopscope {
short close_from(posix_spawn_file_actions_t& files, int) {
  // Those that no other action has made.
  (void)::posix_spawn_file_actions_addinherit_np(&files, STDOUT_FILENO);
  (void)::posix_spawn_file_actions_addinherit_np(&files, STDERR_FILENO);
  return static_cast<short>(POSIX_SPAWN_CLOEXEC_DEFAULT);
}
}  // namespace loopscope
