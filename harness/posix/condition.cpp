// What poll(2) says of one descriptor now.
#include "harness/testing/condition.hpp"

#include "loops/selector/poll_wait.hpp"

namespace loopscope::testing {

Condition condition_of(os::NativeSocket fd) {
  pollfd slot{fd, POLLIN | POLLOUT | POLLPRI, 0};
  // By the wait call which loops over poll declare.
  if (poll_for(&slot, 1, Duration::zero()) <= 0) return {};
  const auto is = [&slot](int flag) { return (slot.revents & flag) != 0; };
  return {is(POLLIN), is(POLLOUT), is(POLLHUP), is(POLLERR), is(POLLPRI)};
}

}  // namespace loopscope::testing
