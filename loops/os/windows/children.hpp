// The handles of children: a number alone would not keep Windows from giving it to another process.
#pragma once

#include "loops/os/fd.hpp"

namespace loopscope::os {

/// From spawn() until it was collected. thread: any.
void keep_child(int pid, UniqueFd process);
/// A copy of its handle; not valid when there is no such child.
UniqueFd child_handle(int pid);

}  // namespace loopscope::os
