// The parts of a poll loop, for one whose own code is wrong.
#include "harness/testing/poll_based.hpp"

namespace loopscope::testing {

Result<PollParts> poll_parts() {
  SelectorResult selector = make_poll_selector();
  if (!selector.ok()) return selector.error();
  Result<std::unique_ptr<os::Waker>> waker = os::make_waker();
  if (!waker.ok()) return waker.error();
  return PollParts{std::move(selector).value(), std::move(waker).value()};
}

Result<std::unique_ptr<EventLoop>> opened(std::unique_ptr<SelectorLoop> loop) {
  if (const Result<void> is_open = loop->open(); !is_open.ok()) return is_open.error();
  return std::unique_ptr<EventLoop>(std::move(loop));
}

}  // namespace loopscope::testing
