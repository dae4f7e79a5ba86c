// The identity of this process, to notice a fork.
#pragma once

namespace loopscope::os {
long process_id() noexcept;
/// How often this process was forked on its way from the first one. Costs a load, where
/// process_id() costs a system call; does not see children that were made without fork(3).
unsigned fork_generation() noexcept;
}  // namespace loopscope::os
