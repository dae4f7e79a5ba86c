// Inheritance: processes that leave their parent, and what passes into children and programs.
#pragma once

#include <functional>
#include <vector>

#include "loops/os/native.hpp"

namespace loopscope::tools {

/// Forks twice, as a daemon does, with a session of its own in between. The grandchild runs `work`
/// when its parent has gone; what it returned (0..255), 255 after an exception, -1 when it was
/// lost.
int in_daemon(const std::function<int()>& work);

/// The descriptors that a program started with execve(2) would have beside the standard three, as
/// the close-on-exec flags of this process say.
std::vector<int> descriptors_after_exec();
/// epoll_ctl(EPOLL_CTL_DEL), behind the back of whoever has the set. Linux.
void epoll_remove(os::NativeSocket epoll, os::NativeSocket fd);

}  // namespace loopscope::tools
