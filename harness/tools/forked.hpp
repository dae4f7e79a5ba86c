// Forked: a check that runs in a forked child of the cell.
#pragma once

#include <functional>

namespace loopscope::tools {

/// Forks, runs `work` in the child, and waits for it. The child ends without destructors.
/// returns  what `work` returned (0..255); minus the signal that killed the child; 255 after an
///          exception.
int in_forked_child(const std::function<int()>& work);

}  // namespace loopscope::tools
