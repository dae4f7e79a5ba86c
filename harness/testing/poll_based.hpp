// What faulty loops are made from: the poll loop, open for overriding.
#pragma once

#include <memory>
#include <string_view>

#include "harness/testing/faulty.hpp"
#include "loops/os/waker.hpp"
#include "loops/selector/poll_wait.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope::testing {

inline constexpr std::string_view kPollBasedWaits[] = {kPollCall};

/// What a loop over poll is made of.
struct PollParts {
  std::unique_ptr<Selector> selector;
  std::unique_ptr<os::Waker> waker;
};
Result<PollParts> poll_parts();
/// The loop, once it has opened.
Result<std::unique_ptr<EventLoop>> opened(std::unique_ptr<SelectorLoop> loop);

/// Makes an L, which derives from SelectorLoop and inherits its constructor.
template <class L>
Result<std::unique_ptr<EventLoop>> make_poll_based(const LoopOptions& options) {
  Result<PollParts> parts = poll_parts();
  if (!parts.ok()) return parts.error();
  return opened(std::make_unique<L>(options, std::move(parts->selector), std::move(parts->waker)));
}

/// The row of such a loop.
template <class L>
constexpr LoopDescriptor poll_based(std::string_view name) {
  return LoopDescriptor{.name = name,
                        .family = Family::selector,
                        .mechanism = "ppoll, wrong on purpose",
                        .native = kSelectorCaps,
                        .wait_calls = kPollBasedWaits,
                        .make = make_poll_based<L>};
}

}  // namespace loopscope::testing
