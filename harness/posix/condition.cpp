// What poll(2) says of one descriptor now.
#include "harness/testing/condition.hpp"

#include <poll.h>

namespace loopscope::testing {

Condition condition_of(os::NativeSocket fd) {
  pollfd slot{fd, POLLIN | POLLOUT | POLLPRI, 0};
  const timespec at_once{};
  // ppoll, because that is the wait call which loops over poll declare.
  if (::ppoll(&slot, 1, &at_once, nullptr) <= 0) return {};
  const auto is = [&slot](int flag) { return (slot.revents & flag) != 0; };
  return {is(POLLIN), is(POLLOUT), is(POLLHUP), is(POLLERR), is(POLLPRI)};
}

}  // namespace loopscope::testing
