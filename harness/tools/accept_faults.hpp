// Errors for accept(2) on demand: what a firewall or a dying network makes it say.
#pragma once

#include <cstddef>
#include <vector>

namespace loopscope::tools {

/// The next calls of accept and accept4 in this process fail with these errno values, one each;
/// the ones after that are real again. Calls that bypass libc are not reached.
void fail_accepts(const std::vector<int>& errors);
/// Errors that no call has got yet.
std::size_t accept_failures_left();

}  // namespace loopscope::tools
