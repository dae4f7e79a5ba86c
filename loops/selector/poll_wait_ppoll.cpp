// Waiting by ppoll(2), with nanoseconds.
#include "loops/selector/poll_wait.hpp"

namespace loopscope {

int poll_for(pollfd* slots, nfds_t count, std::optional<Duration> timeout) {
  const timespec limit = to_timespec(timeout.value_or(Duration::zero()));
  return ::ppoll(slots, count, timeout ? &limit : nullptr, nullptr);
}

}  // namespace loopscope
