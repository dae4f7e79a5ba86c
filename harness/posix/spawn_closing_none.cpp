// Nothing is closed: what we open ourselves is close-on-exec.
#include "harness/posix/spawn_closing.hpp"

namespace loopscope {
short close_from(posix_spawn_file_actions_t&, int) { return 0; }
}  // namespace loopscope
