// Using every operation once, on a ring that is thrown away.
#pragma once

#include "loops/proactor/io_uring_ladder.hpp"

namespace loopscope::uring {

/// Uses what the abilities name, and all operations.
/// errors  The first that does not work, by its name and errno. ETIME: it did not complete.
Result<void> try_out(Ring& ring, const Abilities& abilities);

}  // namespace loopscope::uring
