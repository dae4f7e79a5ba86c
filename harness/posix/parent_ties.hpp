// What becomes of a process when its parent ends.
#pragma once

namespace loopscope {

/// From now on this process is killed when its parent ends, where the system can promise that.
void end_with_parent() noexcept;
/// From now on this process is the parent of its children's orphans, where the system can do that.
void adopt_orphans_of_children() noexcept;

}  // namespace loopscope
