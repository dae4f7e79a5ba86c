// Confined: checks in a child whose world is smaller, or whose clock is another one. Linux.
#pragma once

#include <chrono>
#include <functional>

#include "harness/tools/forked.hpp"

namespace loopscope::tools {

inline constexpr int kNotConfined = 254;  // the system does not let this process do it

enum class UringCall { setup, enter };
/// in_forked_child, where io_uring's call fails with this errno, as under a container's filter.
int in_child_without(UringCall call, int error, const std::function<int()>& work);
/// in_forked_child, in a time namespace whose monotonic clock is ahead by `offset`. Needs
/// CAP_SYS_ADMIN and CAP_SYS_TIME.
int in_time_namespace(std::chrono::seconds offset, const std::function<int()>& work);

}  // namespace loopscope::tools
