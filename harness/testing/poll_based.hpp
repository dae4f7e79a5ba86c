// What faulty loops are made from: the poll loop, open for overriding.
#pragma once

#include <memory>
#include <string_view>

#include "harness/testing/faulty.hpp"
#include "loops/os/waker.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope::testing {

inline constexpr std::string_view kPollBasedWaits[] = {"ppoll"};

/// Makes an L, which derives from SelectorLoop and inherits its constructor.
template <class L>
Result<std::unique_ptr<EventLoop>> make_poll_based(const LoopOptions& options) {
  SelectorResult selector = make_poll_selector();
  if (!selector.ok()) return selector.error();
  Result<std::unique_ptr<os::Waker>> waker = os::make_waker();
  if (!waker.ok()) return waker.error();
  auto loop = std::make_unique<L>(options, std::move(selector).value(), std::move(waker).value());
  if (const Result<void> opened = loop->open(); !opened.ok()) return opened.error();
  return std::unique_ptr<EventLoop>(std::move(loop));
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
