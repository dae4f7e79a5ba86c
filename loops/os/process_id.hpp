// The id of this process, to notice a fork.
#pragma once

namespace loopscope::os {
long process_id() noexcept;
}  // namespace loopscope::os
