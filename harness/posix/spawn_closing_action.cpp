// Closing by an action of posix_spawn(3): glibc 2.34, FreeBSD.
#include "harness/posix/spawn_closing.hpp"

namespace loopscope {
short close_from(posix_spawn_file_actions_t& files, int first) {
  (void)::posix_spawn_file_actions_addclosefrom_np(&files, first);
  return 0;
}
}  // namespace loopscope
